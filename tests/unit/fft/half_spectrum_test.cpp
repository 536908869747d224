// SPDX-License-Identifier: MIT
#include <array>
#include <complex>
#include <numbers>
#include <vector>

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/fft/half_spectrum.hpp>

namespace toeplitz::test {
namespace {

constexpr long double pi = std::numbers::pi_v<long double>;
using LongComplex = std::complex<long double>;

// Those from 32 on that are twice a size of the tree take another way than the rest.
constexpr std::array grids = {1, 2, 3, 4, 5, 8, 9, 30, 31, 32, 48, 64, 97, 112, 160, 512};

template <class S>
class HalfSpectrumTest : public testing::Test {
protected:
    using Complex = std::complex<S>;

    static Matrix<Complex> random_complex(Index rows, Index cols, std::uint64_t seed) {
        Matrix<Complex> matrix(rows, cols);
        matrix.real() = random_matrix<S>(rows, cols, seed);
        matrix.imag() = random_matrix<S>(rows, cols, seed + 1000);
        return matrix;
    }

    static LongComplex at(const Matrix<S>& spectrum, Index k, Index c) {
        return static_cast<long double>(spectrum(k, c));
    }
    static LongComplex at(const Matrix<Complex>& spectrum, Index k, Index c) {
        return {static_cast<long double>(spectrum(k, c).real()),
                static_cast<long double>(spectrum(k, c).imag())};
    }

    static long double weight(Index k, Index grid) { return k == 0 || 2 * k == grid ? 1 : 2; }

    /// exp(2πi k t/N), from a table for the grid used last.
    static LongComplex phase(Index k, Index t, Index grid) {
        static std::vector<LongComplex> roots;
        if (static_cast<Index>(roots.size()) != grid) {
            roots.clear();
            for (Index i = 0; i < grid; ++i) {
                roots.push_back(
                    std::polar(1.0L, 2 * pi * static_cast<long double>(i) / static_cast<long double>(grid)));
            }
        }
        return roots[static_cast<std::size_t>(k * t % grid)];
    }

    /// irfft(spectrum, N)_t; imaginary parts at 0 and N/2 drop out.
    template <class Spectrum>
    static long double inverse(const Spectrum& spectrum, Index t, Index c, Index grid) {
        long double sum = 0;
        for (Index k = 0; k <= grid / 2; ++k) {
            sum += weight(k, grid) * (at(spectrum, k, c) * phase(k, t, grid)).real();
        }
        return sum / static_cast<long double>(grid);
    }

    static long double window(Index t, Index grid) { return 2 * t > grid ? 0 : weight(t, grid); }

    /// Rounding of one transform of N points, each entry being at most ‖·‖₂ or √N ‖·‖₂.
    static long double tolerance(Index grid, long double norm) {
        return 3 * transform_error(grid) * unit<S> * norm;
    }

    static long double norm_of(const Matrix<S>& m) { return norm(m); }
    static long double norm_of(const Matrix<Complex>& m) {
        return std::hypot(norm(m.real().eval()), norm(m.imag().eval()));
    }

    /// ⟨a, b⟩ = Re Σ conj(a) b.
    static long double dot(const auto& a, const auto& b) {
        long double sum = 0;
        for (Index i = 0; i < a.rows(); ++i) {
            for (Index c = 0; c < a.cols(); ++c) sum += (std::conj(at(a, i, c)) * at(b, i, c)).real();
        }
        return sum;
    }

    template <class Spectrum>
    static Matrix<S> lags_of(const HalfSpectrum<S>& transform, const Spectrum& spectrum, Causality causality,
                             Index positive, Index negative) {
        Matrix<S> lags(positive + negative + 1, spectrum.cols());
        Buffer<S> scratch(transform.scratch_size());
        transform.to_lags(MatrixView<const typename Spectrum::Scalar>(spectrum), causality, lags, negative,
                          scratch.data());
        return lags;
    }

