// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The sparse part of the kernel: a short depthwise convolution around the diagonal.

#include <toeplitz/operators/short_convolution.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct BandOptions {
    Index length = 0;                                ///< n ≥ 1
    Index channels = 0;                              ///< d ≥ 1
    Index taps = 0;                                  ///< m ≥ 1; odd where bidirectional; may exceed 2n−1
    Causality causality = Causality::bidirectional;  ///< lags −(m−1)/2..(m−1)/2, or 0..m−1
};

/// y_i = Σ_q s_q x_{i−q} over the m lags of the band, zero outside the sequence.
///
/// The spiky part near the diagonal of the paper's sparse plus low-rank operator. Causal bands never read a
/// later time step, so causality holds bit for bit.
/// Kernel: m × d; row j is lag j − (m−1)/2, or lag j where causal.
/// Cost O(n m d) | heap: none | thread-safe: yes | threads split the time steps, same bits for any number
template <Real ScalarType>
class Band : public detail::OperatorBase<Band<ScalarType>, ScalarType> {
    using Base = detail::OperatorBase<Band, ScalarType>;
    friend Base;

public:
    using Scalar = ScalarType;
    using Kernel = Matrix<Scalar>;
    using Options = BandOptions;

    /// \throws config_error 201, 202, 510 (taps = 0) or 511 (even taps), shape_error 501, value_error 530
    Band(const Options& options, MatrixView<const Scalar> kernel)
        : Base(options.length, options.channels), options_(checked(options)) {
        // The taps may be any number: nothing is allocated for them before a kernel of that size is seen.
        require_kernel(kernel, "Band::set_kernel");
        convolution_ = detail::ShortConvolution<Scalar>(options_.channels, negative(), positive());
        set_kernel(kernel);
    }

    Causality causality() const noexcept { return options_.causality; }
    Index taps() const noexcept { return options_.taps; }

    /// \throws shape_error 501, value_error 530; the operator is unchanged then
    void set_kernel(MatrixView<const Scalar> kernel) {
        require_kernel(kernel, "Band::set_kernel");
        detail::require_finite(kernel, "Band::set_kernel", "lag", -negative());
        convolution_.set_kernel(kernel);
    }

    /// \throws shape_error 501 to 506
    void accumulate_kernel_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g,
                                    MatrixView<Scalar> dkernel, Workspace& ws, Lengths lengths = {}) const {
        require_kernel(dkernel, "Band::accumulate_kernel_gradient");
        this->with_gradient_arguments(x, g, lengths, ws,
                                      [&](detail::Rows<const Scalar> x_rows,
                                          detail::Rows<const Scalar> g_rows, const detail::Batch& batch) {
                                          convolution_.accumulate_gradient(x_rows, g_rows, dkernel, batch,
                                                                           ws);
                                      });
    }

    /// Bytes held.
    std::size_t state_bytes() const noexcept { return convolution_.state_bytes(); }

private:
    static constexpr const char* name = "Band";

    template <class A, class B>
    friend class Sum;

    static const Options& checked(const Options& options) {
        if (options.taps < 1) {
            detail::raise<config_error>(510, "Band", "taps >= 1", std::to_string(options.taps));
        }
        if (options.causality == Causality::bidirectional && options.taps % 2 == 0) {
            detail::raise<config_error>(511, "Band", "an odd number of taps for a centred band",
                                        std::to_string(options.taps));
        }
        return options;
    }

    Index negative() const noexcept {
        return options_.causality == Causality::causal ? 0 : (options_.taps - 1) / 2;
    }
    Index positive() const noexcept { return options_.taps - 1 - negative(); }

    void require_kernel(MatrixView<const Scalar> kernel, const char* where) const {
        detail::require_kernel_shape(kernel.rows(), kernel.cols(), options_.taps, options_.channels, where);
    }

    std::size_t product_workspace(Index batch) const noexcept {
        return convolution_.product_workspace(batch, this->length());
    }
    std::size_t gradient_workspace(Index batch) const noexcept {
        return convolution_.gradient_workspace(batch, this->length());
    }

    template <Direction direction, Update update>
    void product(detail::Rows<const Scalar> x, detail::Rows<Scalar> y, const detail::Batch& batch,
                 Workspace& ws) const {
        if constexpr (update == Update::add) {
            product_from<direction>(x, y, batch,
                                    detail::StartFromRows<Scalar>{{y.data, y.stride}, batch.length}, ws);
        } else {
            product_from<direction>(x, y, batch, detail::StartFromZero{}, ws);
        }
    }

    template <Direction direction, class Start>
    void product_from(detail::Rows<const Scalar> x, detail::Rows<Scalar> y, const detail::Batch& batch,
                      const Start& start, Workspace& ws) const {
        convolution_.template product<direction>(x, y, batch, start, ws);
    }

    Options options_;
    detail::ShortConvolution<Scalar> convolution_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
