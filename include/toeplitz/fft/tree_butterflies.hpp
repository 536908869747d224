// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The arithmetic of one node of the splitting tree, on packs of channels (docs/transform.md).
///
/// A node holds a polynomial modulo z^L − e^{iθ}. Its split of radix R turns coefficients a_m, L/R apart,
/// into one coefficient of each of R children modulo z^{L/R} − r_k, r_k^R = e^{iθ}: z_k = Σ_m a_m r_k^m. Its
/// join is the adjoint, a_m = Σ_k z_k conj(r_k)^m, which is R times the inverse.

#include <array>

#include <toeplitz/core/simd.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// One complex number per channel.
template <Real Scalar>
struct ComplexPack {
    using Pack = typename Simd<Scalar>::Pack;
    static constexpr Index lanes = Simd<Scalar>::lanes;

    /// Scalars in memory: all real parts, then all imaginary parts.
    static constexpr Index size = 2 * lanes;

    Pack re;
    Pack im;

    TOEPLITZ_INLINE static ComplexPack load(const Scalar* p) noexcept {
        return {Simd<Scalar>::load(p), Simd<Scalar>::load(p + lanes)};
    }
    TOEPLITZ_INLINE void store(Scalar* p) const noexcept {
        Simd<Scalar>::store(p, re);
        Simd<Scalar>::store(p + lanes, im);
    }
    /// The number p[0] + i p[1] in every channel.
    TOEPLITZ_INLINE static ComplexPack broadcast(const Scalar* p) noexcept {
        return {Simd<Scalar>::broadcast(p[0]), Simd<Scalar>::broadcast(p[1])};
    }
};

/// a·b for the forward direction, a·conj(b) for the adjoint.
template <Direction direction, Real Scalar>
TOEPLITZ_INLINE ComplexPack<Scalar> multiply(const ComplexPack<Scalar>& a, const ComplexPack<Scalar>& b) {
    if constexpr (direction == Direction::forward) {
        return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
    } else {
        return {a.re * b.re + a.im * b.im, a.im * b.re - a.re * b.im};
    }
}

/// (a, b) ← (a + b, a − b).
template <Real Scalar>
TOEPLITZ_INLINE void butterfly(ComplexPack<Scalar>& a, ComplexPack<Scalar>& b) noexcept {
    const ComplexPack<Scalar> sum = {a.re + b.re, a.im + b.im};
    b = {a.re - b.re, a.im - b.im};
    a = sum;
}

/// (a, b) ← (a + i b, a − i b).
template <Real Scalar>
TOEPLITZ_INLINE void butterfly_turned(ComplexPack<Scalar>& a, ComplexPack<Scalar>& b) noexcept {
    const ComplexPack<Scalar> sum = {a.re - b.im, a.im + b.re};
    b = {a.re + b.im, a.im - b.re};
    a = sum;
}

/// (a, b) ← (a + b, −i (a − b)), twice the inverse of butterfly_turned.
template <Real Scalar>
TOEPLITZ_INLINE void butterfly_back(ComplexPack<Scalar>& a, ComplexPack<Scalar>& b) noexcept {
    const ComplexPack<Scalar> sum = {a.re + b.re, a.im + b.im};
    b = {a.im - b.im, b.re - a.re};
    a = sum;
}

/// A node of radix 2, 4, 8 or 16, at any place in the tree: z_k = Σ_m (a_m ρ^m) ω_k^m with ρ = e^{iθ/R} and
/// the R-th roots of unity ω_k in the order of the tree: 1, −1, i, −i, then √i, −√i, i√i, −i√i, ....
template <Index R>
struct NodeRadix {
    static_assert(R == 2 || R == 4 || R == 8 || R == 16);

    /// Scalars per node in the table of factors: ρ, ..., ρ^{R−1}.
    static constexpr Index factor_size = 2 * (R - 1);

