// SPDX-License-Identifier: MIT
// What every operator promises, against its definition in long double.

#include <gtest/gtest.h>

#include <support/any_operator.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/core/simd.hpp>

namespace toeplitz::test {
namespace {

template <class S>
class OperatorContract : public testing::Test {
protected:
    using M = Matrix<S>;

    static constexpr Index lanes = static_cast<Index>(buffer_alignment / sizeof(S));
    static constexpr S nan = std::numeric_limits<S>::quiet_NaN();

    /// Small, odd, prime, and on both sides of the length up to which Fft multiplies directly.
    static std::vector<Spec> lengths_of(Kind kind) {
        std::vector<Spec> specs;
        for (const Index n : {1, 2, 3, 4, 7, 16, 31, 64, 65, 97, 130}) {
            specs.push_back({.kind = kind, .length = n, .channels = 3});
        }
        return specs;
    }

    /// Around whole vectors and whole cache lines of channels.
    static std::vector<Spec> widths_of(Kind kind) {
        std::vector<Spec> specs;
        for (const Index d :
             {Index{1}, Simd<S>::lanes - 1, Simd<S>::lanes + 1, lanes - 1, lanes, lanes + 1, 2 * lanes + 3}) {
            for (const Index n : {11, 70}) specs.push_back({.kind = kind, .length = n, .channels = d});
        }
        return specs;
    }

    template <class F>
    static void for_all_shapes(F&& f) {
        for (const Kind kind : all_kinds) {
            std::vector<Spec> specs = lengths_of(kind);
            for (const Spec& spec : widths_of(kind)) specs.push_back(spec);
            for_specs(specs, f);
        }
    }

    /// One shape that is multiplied directly and one that is transformed, of each kind.
    template <class F>
    static void for_two_shapes(F&& f) {
        for (const Kind kind : all_kinds) {
            for_specs({{.kind = kind, .length = 13, .channels = lanes + 3},
                       {.kind = kind, .length = 203, .channels = 2, .rank = 70}},
                      f);
        }
    }

    template <class F>
    static void for_specs(const std::vector<Spec>& specs, F&& f) {
        for (const Spec& spec : specs) {
            SCOPED_TRACE(text(spec));
            const auto model = make_operator<S>(spec);
            f(*model);
            if (testing::Test::HasFailure()) return;
        }
    }

    static M sequences(const AnyOperator<S>& model, Index batch, std::uint64_t seed) {
        return random_matrix<S>(batch * model.length(), model.channels(), seed);
    }

    static Reference expected(const AnyOperator<S>& model, Direction direction, const M& x,
                              const std::vector<Index>& lengths = {}) {
        return model.oracle().product(direction, model.kernel().template cast<long double>(),
                                      x.template cast<long double>(), lengths, unit<S>);
    }

    static Reference expected_gradient(const AnyOperator<S>& model, const M& x, const M& g,
                                       const std::vector<Index>& lengths = {}) {
        return model.oracle().gradient(x.template cast<long double>(), g.template cast<long double>(),
                                       lengths, unit<S>);
    }

    /// 0, n, 1 and something between, for five sequences.
    static std::vector<Index> some_lengths(Index n) { return {n / 2, 0, n, 1, (3 * n + 3) / 4}; }

    /// x with a NaN or an infinity in every position beyond a length.
    static M with_garbage(M x, Index n, const std::vector<Index>& lengths) {
        for (Index i = 0; i < x.rows(); ++i) {
            if (i % n < lengths[static_cast<std::size_t>(i / n)]) continue;
            for (Index c = 0; c < x.cols(); ++c) {
                x(i, c) = (i + c) % 2 == 0 ? nan : std::numeric_limits<S>::infinity();
            }
        }
        return x;
    }

