// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Between which two numbers the entries of one diagonal of T − W A Wᵀ − band lie (docs/certificates.md).

#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include <toeplitz/approximation/scale.hpp>
#include <toeplitz/core/memory.hpp>
#include <toeplitz/core/simd.hpp>
#include <toeplitz/core/view.hpp>
#include <toeplitz/kernels/inducing_points.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

namespace detail {

/// Where lag t lies between two inducing lags, and how much of their second differences it may receive.
struct LagPosition {
    Index cell = 0;    ///< δ + r − 1 for the inducing lag δh at or below t
    double above = 0;  ///< φ: the weight of the inducing value above
    double bend = 0;   ///< largest θ that multiplies the second difference at δ
    double bend_above = 0;
};

/// The positions of all 2n−1 lags, in their order. r ≥ 1; one inducing point has all lags at δ = 0.
///
/// i and j lie f and f′ of a spacing above their inducing points, multiples of 1/m, m = (n−1)/gcd(n−1, r−1).
/// (W A Wᵀ)_ij is the linear interpolant plus θ D²: θ = f′(1−φ−f′) ≤ ⌊(m−mφ)²/4⌋/m² at δ where f ≥ f′,
/// and θ = f(φ−f) ≤ ⌊(mφ)²/4⌋/m² at δ + 1 otherwise.
class InducingGrid {
public:
    /// Which positions the constructor computes; fill() adds others.
    enum class Rows { all, none };

    InducingGrid(Index length, Index rank, Rows rows = Rows::all)
        : length_(length),
          rank_(effective_rank(length, rank)),
          lags_(2 * length - 1, 2 * rank_ - 1),
          parts_(static_cast<double>((length - 1) / std::max<Index>(std::gcd(length - 1, rank_ - 1), 1))),
          positions_(2 * length - 1),
          first_(length - 1),
          last_(length - 1) {
        if (rows == Rows::all) fill(0, positions_.size());
    }

    /// Makes the positions of rows first..last − 1 available. Those that are so are always neighbours.
    void fill(Index first, Index last) {
        if (rank_ < 2) return;
        if (first < first_) compute(first, std::exchange(first_, first));
        if (last > last_) compute(std::exchange(last_, last), last);
    }

    /// Lags between two inducing lags, at most.
    Index cell_size() const noexcept { return rank_ < 2 ? 2 * length_ - 1 : (length_ - 1) / (rank_ - 1) + 1; }
    const LagPosition& operator[](Index row) const noexcept { return positions_[row]; }

private:
    void compute(Index first, Index last) {
        const auto largest = [this](double weight) {
            const double multiple = std::round(weight * parts_);
            return std::floor(multiple * multiple / 4) / (parts_ * parts_);
        };
        for (Index row = first; row < last; ++row) {
            const InducingPoints::Weights w = lags_.at(row);
            positions_[row] = {w.below, w.upper, largest(w.lower), largest(w.upper)};
        }
    }

    Index length_;
    Index rank_;
    InducingPoints lags_;  // inducing lags among all lags lie as inducing points among time steps
    double parts_;         // m
    Buffer<LagPosition> positions_;
    Index first_;  // the rows that are filled
    Index last_;
};

/// One channel, or as many as a vector of doubles holds, read from rows of any scalar.
template <class Value>
struct DoubleAccess {
    static constexpr Index lanes = static_cast<Index>(sizeof(Value) / sizeof(double));

