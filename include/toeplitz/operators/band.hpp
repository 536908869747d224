// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The sparse part of the kernel: a short depthwise convolution around the diagonal.

#include <toeplitz/operators/short_convolution.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct BandOptions {
    Index length = 0;    ///< n ≥ 1
    Index channels = 0;  ///< d ≥ 1
    Index taps = 0;      ///< m ≥ 1; odd where bidirectional; may exceed 2n−1

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("length", sets.length...);
        f("channels", sets.channels...);
        f("taps", sets.taps...);
    }
};

/// y_i = Σ_q s_q x_{i−q} over the m lags of the band, zero outside the sequence.
///
/// The spiky part near the diagonal of the paper's sparse plus low-rank operator. Causal bands never read a
/// later time step, so causality holds bit for bit.
/// Kernel: m × d; row j is lag j − (m−1)/2, or lag j where causal.
/// Cost O(n m d) | heap: none | thread-safe: yes | threads split the time steps, same bits for any number
template <Real ScalarType, Causality kind = Causality::bidirectional>
class Band : public Operator<Band<ScalarType, kind>, ScalarType> {
    using Base = Operator<Band, ScalarType>;
    friend Base;

public:
    using Scalar = ScalarType;
    using Kernel = MatrixView<const Scalar>;
    using KernelValues = MatrixView<Scalar>;
    using Cache = NoCache;
    using Options = BandOptions;

    /// The zero operator, until set_kernel is called.
    /// \throws config_error 201, 202, 510 (taps = 0) or 511 (even taps)
    explicit Band(const Options& options)
        : Base(options.length, options.channels),
          options_(checked(options)),
          convolution_(options_.channels, negative(), positive()) {}

    /// \throws config_error 201, 202, 510 or 511, shape_error 501, value_error 530
    Band(const Options& options, Kernel kernel)
        : Base(options.length, options.channels), options_(checked(options)) {
        // The taps may be any number: nothing is allocated for them before a kernel of that size is seen.
        require_kernel(kernel, "Band::set_kernel");
        convolution_ = detail::ShortConvolution<Scalar>(options_.channels, negative(), positive());
        this->set_kernel(kernel);
    }

    static constexpr Causality causality() noexcept { return kind; }
    Index taps() const noexcept { return options_.taps; }

    /// Kernel values of the right shape, not initialised.
    KernelValues take_kernel(Workspace::Scope& scope) const {
        return scope.template matrix<Scalar>(taps(), this->channels());
    }
    /// Bytes that set_kernel takes from its workspace.
    std::size_t kernel_workspace() const noexcept { return 0; }

    /// The lags that a kernel stands for, (2n−1) × d: row t + n − 1 is lag t.
    /// \throws shape_error 501 (kernel, lags)
    void kernel_lags(Kernel kernel, MatrixView<Scalar> lags, Workspace&) const {
        const Index n = this->length();
        require_kernel(kernel, "Band::kernel_lags");
        require_kernel_shape(lags, 2 * n - 1, this->channels(), "Band::kernel_lags");
        lags.eigen().setZero();
        // Taps may reach beyond a short sequence.
        const Index ahead = (std::min)(negative(), n - 1);
        const Index count = ahead + 1 + (std::min)(positive(), n - 1);
        lags.middle_rows(n - 1 - ahead, count).eigen() =
            kernel.middle_rows(negative() - ahead, count).eigen();
    }

    /// The product with `start` in place of zero: row i of sequence b starts from
    /// start.sequence(b)(i, channel, load), a vector of channels from that one on. What an operator whose
    /// result is known row by row needs to add a band to it in one pass.
    template <Direction direction, class Start>
    void product_from(MatrixView<const Scalar> x, MatrixView<Scalar> y, const Sequences& sequences,
                      const Start& start, Workspace& ws) const {
        convolution_.template product<direction>(x, y, sequences, start, ws);
    }

    /// Bytes held.
    std::size_t state_bytes() const noexcept { return convolution_.state_bytes(); }

private:
    static constexpr const char* name = "Band";

    static const Options& checked(const Options& options) {
        if (options.taps < 1) {
            detail::raise<config_error>(510, "Band", "taps >= 1", std::to_string(options.taps));
        }
        if (kind == Causality::bidirectional && options.taps % 2 == 0) {
            detail::raise<config_error>(511, "Band", "an odd number of taps for a centred band",
                                        std::to_string(options.taps));
        }
        return options;
    }

    Index negative() const noexcept { return kind == Causality::causal ? 0 : (options_.taps - 1) / 2; }
    Index positive() const noexcept { return options_.taps - 1 - negative(); }

    void require_kernel(Kernel kernel, const char* where) const {
        require_kernel_shape(kernel, options_.taps, options_.channels, where);
    }

    void assign_kernel(Kernel kernel, Workspace&) {
        require_kernel(kernel, "Band::set_kernel");
        require_finite(kernel, "Band::set_kernel", "lag", -negative());
        convolution_.set_kernel(0, kernel);
    }

    std::size_t product_workspace(Index batch) const noexcept {
        return convolution_.product_workspace(batch, this->length());
    }
    std::size_t gradient_workspace(Index batch) const noexcept {
        return convolution_.gradient_workspace(batch, this->length());
    }

    template <Direction direction, Update update>
    void product(MatrixView<const Scalar> x, MatrixView<Scalar> y, const Sequences& sequences,
                 Workspace& ws) const {
        convolution_.template product<direction, update>(x, y, sequences, ws);
    }

    void kernel_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g, KernelValues dkernel,
                         const Sequences& sequences, Workspace& ws) const {
        require_kernel(dkernel, "Band, dkernel");
        convolution_.accumulate_gradient(x, g, dkernel, sequences, ws);
    }

    Options options_;
    detail::ShortConvolution<Scalar> convolution_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
