// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Every operator by its definition, in long double and with plain loops: the reference of the tests. Shares
/// no code with the library.

#include <complex>
#include <vector>

#include <toeplitz/core/view.hpp>

namespace toeplitz::test {

using LongMatrix = Matrix<long double>;

/// A result and how far each entry of the library's may be from it.
struct Reference {
    LongMatrix value;
    LongMatrix tolerance;
};

/// a b.
LongMatrix long_product(const LongMatrix& a, const LongMatrix& b);

/// `rows` rows of T x, y_i = Σ_j k_{i−j} x_j, or of Tᵀ x; row t + negative of `lags` is k_t, others are 0.
LongMatrix toeplitz_product(Direction direction, const LongMatrix& lags, Index negative, const LongMatrix& x,
                            Index rows);

/// y_t = Σ_s h_s x_{t−s} for streams whose rows are side by side, and how far each entry may be from it:
/// tolerance(N) u ‖h‖₂ ‖x‖₂ of the last N = `settling` inputs, and of those to the end of its block.
Reference causal_convolution(const LongMatrix& lags, const LongMatrix& x, Index streams, Index settling,
                             long double unit, Index block);

/// T = W A Wᵀ with A_ab = κ(a−b), κ = L k: all operators of the library have this form, most with W = I.
struct OraclePart {
    LongMatrix lags;     ///< L: (2r−1) × parameters; row t + r − 1 is lag t
    LongMatrix weights;  ///< W: n × r; empty for the identity
    Index grid = 0;      ///< points of the full spectrum where k is a spectrum; its lags are computed then
    long double recurrence = 0;  ///< rounding units that a recurrence loses in addition
};

/// A sum of such operators whose kernels are stacked.
class Oracle {
public:
    explicit Oracle(Index length) : length_(length) {}

    void add(OraclePart part) { parts_.push_back(std::move(part)); }
    void add(const Oracle& other) { parts_.insert(parts_.end(), other.parts_.begin(), other.parts_.end()); }

    Index length() const { return length_; }
    /// Rows of the stacked kernel.
    Index parameters() const;

    /// T x or Tᵀ x for stacked sequences, with the tolerance of a scalar of this unit roundoff.
    Reference product(Direction direction, const LongMatrix& kernel, const LongMatrix& x,
                      const std::vector<Index>& lengths, long double unit) const;

    /// ∂⟨g, T x⟩/∂k.
    Reference gradient(const LongMatrix& x, const LongMatrix& g, const std::vector<Index>& lengths,
                       long double unit) const;

private:
    Index length_;
    std::vector<OraclePart> parts_;
};

/// Lags −(n−1)..n−1 that are the parameters themselves: `first` is the lag of the first of `count`.
/// Parameters of lags outside have no effect.
OraclePart lag_part(Index length, Index first, Index count);

/// Linear interpolation from r evenly spaced points, and the lags between them.
OraclePart interpolation_part(Index length, Index rank);

/// The causal kernel of a real response on N/2+1 frequencies: lag t is u_t irfft(R)_t.
OraclePart causal_spectrum_part(Index length, Index grid);

/// The kernel of a complex response: real parts of N/2+1 frequencies, then imaginary parts.
OraclePart bidirectional_spectrum_part(Index length, Index grid);

/// Parameters `direct`, real parts of residues, imaginary parts: of a state space with these poles; for
/// Direction::adjoint of its transpose.
OraclePart state_space_part(Index length, const std::vector<std::complex<long double>>& poles, Index taps = 1,
                            Direction time = Direction::forward);

}  // namespace toeplitz::test