    template <Real Scalar>
    TOEPLITZ_INLINE static Value load(const Scalar* p) noexcept {
        if constexpr (lanes == 1) {
            return static_cast<double>(*p);
        } else if constexpr (std::is_same_v<Scalar, double>) {
            return Simd<double>::load_unaligned(p);
        } else {
            typedef Scalar Narrow __attribute__((vector_size(sizeof(Scalar) * lanes)));
            Narrow narrow;
            std::memcpy(&narrow, p, sizeof narrow);
            return __builtin_convertvector(narrow, Value);
        }
    }
    template <Real Scalar>
    TOEPLITZ_INLINE static void store(Scalar* p, Value v) noexcept {
        if constexpr (lanes == 1) {
            *p = static_cast<Scalar>(v);
        } else if constexpr (std::is_same_v<Scalar, double>) {
            Simd<double>::store_unaligned(p, v);
        } else {
            typedef Scalar Narrow __attribute__((vector_size(sizeof(Scalar) * lanes)));
            const Narrow narrow = __builtin_convertvector(v, Narrow);
            std::memcpy(p, &narrow, sizeof narrow);
        }
    }
    TOEPLITZ_INLINE static Value smaller(Value a, Value b) noexcept { return a < b ? a : b; }
    TOEPLITZ_INLINE static Value larger(Value a, Value b) noexcept { return a > b ? a : b; }
    TOEPLITZ_INLINE static Value magnitude(Value a) noexcept { return larger(a, -a); }
};

using DoublePack = typename Simd<double>::Pack;

/// Calls f(access, channel) so that channels first..last−1 are covered once, whole vectors first.
template <class F>
TOEPLITZ_INLINE void for_double_lanes(Index first, Index last, F&& f) {
    constexpr Index lanes = DoubleAccess<DoublePack>::lanes;
    Index c = first;
    for (; c + lanes <= last; c += lanes) f(DoublePack{}, c);
    for (; c < last; ++c) f(double{}, c);
}

/// The entries of a diagonal are center ± radius.
template <class Value>
struct DiagonalRange {
    Value center;
    Value radius;
};

/// T − W A Wᵀ − band, diagonal by diagonal, each channel times its scale. A view of its arguments.
template <Real Scalar>
class InterpolationError {
public:
    /// The low-rank part is that of `grid`; no rows of inducing values: none.
    InterpolationError(MatrixView<const Scalar> lags, MatrixView<const Scalar> taps,
                       MatrixView<const Scalar> inducing, const InducingGrid& grid,
                       const ChannelScales& scales) noexcept
        : lags_(lags),
          taps_(taps),
          inducing_(inducing),
          grid_(&grid),
          scales_(&scales),
          length_((lags.rows() + 1) / 2) {}

    Index length() const noexcept { return length_; }
    Index channels() const noexcept { return lags_.cols(); }
    double scale(Index channel) const noexcept { return (*scales_)[channel]; }

    /// Calls f(row, DiagonalRange) for rows first..last−1 of the lags, at the channels from `channel` on.
    template <class Value, class F>
    TOEPLITZ_INLINE void for_rows(Index first, Index last, Index channel, F&& f) const {
        using Access = DoubleAccess<Value>;
        const Index b = (taps_.rows() - 1) / 2;
        const Index band_first = taps_.rows() == 0 ? last : length_ - 1 - b;
        const Index band_last = taps_.rows() == 0 ? last : length_ + b;
        const Value scale = Access::load(scales_->data() + channel);
        Value below{}, above{}, next{}, bend{}, bend_above{};
        Index cell = -2;
        for (Index row = first; row < last; ++row) {
            Value x = Access::load(lags_.row(row) + channel) * scale;
            if (row >= band_first && row < band_last) {
                x -= Access::load(taps_.row(row - band_first) + channel) * scale;
            }
            if (inducing_.rows() == 0) {
                f(row, DiagonalRange<Value>{x, Value{}});
                continue;
            }
            const LagPosition& at = (*grid_)[row];
            if (at.cell != cell) {
                if (at.cell == cell + 1) {
                    below = above;
                    above = next;
                    bend = bend_above;
                } else {
                    below = inducing_value<Value>(at.cell, channel) * scale;
                    above = inducing_value<Value>(at.cell + 1, channel) * scale;
                    bend = Value{};
                    if (at.cell > 0) {
                        bend = inducing_value<Value>(at.cell - 1, channel) * scale - 2.0 * below + above;
                    }
                }
                cell = at.cell;
                // The outermost second differences never reach an entry.
                bend_above = Value{};
                if (cell + 2 < inducing_.rows()) {
                    next = inducing_value<Value>(cell + 2, channel) * scale;
                    bend_above = below - 2.0 * above + next;
                }
            }
            x -= below + at.above * (above - below);
            const Value c1 = -at.bend * bend;
            const Value c2 = -at.bend_above * bend_above;
            const Value low = Access::smaller(Access::smaller(c1, c2), Value{});
            const Value high = Access::larger(Access::larger(c1, c2), Value{});
            f(row, DiagonalRange<Value>{x + (low + high) * 0.5, (high - low) * 0.5});
        }
    }

private:
    // Beyond the only value of r = 1 there is itself.
    template <class Value>
    TOEPLITZ_INLINE Value inducing_value(Index row, Index channel) const noexcept {
        return DoubleAccess<Value>::load(inducing_.row((std::min)(row, inducing_.rows() - 1)) + channel);
    }

    MatrixView<const Scalar> lags_;
    MatrixView<const Scalar> taps_;
    MatrixView<const Scalar> inducing_;
    const InducingGrid* grid_;
    const ChannelScales* scales_;
    Index length_;
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