    template <Real Scalar>
    struct Factors {
        TOEPLITZ_INLINE explicit Factors(const Scalar* table) noexcept {
            unroll<R - 1>([&](auto k) TOEPLITZ_LAMBDA {
                power[k + 1] = ComplexPack<Scalar>::broadcast(table + 2 * k);
            });
        }
        /// Those of R neighbouring nodes in the lanes: of the first one, times what the others have more.
        TOEPLITZ_INLINE Factors(const Scalar* table, const Scalar* turns) noexcept : Factors(table) {
            unroll<R - 1>([&](auto k) TOEPLITZ_LAMBDA {
                power[k + 1] = multiply<Direction::forward>(
                    ComplexPack<Scalar>::load(turns + k * ComplexPack<Scalar>::size), power[k + 1]);
            });
        }
        ComplexPack<Scalar> power[std::size_t{R}];  // [0] is unused
    };

    template <Real Scalar>
    TOEPLITZ_INLINE static void split(ComplexPack<Scalar>* z, const Factors<Scalar>& f) noexcept {
        unroll<R - 1>([&](auto h) TOEPLITZ_LAMBDA {
            z[h + 1] = multiply<Direction::forward>(z[h + 1], f.power[h + 1]);
        });
        unroll<R / 2>([&](auto k) TOEPLITZ_LAMBDA { butterfly(z[k], z[k + R / 2]); });
        split_halves(z);
    }

    template <Real Scalar>
    TOEPLITZ_INLINE static void join(ComplexPack<Scalar>* z, const Factors<Scalar>& f) noexcept {
        join_halves(z);
        unroll<R / 2>([&](auto k) TOEPLITZ_LAMBDA { butterfly(z[k], z[k + R / 2]); });
        unroll<R - 1>([&](auto h) TOEPLITZ_LAMBDA {
            z[h + 1] = multiply<Direction::adjoint>(z[h + 1], f.power[h + 1]);
        });
    }

    /// split() of real coefficients.
    template <Real Scalar>
    TOEPLITZ_INLINE static void split_real(const typename Simd<Scalar>::Pack* a, ComplexPack<Scalar>* z,
                                           const Factors<Scalar>& f) noexcept {
        unroll<R - 1>([&](auto h) TOEPLITZ_LAMBDA {
            z[h + 1] = {a[h + 1] * f.power[h + 1].re, a[h + 1] * f.power[h + 1].im};
        });
        z[0] = {a[0] + z[R / 2].re, z[R / 2].im};
        z[R / 2] = {a[0] - z[R / 2].re, -z[R / 2].im};
        unroll<R / 2 - 1>([&](auto h) TOEPLITZ_LAMBDA { butterfly(z[h + 1], z[h + 1 + R / 2]); });
        split_halves(z);
    }

    /// The real parts of join(); z is overwritten.
    template <Real Scalar>
    TOEPLITZ_INLINE static void join_real(ComplexPack<Scalar>* z, typename Simd<Scalar>::Pack* a,
                                          const Factors<Scalar>& f) noexcept {
        join_halves(z);
        unroll<R / 2>([&](auto k) TOEPLITZ_LAMBDA { butterfly(z[k], z[k + R / 2]); });
        a[0] = z[0].re;
        unroll<R - 1>([&](auto h) TOEPLITZ_LAMBDA {
            a[h + 1] = z[h + 1].re * f.power[h + 1].re + z[h + 1].im * f.power[h + 1].im;
        });
    }

private:
    // The levels below the first: the left half is a transform of R/2, the right half one of half-turned
    // points.
    template <Real Scalar>
    TOEPLITZ_INLINE static void split_halves(ComplexPack<Scalar>* z) noexcept {
        if constexpr (R == 4) {
            butterfly(z[0], z[1]);
            butterfly_turned(z[2], z[3]);
        } else if constexpr (R == 8) {
            butterfly(z[0], z[2]);
            butterfly(z[1], z[3]);
            butterfly_turned(z[4], z[6]);
            butterfly_turned(z[5], z[7]);
            butterfly(z[0], z[1]);
            butterfly_turned(z[2], z[3]);
            z[5] = {root_half<Scalar> * (z[5].re - z[5].im), root_half<Scalar> * (z[5].re + z[5].im)};
            z[7] = {root_half<Scalar> * (z[7].re - z[7].im), root_half<Scalar> * (z[7].re + z[7].im)};
            butterfly(z[4], z[5]);
            butterfly_turned(z[6], z[7]);
        } else if constexpr (R == 16) {
            unroll<4>([&](auto k) TOEPLITZ_LAMBDA {
                butterfly(z[k], z[k + 4]);
                butterfly_turned(z[k + 8], z[k + 12]);
            });
            unroll<4>([&](auto quarter) TOEPLITZ_LAMBDA {
                ComplexPack<Scalar>* q = z + 4 * quarter;
                turn_quarter<quarter, Direction::forward>(q);
                butterfly(q[0], q[2]);
                butterfly(q[1], q[3]);
                butterfly(q[0], q[1]);
                butterfly_turned(q[2], q[3]);
            });
        }
    }