    static constexpr std::array directions = {Direction::forward, Direction::adjoint};
    static constexpr std::array updates = {Update::assign, Update::add};
};

TYPED_TEST_SUITE(OperatorContract, Scalars);

TYPED_TEST(OperatorContract, ApplyIsTheProductByDefinition) {
    this->for_all_shapes([&](const auto& model) {
        const auto x = this->sequences(model, 1, 2);
        const Reference y = this->expected(model, Direction::forward, x);
        EXPECT_TRUE(near_each(model.apply(x), y.value, y.tolerance));
    });
}

TYPED_TEST(OperatorContract, ApplyAdjointIsTheTransposedProduct) {
    this->for_all_shapes([&](const auto& model) {
        const auto g = this->sequences(model, 1, 3);
        const Reference dx = this->expected(model, Direction::adjoint, g);
        EXPECT_TRUE(near_each(model.adjoint(g), dx.value, dx.tolerance));
    });
}

TYPED_TEST(OperatorContract, KernelGradientIsTheCorrelationByDefinition) {
    this->for_all_shapes([&](const auto& model) {
        const auto x = this->sequences(model, 1, 4);
        const auto g = this->sequences(model, 1, 5);
        const Reference dk = this->expected_gradient(model, x, g);
        EXPECT_TRUE(near_each(model.gradient(x, g), dk.value, dk.tolerance));
    });
}

TYPED_TEST(OperatorContract, ANanStaysInItsSequenceAndItsChannel) {
    this->for_two_shapes([&](const auto& model) {
        using S = TypeParam;
        const Index n = model.length();
        const Index c = model.channels() - 1;
        const auto x = this->sequences(model, 3, 6);
        const auto g = this->sequences(model, 3, 7);
        for (const S bad : {this->nan, std::numeric_limits<S>::infinity()}) {
            auto spoilt = x;
            spoilt(n + n / 2, c) = bad;
            for (const Direction direction : this->directions) {
                const auto y = model.product(direction, x);
                auto found = model.product(direction, spoilt);
                EXPECT_FALSE(found.block(n, c, n, 1).allFinite());
                found.block(n, c, n, 1) = y.block(n, c, n, 1);
                EXPECT_TRUE(same_bits(found, y));
            }
            const auto gradient = model.gradient(x, g);
            auto found = model.gradient(spoilt, g);
            EXPECT_FALSE(found.col(c).allFinite());
            found.col(c) = gradient.col(c);
            EXPECT_TRUE(same_bits(found, gradient));
        }
    });
}

TYPED_TEST(OperatorContract, BatchesAreStackedSequences) {
    this->for_two_shapes([&](const auto& model) {
        for (const Index batch : {2, 5}) {
            const auto x = this->sequences(model, batch, 6);
            const auto g = this->sequences(model, batch, 7);
            for (const Direction direction : this->directions) {
                const Reference y = this->expected(model, direction, x);
                EXPECT_TRUE(near_each(model.product(direction, x), y.value, y.tolerance));
            }
            const Reference dk = this->expected_gradient(model, x, g);
            EXPECT_TRUE(near_each(model.gradient(x, g), dk.value, dk.tolerance));
        }
    });
}

TYPED_TEST(OperatorContract, ApplyOverwritesWhateverTheOutputHolds) {
    using S = TypeParam;
    this->for_two_shapes([&](const auto& model) {
        const auto x = this->sequences(model, 2, 8);
        for (const Direction direction : this->directions) {
            Matrix<S> y = Matrix<S>::Constant(x.rows(), x.cols(), this->nan);
            Workspace ws;
            model.product(direction, Update::assign, x, y, ws);
            const Reference reference = this->expected(model, direction, x);
            EXPECT_TRUE(near_each(y, reference.value, reference.tolerance));
        }
    });
}

TYPED_TEST(OperatorContract, AccumulateAddsToTheOutput) {
    using S = TypeParam;
    this->for_two_shapes([&](const auto& model) {
        const auto x = this->sequences(model, 2, 9);
        const auto start = this->sequences(model, 2, 10);
        for (const Direction direction : this->directions) {
            Matrix<S> y = start;
            Workspace ws;
            model.product(direction, Update::add, x, y, ws);
            Reference reference = this->expected(model, direction, x);
            reference.value += start.template cast<long double>();
            // Each part of a sum adds to y, whose rounding is relative to what y holds by then.
            reference.tolerance += 4 * unit<S> * reference.value.cwiseAbs();
            EXPECT_TRUE(near_each(y, reference.value, reference.tolerance));
        }
    });
}

TYPED_TEST(OperatorContract, KernelGradientsAddUp) {
    this->for_two_shapes([&](const auto& model) {
        const auto x = this->sequences(model, 1, 11);
        const auto g = this->sequences(model, 1, 12);
        const auto sum = model.zero_gradient();
        Workspace ws;
        model.accumulate_gradient(x, g, *sum, ws);
        model.accumulate_gradient(g, x, *sum, ws);
        const Reference first = this->expected_gradient(model, x, g);
        const Reference second = this->expected_gradient(model, g, x);
        EXPECT_TRUE(
            near_each(sum->parameters(), first.value + second.value, first.tolerance + second.tolerance));
    });
}

// --- Lengths -----------------------------------------------------------------------------------------------

TYPED_TEST(OperatorContract, PositionsBeyondALengthNeitherInfluenceNorReceiveAnything) {
    using S = TypeParam;
    this->for_two_shapes([&](const auto& model) {
        const Index n = model.length();
        const std::vector<Index> lengths = this->some_lengths(n);
        const auto x = this->with_garbage(this->sequences(model, 5, 13), n, lengths);
        for (const Direction direction : this->directions) {
            Matrix<S> y = Matrix<S>::Constant(x.rows(), x.cols(), this->nan);
            Workspace ws;
            model.product(direction, Update::assign, x, y, ws, lengths);
            const Reference reference = this->expected(model, direction, x, lengths);
            EXPECT_TRUE(near_each(y, reference.value, reference.tolerance));
            for (Index i = 0; i < x.rows(); ++i) {
                if (i % n >= lengths[static_cast<std::size_t>(i / n)]) {
                    EXPECT_TRUE((y.row(i).array() == S(0)).all()) << "row " << i;
                }
            }
        }
    });
}

TYPED_TEST(OperatorContract, AccumulateLeavesTheOutputBeyondALength) {
    using S = TypeParam;
    this->for_two_shapes([&](const auto& model) {
        const Index n = model.length();
        const std::vector<Index> lengths = this->some_lengths(n);
        const auto x = this->with_garbage(this->sequences(model, 5, 14), n, lengths);
        const auto start = this->sequences(model, 5, 15);
        for (const Direction direction : this->directions) {
            Matrix<S> y = start;
            Workspace ws;
            model.product(direction, Update::add, x, y, ws, lengths);
            Reference reference = this->expected(model, direction, x, lengths);
            reference.value += start.template cast<long double>();
            reference.tolerance += 4 * unit<S> * reference.value.cwiseAbs();
            EXPECT_TRUE(near_each(y, reference.value, reference.tolerance));
            for (Index i = 0; i < x.rows(); ++i) {
                if (i % n >= lengths[static_cast<std::size_t>(i / n)]) {
                    EXPECT_TRUE(same_bits(y.row(i), start.row(i)));
                }
            }
        }
    });
}

TYPED_TEST(OperatorContract, KernelGradientIgnoresWhatLiesBeyondALength) {
    this->for_two_shapes([&](const auto& model) {
        const Index n = model.length();
        const std::vector<Index> lengths = this->some_lengths(n);
        const auto x = this->with_garbage(this->sequences(model, 5, 16), n, lengths);
        const auto g = this->with_garbage(this->sequences(model, 5, 17), n, lengths);
        const Reference dk = this->expected_gradient(model, x, g, lengths);
        EXPECT_TRUE(near_each(model.gradient(x, g, lengths), dk.value, dk.tolerance));
    });
}

TYPED_TEST(OperatorContract, PaddedEqualsUnpadded) {
    using S = TypeParam;
    // Kernels that do not depend on n: the short operator is the leading block of the long one.
    for (const Kind kind :
         {Kind::dense, Kind::dense_causal, Kind::band, Kind::band_causal, Kind::fft, Kind::fft_causal}) {
        for (const Index n : {20, 70, 150}) {
            const Index valid = 2 * n / 3;
            SCOPED_TRACE(text({.kind = kind, .length = n, .channels = 3}));
            const auto padded = make_operator<S>({.kind = kind, .length = n, .channels = 3});
            const auto unpadded = make_operator<S>({.kind = kind, .length = valid, .channels = 3});
            const Index rows = unpadded->kernel().rows();
            const bool centred = kind == Kind::dense || kind == Kind::fft;
            unpadded->set_kernel(padded->kernel().middleRows(centred ? n - valid : 0, rows));

            const Matrix<S> x = random_matrix<S>(n, 3, 18);
            const std::vector<Index> lengths = {valid};
            const Reference reference = this->expected(*padded, Direction::forward, x, lengths);
            const Matrix<S> short_x = x.topRows(valid);
            const Matrix<S> y = padded->apply(x, lengths).topRows(valid);
            EXPECT_TRUE(near_each(y, unpadded->apply(short_x), 2 * reference.tolerance.topRows(valid)));
            if (kind == Kind::band || kind == Kind::band_causal) {
                EXPECT_TRUE(same_bits(y, unpadded->apply(short_x)));
            }
        }
    }
}

TYPED_TEST(OperatorContract, FullLengthsAreNoLengths) {
    this->for_two_shapes([&](const auto& model) {
        const auto x = this->sequences(model, 2, 19);
        const std::vector<Index> full = {model.length(), model.length()};
        EXPECT_TRUE(same_bits(model.apply(x, full), model.apply(x)));
        EXPECT_TRUE(same_bits(model.gradient(x, x, full), model.gradient(x, x)));
    });
}

TYPED_TEST(OperatorContract, SequencesMayLieAnywhereAmongTheRows) {
    using S = TypeParam;
    this->for_two_shapes([&](const auto& model) {
        // Two sequences whose steps alternate, and a row between the pairs that belongs to neither.
        const Index n = model.length();
        const Index d = model.channels();
        const std::vector<Index> some = {n, n / 2};
        const Matrix<S> stacked_x = this->sequences(model, 2, 27);
        const Matrix<S> stacked_y = this->sequences(model, 2, 28);
        const auto spread = [&](const Matrix<S>& stacked, S between = 7) {
            Matrix<S> rows = Matrix<S>::Constant(3 * n - 1, d, between);
            for (Index b = 0; b < 2; ++b) {
                for (Index i = 0; i < n; ++i) rows.row(3 * i + b) = stacked.row(b * n + i);
            }
            return rows;
        };
        const Matrix<S> x = spread(stacked_x, this->nan);
        Workspace ws;
        for (const Lengths lengths : {Lengths{}, Lengths{some}}) {
            const Sequences anywhere = Sequences::strided(2, n, 3, 1, lengths);
            for (const Direction direction : {Direction::forward, Direction::adjoint}) {
                for (const Update update : {Update::assign, Update::add}) {
                    Matrix<S> expected = stacked_y;
                    model.product(direction, update, stacked_x, expected, ws, lengths);
                    Matrix<S> y = spread(stacked_y);
                    ColumnMatrix<S> y_columns = y;
                    model.product(direction, update, x, y, ws, anywhere);
                    EXPECT_TRUE(same_bits(y, spread(expected)));
                    model.product(direction, update, x, y_columns, ws, anywhere);
                    EXPECT_TRUE(same_bits(Matrix<S>(y_columns), spread(expected)));
                }
            }
            const auto expected = model.gradient(stacked_x, stacked_y, lengths);
            EXPECT_TRUE(same_bits(model.gradient(x, spread(stacked_y), anywhere), expected));
        }
    });
}

TYPED_TEST(OperatorContract, NoSequencesAreNothingToDo) {
    using S = TypeParam;
    this->for_two_shapes([&](const auto& model) {
        const Matrix<S> none(0, model.channels());
        EXPECT_EQ(model.apply(none).rows(), 0);
        EXPECT_EQ(model.adjoint(none).rows(), 0);
        EXPECT_TRUE(model.gradient(none, none).isZero(0));
    });
}

// --- Layouts -----------------------------------------------------------------------------------------------

TYPED_TEST(OperatorContract, AnyStridesGiveTheSameBits) {
    using S = TypeParam;
    using Column = ColumnMatrix<S>;
    this->for_two_shapes([&](const auto& model) {
        const Index d = model.channels();
        const auto x = this->sequences(model, 2, 20);
        const auto start = this->sequences(model, 2, 21);
        const Column x_column = x;
        Matrix<S> x_wide = Matrix<S>::Constant(x.rows() + 2, d + 5, this->nan);
        x_wide.block(1, 3, x.rows(), d) = x;
        for (const Direction direction : this->directions) {
            for (const Update update : this->updates) {
                Workspace ws;
                Matrix<S> y = start;
                model.product(direction, update, x, y, ws);

                Column y_column = start;
                model.product(direction, update, x_column, y_column, ws);
                EXPECT_TRUE(same_bits(y_column, y));

                Matrix<S> y_mixed = start;
                model.product(direction, update, x_column, y_mixed, ws);
                EXPECT_TRUE(same_bits(y_mixed, y));

                Matrix<S> y_wide = Matrix<S>::Constant(x.rows() + 1, d + 2, S(7));
                y_wide.block(1, 1, x.rows(), d) = start;
                model.product(direction, update, x_wide.block(1, 3, x.rows(), d),
                              y_wide.block(1, 1, x.rows(), d), ws);
                EXPECT_TRUE(same_bits(y_wide.block(1, 1, x.rows(), d), y));
                y_wide.block(1, 1, x.rows(), d).setConstant(S(7));
                EXPECT_TRUE((y_wide.array() == S(7)).all()) << "written outside the view";
            }
        }
        const auto gradient = model.zero_gradient();
        Workspace ws;
        model.accumulate_gradient(x_column, x_wide.block(1, 3, x.rows(), d), *gradient, ws);
        EXPECT_TRUE(same_bits(gradient->parameters(), model.gradient(x, x)));
    });
}

TYPED_TEST(OperatorContract, InterleavedColumnBlocksOfOneMatrixAreApart) {
    using S = TypeParam;
    this->for_two_shapes([&](const auto& model) {
        const Index d = model.channels();
        Matrix<S> both = random_matrix<S>(2 * model.length(), 2 * d, 22);
        const Matrix<S> x = both.leftCols(d);
        Workspace ws;
        model.product(Direction::forward, Update::assign, both.leftCols(d), both.rightCols(d), ws);
        EXPECT_TRUE(same_bits(both.leftCols(d), x));
        EXPECT_TRUE(same_bits(both.rightCols(d), model.apply(x)));
        model.product(Direction::adjoint, Update::assign, both.rightCols(d), both.leftCols(d), ws);
        EXPECT_TRUE(same_bits(both.leftCols(d), model.adjoint(both.rightCols(d).eval())));
    });
}

// --- Objects -----------------------------------------------------------------------------------------------

TYPED_TEST(OperatorContract, SetKernelReplacesTheWholeOperator) {
    using S = TypeParam;
    this->for_two_shapes([&](const auto& shared) {
        const auto model = shared.clone();
        const auto x = this->sequences(*model, 1, 23);
        const Matrix<S> first_kernel = model->kernel();
        const Matrix<S> first = model->apply(x);
        model->set_kernel(random_matrix<S>(first_kernel.rows(), first_kernel.cols(), 24));
        const Reference second = this->expected(*model, Direction::forward, x);
        EXPECT_TRUE(near_each(model->apply(x), second.value, second.tolerance));
        model->set_kernel(first_kernel);
        EXPECT_TRUE(same_bits(model->apply(x), first));
        EXPECT_TRUE(same_bits(model->adjoint(x), shared.adjoint(x)));
    });
}

TYPED_TEST(OperatorContract, CopiesShareNothing) {
    using S = TypeParam;
    this->for_two_shapes([&](const auto& original) {
        const auto x = this->sequences(original, 1, 25);
        const Matrix<S> y = original.apply(x);
        const auto copy = original.clone();
        EXPECT_TRUE(same_bits(copy->apply(x), y));
        copy->set_kernel(Matrix<S>::Zero(original.kernel().rows(), original.kernel().cols()));
        EXPECT_TRUE(near_all(copy->apply(x), Matrix<S>::Zero(x.rows(), x.cols()), 0));
        EXPECT_TRUE(same_bits(original.apply(x), y));
    });
}

TYPED_TEST(OperatorContract, RequiredWorkspaceIsEnough) {
    using S = TypeParam;
    using Column = ColumnMatrix<S>;
    this->for_two_shapes([&](const auto& model) {
        for (const Layout layout : {Layout::row_major, Layout::strided}) {
            for (const Index batch : {1, 3}) {
                Workspace ws(model.required_workspace(batch, layout));
                const std::size_t capacity = ws.capacity();
                const auto use = [&](auto&& x, auto&& y) {
                    for (const Direction direction : this->directions) {
                        for (const Update update : this->updates) model.product(direction, update, x, y, ws);
                    }
                    model.accumulate_gradient(x, x, *model.zero_gradient(), ws);
                };
                const auto x = this->sequences(model, batch, 26);
                if (layout == Layout::strided) {
                    const Column x_column = x;
                    Column y(x.rows(), x.cols());
                    use(x_column, y);
                } else {
                    Matrix<S> y(x.rows(), x.cols());
                    use(x, y);
                }
                EXPECT_EQ(ws.capacity(), capacity);
            }
        }
        EXPECT_GE(model.required_workspace(4), model.required_workspace(1));
        EXPECT_GE(model.required_workspace(1, Layout::strided),
                  model.required_workspace(1) +
                      static_cast<std::size_t>(model.length() * model.channels()) * sizeof(S));
    });
}

TYPED_TEST(OperatorContract, StateHoldsAtLeastTheKernel) {
    using S = TypeParam;
    this->for_two_shapes([&](const auto& model) {
        const auto bytes = static_cast<std::size_t>(model.kernel().size()) * sizeof(S);
        // A spectrum is kept as the lags that matter, about half of its grid.
        EXPECT_GE(model.state_bytes(), bytes / 2);
        EXPECT_LE(model.state_bytes(), 64 * bytes + (std::size_t{1} << 20));
    });
}

}  // namespace
}  // namespace toeplitz::test
