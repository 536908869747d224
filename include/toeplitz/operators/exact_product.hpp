// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The Toeplitz product of all lags: by its definition where sequences are short, by transforms where they
/// are not, with the spectra that the backward pass shares with the forward one.

#include <optional>

#include <toeplitz/dense/weight_format.hpp>
#include <toeplitz/fft/convolution.hpp>
#include <toeplitz/operators/grouped_spectra.hpp>
#include <toeplitz/operators/short_convolution.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Most lags (n of a causal kernel, 2n − 1 of another) that exact operators multiply by definition, which is
/// faster there and keeps causality bit for bit.
inline constexpr Index most_direct_lags = detail::fused_multiply_add ? 64 : 24;

/// The spectra of x that a forward call keeps for backward, 2N scalars per channel and sequence.
template <Real Scalar>
struct KeptSpectra {
    Buffer<Scalar> spectra;
    Index batch = 0;                         ///< sequences of the forward call; 0 where nothing was kept
    Precision precision = Precision::exact;  ///< bf16: none are kept, and backward transforms x again
};

namespace detail {

/// y_i = Σ_j k(i−j) x_j for lags −negative..n−1.
///
/// Kernels come and gradients go in groups of up to Engine::lanes neighbouring channels, all lags from
/// −negative on. Whoever gives or takes them has `extra` scalars of scratch memory for each thread.
template <Real Scalar, class Engine>
class ExactProduct {
public:
    static constexpr Index lanes = Engine::lanes;

    /// The zero operator.
    ExactProduct(Index length, Index channels, Causality causality)
        : length_(length), channels_(channels), negative_(first_lag_row(length, causality)) {
        if (lags() <= most_direct_lags) {
            direct_ = ShortConvolution<Scalar>(channels, negative_, length - 1);
        } else {
            spectra_.emplace(length, channels, negative_);
        }
    }

    Index negative() const noexcept { return negative_; }
    Index lags() const noexcept { return negative_ + length_; }
    std::size_t state_bytes() const noexcept {
        return direct_.state_bytes() + (spectra_ ? spectra_->state_bytes() : 0);
    }

    std::size_t kernel_workspace(const LagsScratch& extra) const {
        return spectra_ ? spectra_->kernel_workspace(extra) : scratch_bytes(extra.total());
    }
    std::size_t product_workspace(Index batch) const {
        return spectra_ ? spectra_->product_workspace(batch) : direct_.product_workspace(batch, length_);
    }
    std::size_t gradient_workspace(Index batch, Index extra) const {
        if (spectra_) return spectra_->gradient_workspace(extra);
        return Workspace::bytes_for<Scalar>(lags() * channels_) +
               (std::max)(direct_.gradient_workspace(batch, length_), scratch_bytes(extra));
    }

    /// \param lags_of (first channel, width, scratch for the lags, passing scratch) → the lags of a group
    template <class LagsOf>
    void set_kernel(const LagsScratch& extra, Workspace& ws, LagsOf&& lags_of) {
        if (spectra_) return spectra_->set_kernel(extra, ws, lags_of);
        for_groups(extra.total(), ws, [&](Index first, Index width, Scalar* scratch) {
            direct_.set_kernel(first, lags_of(first, width, scratch, scratch + extra.lags));
        });
    }

    template <Direction direction, Update update>
    void product(MatrixView<const Scalar> x, MatrixView<Scalar> y, const Sequences& sequences,
                 Workspace& ws) const {
        if (spectra_) {
            spectra_->template product<direction, update>(x, y, sequences, ws);
        } else {
            direct_.template product<direction, update>(x, y, sequences, ws);
        }
    }

    /// y = T x, keeping the spectra of x.
    void forward(MatrixView<const Scalar> x, MatrixView<Scalar> y, KeptSpectra<Scalar>& cache,
                 const Sequences& sequences, Workspace& ws) const {
        cache.batch = 0;
        const bool keeps = spectra_ && cache.precision == Precision::exact;
        if (!keeps) {
            cache.spectra = {};
            return product<Direction::forward, Update::assign>(x, y, sequences, ws);
        }
        const Index size = spectra_->kept_size(sequences.batch());
        if (cache.spectra.size() < size) cache.spectra = Buffer<Scalar>(size);
        spectra_->forward(x, y, sequences, cache.spectra.data(), ws);
        cache.batch = sequences.batch();
    }

    /// dx = Tᵀ g, and take(first channel, gradient of the lags, scratch) for every group.
    ///
    /// With kept spectra one transform of each sequence of g and one of dx, the kernel gradient one more:
    /// half of what the product and the gradient take apart. Without them one of x in addition.
    /// \throws shape_error 507
    template <class Take>
    void backward(MatrixView<const Scalar> x, const KeptSpectra<Scalar>& cache, MatrixView<const Scalar> g,
                  MatrixView<Scalar> dx, const Sequences& sequences, Index extra, Workspace& ws,
                  const char* where, Take&& take) const {
        if (!spectra_) {
            product<Direction::adjoint, Update::assign>(g, dx, sequences, ws);
            return accumulate_gradient(x, g, sequences, extra, ws, take);
        }
        const bool has_spectra = cache.batch != 0;
        if (has_spectra && cache.batch != sequences.batch()) {
            raise<shape_error>(507, where, text("the ", cache.batch, " sequences of the forward call"),
                               std::to_string(sequences.batch()));
        }
        spectra_->backward(has_spectra ? cache.spectra.data() : nullptr, x, g, dx, sequences, extra, ws,
                           take);
    }

