// SPDX-License-Identifier: MIT
// What is true of every Toeplitz operator, whatever its kernel. These hold of wrong operators too
// (unit/operators compares with the definition), but say what is wrong in words.

#include <functional>

#include <gtest/gtest.h>

#include <support/any_operator.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/operators/exact_product.hpp>

namespace toeplitz::test {
namespace {

/// On both sides of the length up to which Fft multiplies directly.
constexpr std::array lengths = {1, 2, 5, 23, 64, 65, 101};
constexpr Index channels = 3;

template <class S>
class OperatorProperties : public testing::Test {
protected:
    using M = Matrix<S>;
    using Kinds = std::span<const Kind>;

    template <class F>
    static void for_kinds(Kinds kinds, F&& f) {
        for (const Kind kind : kinds) {
            for (const Index n : lengths) {
                const Spec spec{.kind = kind, .length = n, .channels = channels};
                SCOPED_TRACE(text(spec));
                const auto model = make_operator<S>(spec);
                f(*model);
                if (testing::Test::HasFailure()) return;
            }
        }
    }

    static M sequences(const AnyOperator<S>& model, std::uint64_t seed, Index batch = 1) {
        return random_matrix<S>(batch * model.length(), channels, seed);
    }

    /// How far T x may be from the exact product.
    static LongMatrix tolerance(const AnyOperator<S>& model, const M& x,
                                Direction direction = Direction::forward) {
        return model.oracle()
            .product(direction, model.kernel().template cast<long double>(), x.template cast<long double>(),
                     {}, unit<S>)
            .tolerance;
    }

    static long double dot(const M& a, const M& b) {
        return (a.template cast<long double>().array() * b.template cast<long double>().array()).sum();
    }

    /// How far ⟨a, b⟩ may be off when each entry of a is off by its tolerance.
    static long double dot_tolerance(const LongMatrix& a_tolerance, const M& b) {
        return (a_tolerance.array() * b.template cast<long double>().array().abs()).sum();
    }

    static M reversed(const M& x) { return x.colwise().reverse(); }

    /// Lag −(n−1)..n−1 of the operator, from its first and last impulse response.
    static M measured_lags(const AnyOperator<S>& model) {
        const Index n = model.length();
        M first = M::Zero(n, channels);
        M last = M::Zero(n, channels);
        first.row(0).setOnes();
        last.row(n - 1).setOnes();
        M lags(2 * n - 1, channels);
        lags.topRows(n) = model.apply(last);
        lags.bottomRows(n) = model.apply(first);
        return lags;
    }