    /// The spectrum of the causal lags that have the real part R.
    static Matrix<Complex> causal_spectrum(const Matrix<S>& real_part, Index grid) {
        const HalfSpectrum<S> transform(grid, real_part.cols());
        Matrix<Complex> spectrum(real_part.rows(), real_part.cols());
        Buffer<S> scratch(transform.scratch_size());
        transform.to_spectrum(lags_of(transform, real_part, Causality::causal, grid / 2, 0), spectrum,
                              scratch.data());
        return spectrum;
    }
};

TYPED_TEST_SUITE(HalfSpectrumTest, Scalars);

TYPED_TEST(HalfSpectrumTest, LagsOfAComplexSpectrumAreItsInverseTransform) {
    using S = TypeParam;
    for (const Index grid : grids)
        for (const Index channels : {HalfSpectrum<S>::lanes, Index{3}}) {
            SCOPED_TRACE(grid);
            const HalfSpectrum<S> transform(grid, channels);
            EXPECT_EQ(transform.grid(), grid);
            EXPECT_EQ(transform.frequencies(), grid / 2 + 1);
            const auto spectrum = this->random_complex(grid / 2 + 1, 3, 1);
            const Index positive = (grid - 1) / 2;
            const Index negative = grid - 1 - positive;
            const Matrix<S> lags =
                this->lags_of(transform, spectrum, Causality::bidirectional, positive, negative);
            for (Index t = -negative; t <= positive; ++t) {
                for (Index c = 0; c < 3; ++c) {
                    EXPECT_TRUE(near(lags(t + negative, c),
                                     this->inverse(spectrum, (t + grid) % grid, c, grid),
                                     this->tolerance(grid, this->norm_of(spectrum))));
                }
            }
        }
}

TYPED_TEST(HalfSpectrumTest, CausalLagsAreWindowedAndLagNHalfHasWeightOne) {
    using S = TypeParam;
    for (const Index grid : grids)
        for (const Index channels : {HalfSpectrum<S>::lanes, Index{1}}) {
            SCOPED_TRACE(grid);
            const HalfSpectrum<S> transform(grid, channels);
            const Matrix<S> spectrum = random_matrix<S>(grid / 2 + 1, channels, 2);
            const Matrix<S> lags = this->lags_of(transform, spectrum, Causality::causal, grid - 1, 0);
            const long double tolerance = this->tolerance(grid, norm(spectrum));
            for (Index t = 0; t < grid; ++t) {
                for (Index c = 0; c < spectrum.cols(); ++c) {
                    EXPECT_TRUE(near(lags(t, c), this->window(t, grid) * this->inverse(spectrum, t, c, grid),
                                     tolerance));
                }
            }
        }
}

TYPED_TEST(HalfSpectrumTest, FewChannelsAreThoseOfManyWhereverTheyLie) {
    using S = TypeParam;
    constexpr Index grid = 2048;  // where even 16 lanes hold the rows of one channel
    constexpr Index negative = grid / 2 - 1;
    const HalfSpectrum<S> many(grid);
    const auto spectrum = this->random_complex(grid / 2 + 1, HalfSpectrum<S>::lanes, 7);
    const Matrix<S> lags = this->lags_of(many, spectrum, Causality::bidirectional, grid / 2 - 1, negative);
    auto gradient = spectrum;
    Buffer<S> scratch(many.scratch_size());
    many.accumulate_spectrum(lags, negative, Causality::bidirectional, MatrixView<std::complex<S>>(gradient),
                             scratch.data());
    for (const Index channels : {1, 2, 3, 5, 7}) {
        const HalfSpectrum<S> few(grid, channels);
        for (const bool alone : {false, true}) {
            SCOPED_TRACE(testing::Message() << channels << (alone ? " alone" : " among others"));
            const Index stride = alone ? channels : channels + 2;
            Matrix<std::complex<S>> own(spectrum.rows(), stride);
            Matrix<S> own_lags = Matrix<S>::Constant(lags.rows(), stride, S(7));
            own.leftCols(channels) = spectrum.leftCols(channels);
            own.rightCols(stride - channels).setConstant(S(5));
            const auto view = MatrixView<std::complex<S>>(own).middle_cols(0, channels);
            const auto lags_view = MatrixView<S>(own_lags).middle_cols(0, channels);
            few.to_lags(MatrixView<const std::complex<S>>(view), Causality::bidirectional, lags_view,
                        negative, scratch.data());
            const long double tolerance = this->tolerance(grid, this->norm_of(spectrum));
            EXPECT_TRUE(near_all(own_lags.leftCols(channels), lags.leftCols(channels),
                                 static_cast<double>(tolerance)));
            EXPECT_TRUE((own_lags.rightCols(stride - channels).array() == S(7)).all());
            own_lags.leftCols(channels) = lags.leftCols(channels);
            few.accumulate_spectrum(lags_view, negative, Causality::bidirectional, view, scratch.data());
            EXPECT_TRUE(near_all(own.real().leftCols(channels), gradient.real().leftCols(channels),
                                 static_cast<double>(2 * tolerance)));
            EXPECT_TRUE(near_all(own.imag().leftCols(channels), gradient.imag().leftCols(channels),
                                 static_cast<double>(2 * tolerance)));
            EXPECT_TRUE((own.rightCols(stride - channels).array() == std::complex<S>(S(5))).all());
        }
    }
}

TYPED_TEST(HalfSpectrumTest, SpectrumOfLagsIsTheirTransform) {
    using S = TypeParam;
    for (const Index grid : grids) {
        SCOPED_TRACE(grid);
        const HalfSpectrum<S> transform(grid, 2);
        for (const Index positive : {grid / 2, grid - 1}) {
            const Matrix<S> lags = random_matrix<S>(positive + 1, 2, 3);
            Matrix<std::complex<S>> spectrum(grid / 2 + 1, 2);
            Buffer<S> scratch(transform.scratch_size());
            transform.to_spectrum(lags, spectrum, scratch.data());
            const long double tolerance =
                this->tolerance(grid, norm(lags) * std::sqrt(static_cast<long double>(grid)));
            for (Index k = 0; k <= grid / 2; ++k) {
                for (Index c = 0; c < 2; ++c) {
                    LongComplex expected = 0;
                    for (Index t = 0; t <= positive; ++t) {
                        expected += static_cast<long double>(lags(t, c)) * std::conj(this->phase(k, t, grid));
                    }
                    EXPECT_LE(std::abs(this->at(spectrum, k, c) - expected), tolerance);
                }
            }
        }
    }
}

TYPED_TEST(HalfSpectrumTest, AccumulateSpectrumIsTheAdjointOfToLags) {
    using S = TypeParam;
    for (const Index grid : grids)
        for (const Index channels : {Index{2}, HalfSpectrum<S>::lanes}) {
            SCOPED_TRACE(grid);
            const HalfSpectrum<S> transform(grid, channels);
            const Index positive = (grid - 1) / 2;
            Buffer<S> scratch(transform.scratch_size());
            const auto check = [&](const auto& spectrum, Causality causality, Index negative) {
                const Matrix<S> lags = this->lags_of(transform, spectrum, causality, positive, negative);
                const Matrix<S> dlags = random_matrix<S>(lags.rows(), lags.cols(), 4);
                auto dspectrum = spectrum;
                dspectrum.setZero();
                transform.accumulate_spectrum(dlags, negative, causality,
                                              MatrixView<typename decltype(dspectrum)::Scalar>(dspectrum),
                                              scratch.data());
                const long double tolerance =
                    this->tolerance(grid, this->norm_of(spectrum) * norm(dlags) * 2);
                EXPECT_TRUE(near(this->dot(dlags, lags), this->dot(dspectrum, spectrum), tolerance));
            };
            check(random_matrix<S>(grid / 2 + 1, 2, 5), Causality::causal, 0);
            check(this->random_complex(grid / 2 + 1, 2, 6), Causality::bidirectional, positive);
        }
}

// --- The discrete Hilbert transform ------------------------------------------------------------------------

TYPED_TEST(HalfSpectrumTest, CausalSpectrumKeepsItsRealPart) {
    using S = TypeParam;
    for (const Index grid : grids) {
        SCOPED_TRACE(grid);
        const Matrix<S> real_part = random_matrix<S>(grid / 2 + 1, HalfSpectrum<S>::lanes, 9);
        const auto spectrum = this->causal_spectrum(real_part, grid);
        EXPECT_TRUE(near_all(spectrum.real(), real_part, this->tolerance(grid, 4 * norm(real_part))));
    }
}

TYPED_TEST(HalfSpectrumTest, CausalSpectrumHasNoEnergyAtNegativeTimes) {
    using S = TypeParam;
    for (const Index grid : grids) {
        SCOPED_TRACE(grid);
        const Matrix<S> real_part = random_matrix<S>(grid / 2 + 1, 2, 10);
        const auto spectrum = this->causal_spectrum(real_part, grid);
        for (Index t = grid / 2 + 1; t < grid; ++t) {
            for (Index c = 0; c < 2; ++c) {
                EXPECT_TRUE(
                    near(this->inverse(spectrum, t, c, grid), 0, this->tolerance(grid, 4 * norm(real_part))));
            }
        }
        // Lag N/2 of an even grid is its own mirror image: counting it twice would add it to the real part.
        if (grid % 2 == 0) {
            EXPECT_TRUE(near(this->inverse(spectrum, grid / 2, 0, grid),
                             this->inverse(real_part, grid / 2, 0, grid),
                             this->tolerance(grid, 4 * norm(real_part))));
        }
    }
}

TYPED_TEST(HalfSpectrumTest, ImaginaryPartIsTheDiscreteHilbertTransform) {
    using S = TypeParam;
    for (const Index grid : grids) {
        SCOPED_TRACE(grid);
        const Matrix<S> real_part = random_matrix<S>(grid / 2 + 1, 1, 11);
        const auto spectrum = this->causal_spectrum(real_part, grid);
        const auto even = [&](Index l) {
            return static_cast<long double>(real_part(std::min(l, grid - l), 0));
        };
        for (Index k = 0; k <= grid / 2; ++k) {
            long double imaginary = 0;
            for (Index l = 0; l < grid; ++l) {
                if (l == k) continue;
                const long double angle =
                    pi * static_cast<long double>(k - l) / static_cast<long double>(grid);
                const long double sign = (k - l) % 2 == 0 ? 1 : -1;
                if (grid % 2 != 0) {
                    imaginary -= even(l) * (1 / std::tan(angle) - sign / std::sin(angle));
                } else if (sign < 0) {
                    imaginary -= 2 * even(l) / std::tan(angle);
                }
            }
            imaginary /= static_cast<long double>(grid);
            EXPECT_TRUE(near(spectrum(k, 0).imag(), imaginary, this->tolerance(grid, 4 * norm(real_part))))
                << "k = " << k;
        }
    }
}

TYPED_TEST(HalfSpectrumTest, RejectsGridsOfNoSize) {
    using S = TypeParam;
    expect_error<config_error>(201, "[toeplitz.config.201] HalfSpectrum: expected grid >= 1, got 0",
                               [] { HalfSpectrum<S>(0); });
    expect_error<config_error>(
        202, "[toeplitz.config.202] HalfSpectrum: expected a grid below 2^31, got 4294967296",
        [] { HalfSpectrum<S>(Index{1} << 32); });
}

}  // namespace
}  // namespace toeplitz::test
