// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// An operator chosen at run time, with the certificate of its error.

#include <variant>

#include <toeplitz/approximation/approximation.hpp>
#include <toeplitz/operators/fft.hpp>
#include <toeplitz/operators/sum.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Which operator computes a product.
enum class Method { fft, band, ski, band_ski };

constexpr const char* name(Method method) noexcept {
    constexpr const char* names[] = {"fft", "band", "ski", "band+ski"};
    return names[static_cast<int>(method)];
}

/// What is known of an approximation without a look at the kernel.
struct Certificate {
    double bound = 0;  ///< ‖T − approximation‖₂ ≤ bound in every channel; 0 for the exact operator
    Index taps = 0;    ///< m, 0: no band
    Index rank = 0;    ///< r, 0: no low rank
    Method method = Method::fft;  ///< the operator that m and r make
    InducingMode inducing = InducingMode::sample;
    double cost = 0;        ///< nanoseconds per channel and sequence, by the cost model
    double cost_ratio = 1;  ///< cost against the exact operator's
};

/// The operator of an approximation for d channels that share taps and rank: Fft, Band, Ski or Band + Ski.
///
/// heap: none | thread-safe: yes | same bits for any number of threads
template <Real ScalarType>
class CertifiedOperator {
public:
    using Scalar = ScalarType;
    using ConstView = MatrixView<const Scalar>;
    using View = MatrixView<Scalar>;
    using Any = std::variant<Fft<Scalar>, Band<Scalar>, Ski<Scalar>, Sum<Band<Scalar>, Ski<Scalar>>>;

    /// Band and low rank where the approximation has them; the exact operator of `lags`, (2n−1) × d, where it
    /// has neither.
    /// \throws shape_error 501, 550, value_error 530
    CertifiedOperator(ConstView lags, const SparsePlusLowRank<Scalar>& approximation)
        : operator_(make(lags, approximation)) {}

    Index length() const {
        return visit([](const auto& op) { return op.length(); });
    }
    Index channels() const {
        return visit([](const auto& op) { return op.channels(); });
    }
    Method method() const noexcept { return static_cast<Method>(operator_.index()); }

    /// Bytes that a call on a batch of B sequences takes from its workspace.
    std::size_t required_workspace(Index batch = 1, Layout layout = Layout::row_major) const {
        return visit([&](const auto& op) { return op.required_workspace(batch, layout); });
    }
    /// Bytes held.
    std::size_t state_bytes() const {
        return visit([](const auto& op) { return op.state_bytes(); });
    }

    /// y = T x, as every operator's. \throws shape_error 502 to 504, 210 to 212
    void apply(ConstView x, View y, Workspace& ws, const Sequences& sequences = {}) const {
        visit([&](const auto& op) { op.apply(x, y, ws, sequences); });
    }
    /// dx = Tᵀ g.
    void apply_adjoint(ConstView g, View dx, Workspace& ws, const Sequences& sequences = {}) const {
        visit([&](const auto& op) { op.apply_adjoint(g, dx, ws, sequences); });
    }
    /// y += T x.
    void accumulate(ConstView x, View y, Workspace& ws, const Sequences& sequences = {}) const {
        visit([&](const auto& op) { op.accumulate(x, y, ws, sequences); });
    }
    /// dx += Tᵀ g.
    void accumulate_adjoint(ConstView g, View dx, Workspace& ws, const Sequences& sequences = {}) const {
        visit([&](const auto& op) { op.accumulate_adjoint(g, dx, ws, sequences); });
    }

    /// The operator of Tᵀ, a view of this one.
    auto transpose() const noexcept { return Transpose<CertifiedOperator>(*this); }

    /// The operator itself, in the order of Method.
    const Any& get() const noexcept { return operator_; }

private:
    static Any make(ConstView lags, const SparsePlusLowRank<Scalar>& approximation) {
        const Index n = detail::checked_length(lags, "CertifiedOperator");
        const Index d = lags.cols();
        detail::check_approximation(n, d, approximation, "CertifiedOperator");
        const auto& [taps, inducing] = approximation;
        const auto band = [&, &taps = taps] {
            return Band<Scalar>({.length = n, .channels = d, .taps = taps.rows()}, taps);
        };
        const auto ski = [&, &inducing = inducing] {
            return Ski<Scalar>({.length = n, .channels = d, .rank = approximation.rank()}, inducing);
        };
        if (taps.rows() > 0 && inducing.rows() > 0) return Any(band() + ski());
        if (inducing.rows() > 0) return Any(ski());
        if (taps.rows() > 0) return Any(band());
        return Any(Fft<Scalar>({.length = n, .channels = d}, lags));
    }

    // The variant cannot be without a value: it is never assigned to.
    template <class F>
    auto visit(F&& f) const {
        return std::visit(std::forward<F>(f), operator_);
    }

    Any operator_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