    template <Real Scalar>
    TOEPLITZ_INLINE static void join_halves(ComplexPack<Scalar>* z) noexcept {
        if constexpr (R == 4) {
            butterfly(z[0], z[1]);
            butterfly_back(z[2], z[3]);
        } else if constexpr (R == 8) {
            butterfly(z[0], z[1]);
            butterfly_back(z[2], z[3]);
            butterfly(z[4], z[5]);
            butterfly_back(z[6], z[7]);
            z[5] = {root_half<Scalar> * (z[5].re + z[5].im), root_half<Scalar> * (z[5].im - z[5].re)};
            z[7] = {root_half<Scalar> * (z[7].re + z[7].im), root_half<Scalar> * (z[7].im - z[7].re)};
            butterfly(z[0], z[2]);
            butterfly(z[1], z[3]);
            butterfly_back(z[4], z[6]);
            butterfly_back(z[5], z[7]);
        } else if constexpr (R == 16) {
            unroll<4>([&](auto quarter) TOEPLITZ_LAMBDA {
                ComplexPack<Scalar>* q = z + 4 * quarter;
                butterfly(q[0], q[1]);
                butterfly_back(q[2], q[3]);
                butterfly(q[0], q[2]);
                butterfly(q[1], q[3]);
                turn_quarter<quarter, Direction::adjoint>(q);
            });
            unroll<4>([&](auto k) TOEPLITZ_LAMBDA {
                butterfly(z[k], z[k + 4]);
                butterfly_back(z[k + 8], z[k + 12]);
            });
        }
    }

    // The factors of the four nodes modulo z^4 − e^{iθ}, θ = 0, π, π/2, 3π/2.
    template <Index quarter, Direction direction, Real Scalar>
    TOEPLITZ_INLINE static void turn_quarter(ComplexPack<Scalar>* q) noexcept {
        if constexpr (quarter == 1) {
            turn<direction, 2>(q[1]);
            turn<direction, 4>(q[2]);
            turn<direction, 6>(q[3]);
        } else if constexpr (quarter == 2) {
            turn<direction, 1>(q[1]);
            turn<direction, 2>(q[2]);
            turn<direction, 3>(q[3]);
        } else if constexpr (quarter == 3) {
            turn<direction, 3>(q[1]);
            turn<direction, 6>(q[2]);
            turn<direction, 9>(q[3]);
        }
    }

    // z·e^{2πi sixteenths/16}, or by the conjugate.
    template <Direction direction, Index sixteenths, Real Scalar>
    TOEPLITZ_INLINE static void turn(ComplexPack<Scalar>& z) noexcept {
        constexpr Scalar c = cosine<Scalar>[sixteenths];
        constexpr Scalar s = direction == Direction::forward ? cosine<Scalar>[(sixteenths + 12) % 16]
                                                             : -cosine<Scalar>[(sixteenths + 12) % 16];
        if constexpr (sixteenths == 4) {
            z = {-s * z.im, s * z.re};
        } else {
            z = {c * z.re - s * z.im, c * z.im + s * z.re};
        }
    }