    static std::unique_ptr<AnyOperator<S>> with_kernel(Spec spec, const M& kernel) {
        auto model = make_operator<S>(spec);
        model->set_kernel(kernel);
        return model;
    }
};

TYPED_TEST_SUITE(OperatorProperties, Scalars);

TYPED_TEST(OperatorProperties, ProductsAreLinear) {
    using S = TypeParam;
    this->for_kinds(all_kinds, [&](const auto& model) {
        const auto x = this->sequences(model, 1);
        const auto y = this->sequences(model, 2);
        const Matrix<S> combined = S(2) * x - S(3) * y;
        const Matrix<S> expected = S(2) * model.apply(x) - S(3) * model.apply(y);
        EXPECT_TRUE(near_each(model.apply(combined), expected,
                              this->tolerance(model, combined) + 4 * this->tolerance(model, x) +
                                  6 * this->tolerance(model, y)));
    });
}

TYPED_TEST(OperatorProperties, AdjointMovesAcrossTheInnerProduct) {
    this->for_kinds(all_kinds, [&](const auto& model) {
        const auto x = this->sequences(model, 1);
        const auto g = this->sequences(model, 2);
        EXPECT_TRUE(near(this->dot(model.apply(x), g), this->dot(x, model.adjoint(g)),
                         this->dot_tolerance(this->tolerance(model, x), g) +
                             this->dot_tolerance(this->tolerance(model, g, Direction::adjoint), x)));
    });
}

TYPED_TEST(OperatorProperties, AdjointIsTheProductOfReversedTime) {
    this->for_kinds(all_kinds, [&](const auto& model) {
        const auto x = this->sequences(model, 1);
        EXPECT_TRUE(near_each(model.adjoint(x), this->reversed(model.apply(this->reversed(x))),
                              2 * this->tolerance(model, x, Direction::adjoint)));
    });
}

TYPED_TEST(OperatorProperties, ShiftedInputsGiveShiftedOutputs) {
    using S = TypeParam;
    this->for_kinds(toeplitz_kinds, [&](const auto& model) {
        const Index n = model.length();
        for (const Index shift : {Index{1}, n / 2}) {
            if (shift >= n || shift == 0) continue;
            Matrix<S> x = this->sequences(model, 1);
            x.bottomRows(shift).setZero();
            Matrix<S> later = Matrix<S>::Zero(n, channels);
            later.bottomRows(n - shift) = x.topRows(n - shift);
            EXPECT_TRUE(near_each(model.apply(later).bottomRows(n - shift), model.apply(x).topRows(n - shift),
                                  2 * this->tolerance(model, x).topRows(n - shift)));
        }
    });
}

TYPED_TEST(OperatorProperties, FirstAndLastImpulseResponseDetermineTheOperator) {
    this->for_kinds(toeplitz_kinds, [&](const auto& model) {
        const auto lags = this->measured_lags(model);
        const auto dense =
            this->with_kernel({.kind = Kind::dense, .length = model.length(), .channels = channels}, lags);
        const auto x = this->sequences(model, 1);
        // Each measured lag is off by at most this, hence the product by at most Σ|x| times it.
        const auto ones = Matrix<TypeParam>::Ones(model.length(), channels).eval();
        const LongMatrix tolerance =
            this->tolerance(model, x) + this->tolerance(*dense, x) +
            this->tolerance(model, ones) * x.template cast<long double>().cwiseAbs().sum();
        EXPECT_TRUE(near_each(model.apply(x), dense->apply(x), tolerance));
    });
}

TYPED_TEST(OperatorProperties, TheFutureDoesNotReachThePast) {
    using S = TypeParam;
    this->for_kinds(causal_kinds, [&](const auto& model) {
        const Index n = model.length();
        for (const Index t : {Index{1}, n / 2, n - 1}) {
            if (t < 1 || t >= n) continue;
            const Matrix<S> x = this->sequences(model, 1);
            const Matrix<S> y = model.apply(x).topRows(t);
            Matrix<S> perturbed = x;
            perturbed.bottomRows(n - t) += S(1000) * random_matrix<S>(n - t, channels, 2);
            Matrix<S> zeroed = x;
            zeroed.bottomRows(n - t).setZero();
            // By definition nothing leaks; a transform leaks its rounding.
            const bool exact = n <= most_direct_lags;
            for (const Matrix<S>& other : {perturbed, zeroed}) {
                const Matrix<S> past = model.apply(other).topRows(t);
                for (Index c = 0; c < channels; ++c) {
                    const long double leak = exact ? 0
                                                   : 2 * unit<S> * norm(this->measured_lags(model).col(c)) *
                                                         (norm(x.col(c)) + norm(other.col(c)));
                    EXPECT_TRUE(near_all(past.col(c), y.col(c), leak));
                }
            }
        }
    });
}

TYPED_TEST(OperatorProperties, SequencesOfABatchDoNotMeet) {
    using S = TypeParam;
    this->for_kinds(all_kinds, [&](const auto& model) {
        const Index n = model.length();
        const Matrix<S> x = this->sequences(model, 1, 3);
        Matrix<S> permuted = x;
        permuted.topRows(2 * n) = x.bottomRows(2 * n);
        permuted.bottomRows(n) = x.topRows(n);
        const Matrix<S> y = model.apply(x);
        const Matrix<S> y_permuted = model.apply(permuted);
        for (Index b = 0; b < 3; ++b) {
            const Matrix<S> one = x.middleRows(b * n, n);
            EXPECT_TRUE(same_bits(y.middleRows(b * n, n), model.apply(one)));
            EXPECT_TRUE(same_bits(y_permuted.middleRows((b + 2) % 3 * n, n), model.apply(one)));
        }
    });
}

TYPED_TEST(OperatorProperties, CausalToeplitzOperatorsCommute) {
    this->for_kinds(causal_kinds, [&](const auto& a) {
        const Spec other{.kind = Kind::fft_causal, .length = a.length(), .channels = channels};
        const auto b = make_operator<TypeParam>(other, 9);
        const auto x = this->sequences(a, 1);
        const auto ax = a.apply(x);
        const auto bx = b->apply(x);
        // The first product's errors pass through the second operator.
        const LongMatrix carried =
            this->tolerance(a, x) * b->kernel().template cast<long double>().cwiseAbs().sum() +
            this->tolerance(*b, x) * this->measured_lags(a).template cast<long double>().cwiseAbs().sum();
        EXPECT_TRUE(
            near_each(a.apply(bx), b->apply(ax), this->tolerance(a, bx) + this->tolerance(*b, ax) + carried));
    });
}

TYPED_TEST(OperatorProperties, CompositionHasTheConvolvedKernel) {
    using S = TypeParam;
    for (const Index n : lengths) {
        const Spec spec{.kind = Kind::fft_causal, .length = n, .channels = channels};
        SCOPED_TRACE(text(spec));
        const auto a = make_operator<S>(spec, 1);
        const auto b = make_operator<S>(spec, 2);
        Matrix<S> convolved = Matrix<S>::Zero(n, channels);
        for (Index i = 0; i < n; ++i) {
            for (Index j = 0; j <= i; ++j) {
                convolved.row(i).array() += a->kernel().row(i - j).array() * b->kernel().row(j).array();
            }
        }
        const auto composed = this->with_kernel(spec, convolved);
        const auto x = this->sequences(*a, 3);
        const auto bx = b->apply(x);
        const long double kernel_error = transform_error(n) * unit<S> * norm(a->kernel()) * norm(b->kernel());
        const LongMatrix tolerance =
            this->tolerance(*a, bx) + this->tolerance(*composed, x) +
            this->tolerance(*b, x) * a->kernel().template cast<long double>().cwiseAbs().sum() +
            LongMatrix::Constant(n, channels, kernel_error * x.template cast<long double>().cwiseAbs().sum());
        EXPECT_TRUE(near_each(a->apply(bx), composed->apply(x), tolerance));
    }
}

TYPED_TEST(OperatorProperties, InterpolationIsExactFromRankNOn) {
    for (const Index n : lengths) {
        const auto fft = make_operator<TypeParam>({.kind = Kind::fft, .length = n, .channels = channels});
        const auto ski = this->with_kernel(
            {.kind = Kind::ski, .length = n, .channels = channels, .rank = n + 3}, fft->kernel());
        const auto x = this->sequences(*fft, 1);
        EXPECT_TRUE(same_bits(ski->apply(x), fft->apply(x))) << "n = " << n;
    }
}

TYPED_TEST(OperatorProperties, InterpolationIsExactOnAffineKernels) {
    using S = TypeParam;
    for (const Index n : lengths) {
        if (n < 2) continue;
        for (const Index rank : {Index{2}, (n + 2) / 2}) {
            const Spec spec{.kind = Kind::ski, .length = n, .channels = channels, .rank = rank};
            SCOPED_TRACE(text(spec));
            const auto affine = [](double t, Index c) { return static_cast<S>(2 - (0.5 + double(c)) * t); };
            Matrix<S> samples(2 * rank - 1, channels);
            Matrix<S> lags(2 * n - 1, channels);
            const double spacing = static_cast<double>(n - 1) / static_cast<double>(rank - 1);
            for (Index c = 0; c < channels; ++c) {
                for (Index i = 0; i < samples.rows(); ++i) {
                    samples(i, c) = affine(static_cast<double>(i - rank + 1) * spacing, c);
                }
                for (Index i = 0; i < lags.rows(); ++i)
                    lags(i, c) = affine(static_cast<double>(i - n + 1), c);
            }
            const auto ski = this->with_kernel(spec, samples);
            const auto exact =
                this->with_kernel({.kind = Kind::dense, .length = n, .channels = channels}, lags);
            const auto x = this->sequences(*ski, 1);
            EXPECT_TRUE(near_each(ski->apply(x), exact->apply(x),
                                  2 * this->tolerance(*ski, x) + this->tolerance(*exact, x)));
        }
    }
}

TYPED_TEST(OperatorProperties, InterpolationOfAConstantKernelSumsTheSequence) {
    using S = TypeParam;
    for (const Index n : lengths) {
        for (const Index rank : {Index{1}, (n + 2) / 3}) {
            const Spec spec{.kind = Kind::ski, .length = n, .channels = channels, .rank = rank};
            SCOPED_TRACE(text(spec));
            const auto ski = this->with_kernel(spec, Matrix<S>::Ones(2 * rank - 1, channels));
            const auto x = this->sequences(*ski, 1);
            const LongMatrix sums = x.template cast<long double>().colwise().sum().replicate(n, 1);
            EXPECT_TRUE(near_each(ski->apply(x), sums, this->tolerance(*ski, x)));
        }
    }
}

TYPED_TEST(OperatorProperties, BandIsAToeplitzOperatorThatIsZeroOutside) {
    using S = TypeParam;
    for (const Index n : lengths) {
        for (const Index taps : {1, 5, 31}) {
            const Spec spec{.kind = Kind::band, .length = n, .channels = channels, .taps = taps};
            SCOPED_TRACE(text(spec));
            const auto band = make_operator<S>(spec);
            Matrix<S> lags = Matrix<S>::Zero(2 * n - 1, channels);
            for (Index q = 0; q < taps; ++q) {
                const Index row = q - taps / 2 + n - 1;
                if (row >= 0 && row < 2 * n - 1) lags.row(row) = band->kernel().row(q);
            }
            const auto fft = this->with_kernel({.kind = Kind::fft, .length = n, .channels = channels}, lags);
            const auto x = this->sequences(*band, 1);
            EXPECT_TRUE(near_each(band->apply(x), fft->apply(x), 2 * this->tolerance(*fft, x)));
        }
    }
}

TYPED_TEST(OperatorProperties, DeltaKernelIsTheIdentity) {
    using S = TypeParam;
    for (const Kind kind :
         {Kind::dense, Kind::dense_causal, Kind::band, Kind::band_causal, Kind::fft, Kind::fft_causal}) {
        for (const Index n : lengths) {
            const Spec spec{.kind = kind, .length = n, .channels = channels};
            SCOPED_TRACE(text(spec));
            const auto model = make_operator<S>(spec);
            Matrix<S> delta = Matrix<S>::Zero(model->kernel().rows(), channels);
            const bool centred = kind == Kind::dense || kind == Kind::band || kind == Kind::fft;
            delta.row(centred ? delta.rows() / 2 : 0).setOnes();
            model->set_kernel(delta);
            const auto x = this->sequences(*model, 1);
            EXPECT_TRUE(near_each(model->apply(x), x, this->tolerance(*model, x)));
            EXPECT_TRUE(near_each(model->adjoint(x), x, this->tolerance(*model, x)));
        }
    }
}

TYPED_TEST(OperatorProperties, OperatorsAreLinearInTheirKernels) {
    using S = TypeParam;
    this->for_kinds(all_kinds, [&](const auto& a) {
        const auto b = a.clone();
        const auto sum = a.clone();
        b->set_kernel(random_matrix<S>(a.kernel().rows(), channels, 2));
        sum->set_kernel(a.kernel() - S(2) * b->kernel());
        const auto x = this->sequences(a, 3);
        const Matrix<S> expected = a.apply(x) - S(2) * b->apply(x);
        EXPECT_TRUE(
            near_each(sum->apply(x), expected,
                      this->tolerance(*sum, x) + 2 * this->tolerance(a, x) + 4 * this->tolerance(*b, x)));
    });
}

TYPED_TEST(OperatorProperties, CausalSpectralKernelsHaveTheRealPartTheyWereGiven) {
    using S = TypeParam;
    for (const Index n : lengths) {
        // The smallest grid: all of its lags that can be nonzero are lags of the operator.
        const Index grid = 2 * n - 1;
        const auto model = make_operator<S>(
            {.kind = Kind::spectral_causal, .length = n, .channels = channels, .grid = grid});
        const auto lags = this->measured_lags(*model);
        for (Index c = 0; c < channels; ++c) {
            for (Index k = 0; k < n; ++k) {
                long double real_part = 0;
                for (Index t = 0; t < n; ++t) {
                    real_part += static_cast<long double>(lags(t + n - 1, c)) *
                                 std::cos(2 * std::acos(-1.0L) * static_cast<long double>(k * t % grid) /
                                          static_cast<long double>(grid));
                }
                EXPECT_TRUE(near(static_cast<long double>(model->kernel()(k, c)), real_part,
                                 6 * transform_error(grid) * unit<S> * norm(model->kernel().col(c))));
            }
        }
    }
}

TYPED_TEST(OperatorProperties, TheLeadingBlockIsTheShorterOperator) {
    using S = TypeParam;
    for (const Index n : lengths) {
        SCOPED_TRACE(n);
        const Index longer = 2 * n;
        Matrix<S> x = Matrix<S>::Zero(longer, channels);
        x.topRows(n) = random_matrix<S>(n, channels, 1);
        const Matrix<S> short_x = x.topRows(n);
        const auto expect_same = [&](const auto& long_model, const auto& short_model) {
            EXPECT_TRUE(near_each(long_model.apply(x).topRows(n), short_model.apply(short_x),
                                  2 * this->tolerance(long_model, x).topRows(n)));
        };
        const auto fft = make_operator<S>({.kind = Kind::fft, .length = longer, .channels = channels});
        expect_same(*fft, *this->with_kernel({.kind = Kind::fft, .length = n, .channels = channels},
                                             fft->kernel().middleRows(n, 2 * n - 1)));

        // Interpolation nests where the spacing is a fixed integer h.
        const Index h = 3;
        const Index short_n = (n - 1) * h + 1;
        const Index long_n = (longer - 1) * h + 1;
        const auto ski =
            make_operator<S>({.kind = Kind::ski, .length = long_n, .channels = channels, .rank = longer});
        const auto short_ski =
            this->with_kernel({.kind = Kind::ski, .length = short_n, .channels = channels, .rank = n},
                              ski->kernel().middleRows(n, 2 * n - 1));
        Matrix<S> long_x = Matrix<S>::Zero(long_n, channels);
        long_x.topRows(short_n) = random_matrix<S>(short_n, channels, 2);
        const Matrix<S> block_x = long_x.topRows(short_n);
        EXPECT_TRUE(near_each(ski->apply(long_x).topRows(short_n), short_ski->apply(block_x),
                              2 * this->tolerance(*ski, long_x).topRows(short_n)));
    }
}

}  // namespace
}  // namespace toeplitz::test
