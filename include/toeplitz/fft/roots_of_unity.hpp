// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Points of the unit circle, each rounded about once, at a few multiplications each.

#include <array>
#include <cmath>
#include <numbers>

#include <toeplitz/core/memory.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// The M-th roots of unity e^{2πi j/M}.
///
/// An angle within an eighth of a turn is a coarse step a and a fine one b, and e^{i(a+b)} = e^{ia} +
/// e^{ia}(e^{ib} − 1): with what e^{ia} loses as a double beside it, the last sum is what rounds. Two tables
/// of √(M/2) entries take the place of M cosines and sines.
class RootsOfUnity {
public:
    /// \param order M, 1 ≤ M < 2⁶⁰
    explicit RootsOfUnity(Index order) : order_(order) {
        while (Index{1} << (2 * bits_) < order / 2) ++bits_;
        fine_ = Buffer<Fine>(Index{1} << bits_);
        coarse_ = Buffer<Coarse>((order / 2 >> bits_) + 1);
        for (Index i = 0; i < fine_.size(); ++i) {
            const long double half = std::sin(angle(i) / 2);
            fine_[i] = {static_cast<double>(-2 * half * half), static_cast<double>(std::sin(angle(i)))};
        }
        for (Index i = 0; i < coarse_.size(); ++i) {
            const long double c = std::cos(angle(i << bits_));
            const long double s = std::sin(angle(i << bits_));
            const double cos = static_cast<double>(c);
            const double sin = static_cast<double>(s);
            coarse_[i] = {cos, sin, static_cast<double>(c - static_cast<long double>(cos)),
                          static_cast<double>(s - static_cast<long double>(sin))};
        }
    }

    Index order() const noexcept { return order_; }

    /// Cosine and sine of 2π j/M, 0 ≤ j < M.
    template <Real Scalar>
    std::array<Scalar, 2> at(Index j) const noexcept {
        const int quadrant =
            (8 * j >= order_) + (8 * j >= 3 * order_) + (8 * j >= 5 * order_) + (8 * j >= 7 * order_);
        const Index rest = 4 * j - quadrant * order_;  // quarters of a step, within ±M/2
        const Index size = rest < 0 ? -rest : rest;
        const Coarse& a = coarse_[size >> bits_];
        const Fine& b = fine_[size & ((Index{1} << bits_) - 1)];
        const double c = a.cos + (a.cos_rest + (a.cos * b.cos_less_one - a.sin * b.sin));
        const double s = a.sin + (a.sin_rest + (a.sin * b.cos_less_one + a.cos * b.sin));
        const auto cos = static_cast<Scalar>(c);
        const auto sin = static_cast<Scalar>(rest < 0 ? -s : s);
        switch (quadrant) {
            case 1:
                return {-sin, cos};
            case 2:
                return {-cos, -sin};
            case 3:
                return {sin, -cos};
            default:
                return {cos, sin};
        }
    }

private:
    struct Fine {
        double cos_less_one;
        double sin;
    };
    struct Coarse {
        double cos;
        double sin;
        double cos_rest;
        double sin_rest;
    };

    // Of i quarters of a step.
    long double angle(Index i) const noexcept {
        return std::numbers::pi_v<long double> / 2 * static_cast<long double>(i) /
               static_cast<long double>(order_);
    }

    Index order_;
    int bits_ = 0;
    Buffer<Fine> fine_;
    Buffer<Coarse> coarse_;
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