    // Of sixteenths of a turn.
    template <Real Scalar>
    static constexpr std::array<Scalar, 16> cosine = [] {
        constexpr Scalar a = static_cast<Scalar>(0.92387953251128675613);
        constexpr Scalar b = static_cast<Scalar>(0.70710678118654752440);
        constexpr Scalar c = static_cast<Scalar>(0.38268343236508977173);
        return std::array<Scalar, 16>{1, a, b, c, 0, -c, -b, -a, -1, -a, -b, -c, 0, c, b, a};
    }();

    template <Real Scalar>
    static constexpr Scalar root_half = static_cast<Scalar>(0.70710678118654752440);
};

/// The root, θ = π/2, with an odd radix.
///
/// i = (σi)^R with σ = ±1, so r_k = σi·ω^k, ω = e^{2πi/R}: Σ_m a_m r_k^m separates into even m, real
/// multiples of ω^{km}, and odd m, imaginary ones. r_{R−k} shares the products of r_k.
template <Index R>
struct OddRoot {
    static_assert(R == 3 || R == 5 || R == 7);

    /// σi = i^quarter_turns
    static constexpr Index quarter_turns = R % 4 == 1 ? 1 : 3;

    template <Real Scalar>
    struct Factors {
        TOEPLITZ_INLINE explicit Factors(const Scalar*) noexcept {}
    };

    /// z_k = Σ_m a_m r_k^m for real a.
    template <Real Scalar>
    TOEPLITZ_INLINE static void split_real(const typename Simd<Scalar>::Pack* a, ComplexPack<Scalar>* z,
                                           const Factors<Scalar>&) {
        using Pack = typename Simd<Scalar>::Pack;
        Pack even = a[0];
        Pack odd{};
        unroll<R / 2>([&](auto h) TOEPLITZ_LAMBDA {
            odd += scalar<Scalar>(sign(2 * h + 1)) * a[2 * h + 1];
            even += scalar<Scalar>(sign(2 * h + 2)) * a[2 * h + 2];
        });
        z[0] = {even, odd};
        unroll<R / 2>([&](auto pair) TOEPLITZ_LAMBDA {
            constexpr Index k = pair + 1;
            Pack even_cos = a[0];
            Pack even_sin{};
            Pack odd_cos{};
            Pack odd_sin{};
            unroll<R / 2>([&](auto h) TOEPLITZ_LAMBDA {
                constexpr Index m = 2 * h + 1;
                odd_cos += scalar<Scalar>(sign(m) * cosine(m * k)) * a[m];
                odd_sin += scalar<Scalar>(sign(m) * sine(m * k)) * a[m];
                even_cos += scalar<Scalar>(sign(m + 1) * cosine((m + 1) * k)) * a[m + 1];
                even_sin += scalar<Scalar>(sign(m + 1) * sine((m + 1) * k)) * a[m + 1];
            });
            z[k] = {even_cos - odd_sin, odd_cos + even_sin};
            z[R - k] = {even_cos + odd_sin, odd_cos - even_sin};
        });
    }