    /// As backward, for the gradient alone.
    template <class Take>
    void accumulate_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g,
                             const Sequences& sequences, Index extra, Workspace& ws, Take&& take) const {
        if (spectra_) {
            return spectra_->accumulate_gradient(x, g, sequences, extra, ws, take);
        }
        Workspace::Scope scope(ws);
        const MatrixView<Scalar> dlags = scope.template matrix<Scalar>(lags(), channels_);
        dlags.eigen().setZero();
        direct_.accumulate_gradient(x, g, dlags, sequences, ws);
        for_groups(extra, ws, [&](Index first, Index width, Scalar* scratch) {
            take(first, MatrixView<const Scalar>(dlags.middle_cols(first, width)), scratch);
        });
    }

    /// f(first channel, width, scratch of `extra` scalars) for every group.
    template <class F>
    void for_groups(Index extra, Workspace& ws, F&& f) const {
        ws.reserve(scratch_bytes(extra));
        Workspace::Scope scope(ws);
        const ThreadScratch<Scalar> scratch(scope, extra, threads());
        parallel_chunks(groups(), threads(), [&](Index begin, Index end, int thread) {
            for (Index group = begin; group < end; ++group) {
                const Index first = group * lanes;
                f(first, (std::min)(lanes, channels_ - first), scratch[thread]);
            }
        });
    }

private:
    Index groups() const noexcept { return (channels_ + lanes - 1) / lanes; }
    int threads() const noexcept { return thread_count(groups(), lags() * channels_ * 4); }
    std::size_t scratch_bytes(Index extra) const { return ThreadScratch<Scalar>::bytes(extra, threads()); }

    Index length_;
    Index channels_;
    Index negative_;
    ShortConvolution<Scalar> direct_;
    std::optional<GroupedSpectra<Scalar, Engine>> spectra_;
};

/// Base of operators that are an exact product with a kernel in a form of their own: Derived gives
/// * `extra()`: the LagsScratch of one group;
/// * `with_lags(kernel, ws, f)`: checks a kernel and calls f(lags_of);
/// * `with_taker(dkernel, ws, f)`: checks a gradient and calls f(take).
template <class Derived, Real ScalarType, class Engine>
class ExactOperator : public Operator<Derived, ScalarType> {
    using Base = Operator<Derived, ScalarType>;

public:
    using Scalar = ScalarType;
    using Cache = KeptSpectra<Scalar>;

    /// Bytes held.
    std::size_t state_bytes() const noexcept { return exact_.state_bytes(); }
    /// Bytes that set_kernel takes from its workspace for a row-major kernel.
    std::size_t kernel_workspace() const { return exact_.kernel_workspace(self().extra()); }

    /// The lags that a kernel stands for, (2n−1) × d: row t + n − 1 is lag t, zero at t < 0 where causal.
    /// \throws shape_error 501 (kernel, lags), value_error 530
    template <class D = Derived>
    void kernel_lags(const typename D::Kernel& kernel, MatrixView<Scalar> lags, Workspace& ws) const {
        const Index n = this->length();
        require_kernel_shape(lags, 2 * n - 1, this->channels(), Derived::name);
        lags.middle_rows(0, n - 1).eigen().setZero();
        self().with_lags(kernel, ws, [&](const auto& lags_of) {
            const LagsScratch extra = self().extra();
            exact_.for_groups(extra.total(), ws, [&](Index first, Index width, Scalar* scratch) {
                lags.middle_rows(n - 1 - negative(), this->lags()).middle_cols(first, width).eigen() =
                    lags_of(first, width, scratch, scratch + extra.lags).eigen();
            });
        });
    }

protected:
    friend Base;

    ExactOperator(Index length, Index channels, Causality causality)
        : Base(length, channels), exact_(length, channels, causality) {}

    Index negative() const noexcept { return exact_.negative(); }
    Index lags() const noexcept { return exact_.lags(); }

    std::size_t product_workspace(Index batch) const { return exact_.product_workspace(batch); }
    std::size_t gradient_workspace(Index batch) const {
        return exact_.gradient_workspace(batch, self().extra().passing);
    }

    template <class Kernel>
    void assign_kernel(const Kernel& kernel, Workspace& ws) {
        self().with_lags(kernel, ws,
                         [&](const auto& lags_of) { exact_.set_kernel(self().extra(), ws, lags_of); });
    }

    template <Direction direction, Update update>
    void product(MatrixView<const Scalar> x, MatrixView<Scalar> y, const Sequences& sequences,
                 Workspace& ws) const {
        exact_.template product<direction, update>(x, y, sequences, ws);
    }

    void forward_product(MatrixView<const Scalar> x, MatrixView<Scalar> y, Cache& cache,
                         const Sequences& sequences, Workspace& ws) const {
        exact_.forward(x, y, cache, sequences, ws);
    }

    template <class Values>
    void backward_product(MatrixView<const Scalar> x, const Cache& cache, MatrixView<const Scalar> g,
                          MatrixView<Scalar> dx, const Values& dkernel, const Sequences& sequences,
                          Workspace& ws) const {
        self().with_taker(dkernel, ws, [&](const auto& take) {
            exact_.backward(x, cache, g, dx, sequences, self().extra().passing, ws, Derived::name, take);
        });
    }

    template <class Values>
    void kernel_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g, const Values& dkernel,
                         const Sequences& sequences, Workspace& ws) const {
        self().with_taker(dkernel, ws, [&](const auto& take) {
            exact_.accumulate_gradient(x, g, sequences, self().extra().passing, ws, take);
        });
    }

private:
    const Derived& self() const noexcept { return static_cast<const Derived&>(*this); }

    ExactProduct<Scalar, Engine> exact_;
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
