// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Compressed mixers from files: the shapes of their parameters are those of the file.

#include <string>

#include <toeplitz/io/state_dict.hpp>
#include <toeplitz/nn/compressed_tno.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Parameters of a CompressedTno in the shapes of the file's tensors under `prefix`: what load_parameters, or
/// load_model, can fill. Saving takes nothing but store_parameters or save_model.
/// \throws io_error 908 (no group)
/// heap: the result | thread-safe: yes
template <Real Scalar>
CompressedTnoParameters<Scalar> compressed_tno_parameters(const TensorFile& file,
                                                          const std::string& prefix = {}) {
    CompressedTnoParameters<Scalar> parameters;
    const auto name = [&](std::size_t i, const char* tensor) {
        return detail::text(prefix, "groups.", i, ".", tensor);
    };
    static_cast<void>(file.at(name(0, "bounds")));
    for (std::size_t i = 0; file.tensors.count(name(i, "bounds")) != 0; ++i) {
        Approximation<Scalar>& group = parameters.groups.emplace_back();
        group.bounds = Vector<double>::Zero(file.at(name(i, "bounds")).size());
        const auto shape = [&](const char* tensor, Matrix<Scalar>& matrix) {
            const auto found = file.tensors.find(name(i, tensor));
            // Loading reports what stays empty, and what does not fit together is refused when it is used.
            if (found == file.tensors.end() || found->second.shape.size() != 2) return;
            matrix = Matrix<Scalar>::Zero(found->second.shape[0], found->second.shape[1]);
        };
        shape("taps", group.taps);
        shape("inducing", group.inducing);
        shape("lags", group.lags);
        shape("poles", group.poles);
        shape("residues", group.residues);
        shape("direct", group.direct);
        shape("backward_poles", group.backward_poles);
        shape("backward_residues", group.backward_residues);
        shape("backward_direct", group.backward_direct);
    }
    return parameters;
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
