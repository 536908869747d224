// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The tensor `lags` of a safetensors file.

#include <stdexcept>
#include <string>

#include <toeplitz/io/safetensors.hpp>

namespace examples {

/// Says what is wrong with the lags of a file. \throws std::runtime_error
[[noreturn]] inline void refuse_lags(const toeplitz::StoredTensor& lags, const std::string& path,
                                     const std::string& why) {
    throw std::runtime_error("'" + path + "': lags of shape " + toeplitz::detail::shape_text(lags.shape) +
                             ": " + why);
}

/// \param shape what the shape should be, for the message
/// \throws std::runtime_error for other numbers than F32 and F64, or another number of dimensions
inline void require_lags(const toeplitz::StoredTensor& lags, const std::string& path,
                         const std::string& shape) {
    using toeplitz::Dtype;
    if (lags.dtype != Dtype::f32 && lags.dtype != Dtype::f64) {
        refuse_lags(lags, path, "numbers are F32 or F64, not " + std::string(dtype_name(lags.dtype)));
    }
    if (lags.shape.size() != 2) refuse_lags(lags, path, "the shape is " + shape);
}

}  // namespace examples