    /// a_m = Re Σ_k z_k conj(r_k)^m.
    template <Real Scalar>
    TOEPLITZ_INLINE static void join_real(const ComplexPack<Scalar>* z, typename Simd<Scalar>::Pack* a,
                                          const Factors<Scalar>&) {
        a[0] = z[0].re;
        unroll<R - 1>([&](auto h) TOEPLITZ_LAMBDA {
            a[h + 1] = scalar<Scalar>(sign(h + 1)) * (h % 2 == 0 ? z[0].im : z[0].re);
        });
        unroll<R / 2>([&](auto pair) TOEPLITZ_LAMBDA {
            constexpr Index k = pair + 1;
            const ComplexPack<Scalar> sum = {z[k].re + z[R - k].re, z[k].im + z[R - k].im};
            const ComplexPack<Scalar> difference = {z[k].re - z[R - k].re, z[k].im - z[R - k].im};
            a[0] += sum.re;
            unroll<R / 2>([&](auto h) TOEPLITZ_LAMBDA {
                constexpr Index m = 2 * h + 1;
                a[m] += scalar<Scalar>(sign(m) * cosine(m * k)) * sum.im;
                a[m] -= scalar<Scalar>(sign(m) * sine(m * k)) * difference.re;
                a[m + 1] += scalar<Scalar>(sign(m + 1) * cosine((m + 1) * k)) * sum.re;
                a[m + 1] += scalar<Scalar>(sign(m + 1) * sine((m + 1) * k)) * difference.im;
            });
        });
    }

    /// The same for complex coefficients, which are two real problems.
    template <Real Scalar>
    TOEPLITZ_INLINE static void split(ComplexPack<Scalar>* z, const Factors<Scalar>& factors) {
        typename Simd<Scalar>::Pack re[std::size_t{R}];
        typename Simd<Scalar>::Pack im[std::size_t{R}];
        unroll<R>([&](auto k) TOEPLITZ_LAMBDA {
            re[k] = z[k].re;
            im[k] = z[k].im;
        });
        ComplexPack<Scalar> turned[std::size_t{R}];
        split_real<Scalar>(re, z, factors);
        split_real<Scalar>(im, turned, factors);
        unroll<R>([&](auto k) TOEPLITZ_LAMBDA { z[k] = {z[k].re - turned[k].im, z[k].im + turned[k].re}; });
    }

    template <Real Scalar>
    TOEPLITZ_INLINE static void join(ComplexPack<Scalar>* z, const Factors<Scalar>& factors) {
        typename Simd<Scalar>::Pack re[std::size_t{R}];
        typename Simd<Scalar>::Pack im[std::size_t{R}];
        ComplexPack<Scalar> turned[std::size_t{R}];
        unroll<R>([&](auto k) TOEPLITZ_LAMBDA { turned[k] = {z[k].im, -z[k].re}; });
        join_real<Scalar>(z, re, factors);
        join_real<Scalar>(turned, im, factors);
        unroll<R>([&](auto k) TOEPLITZ_LAMBDA { z[k] = {re[k], im[k]}; });
    }

private:
    template <Real Scalar>
    static constexpr Scalar scalar(double x) noexcept {
        return static_cast<Scalar>(x);
    }

    /// (σi)^m without its factor i where m is odd.
    static constexpr double sign(Index m) noexcept {
        const double sigma = quarter_turns == 1 ? 1.0 : -1.0;
        return (m % 2 == 0 ? 1.0 : sigma) * (m / 2 % 2 == 0 ? 1.0 : -1.0);
    }

    /// cos and sin of 2π m/R for 0 ≤ m ≤ R/2.
    struct Table {
        std::array<double, 4> cos;
        std::array<double, 4> sin;
    };
    static constexpr Table table =
        R == 3   ? Table{{1.0, -0.5}, {0.0, 0.86602540378443864676}}
        : R == 5 ? Table{{1.0, 0.30901699437494742410, -0.80901699437494742410},
                         {0.0, 0.95105651629515357212, 0.58778525229247312917}}
                 : Table{{1.0, 0.62348980185873353053, -0.22252093395631440429, -0.90096886790241912624},
                         {0.0, 0.78183148246802980871, 0.97492791218182360702, 0.43388373911755812048}};

    static constexpr double cosine(Index m) noexcept {
        const Index r = m % R;
        return table.cos[static_cast<std::size_t>(r <= R / 2 ? r : R - r)];
    }
    static constexpr double sine(Index m) noexcept {
        const Index r = m % R;
        return r <= R / 2 ? table.sin[static_cast<std::size_t>(r)]
                          : -table.sin[static_cast<std::size_t>(R - r)];
    }
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
