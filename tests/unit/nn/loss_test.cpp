// SPDX-License-Identifier: MIT
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/gradient_check.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/threads.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/nn/loss.hpp>

namespace toeplitz::test::loss_test {
namespace {

template <class Scalar>
class CrossEntropyTest : public testing::Test {};
template <class Scalar>
class SquaredErrorTest : public testing::Test {};
TYPED_TEST_SUITE(CrossEntropyTest, Scalars, );
TYPED_TEST_SUITE(SquaredErrorTest, Scalars, );

struct Reference {
    long double sum = 0;
    Matrix<long double> gradient;
};

/// Σⱼ −qⱼ log softmax(z)ⱼ as it is written.
template <class Scalar>
Reference reference(const Matrix<Scalar>& logits, const std::vector<Token>& targets,
                    const CrossEntropyOptions& options) {
    Reference result;
    result.gradient.setZero(logits.rows(), logits.cols());
    for (Index i = 0; i < logits.rows(); ++i) {
        const Token target = targets[static_cast<std::size_t>(i)];
        if (target == options.ignore_index) continue;
        const Matrix<long double> z = logits.row(i).template cast<long double>();
        const long double top = z.maxCoeff();
        long double sum = 0;
        for (Index j = 0; j < z.cols(); ++j) sum += std::exp(z(j) - top);
        for (Index j = 0; j < z.cols(); ++j) {
            const long double q = static_cast<long double>(options.label_smoothing) / z.cols() +
                                  (j == target ? 1 - static_cast<long double>(options.label_smoothing) : 0);
            result.sum -= q * (z(j) - top - std::log(sum));
            result.gradient(i, j) = std::exp(z(j) - top) / sum - q;
        }
    }
    return result;
}

std::vector<Token> some_targets(Index rows, Index classes, const CrossEntropyOptions& options) {
    std::vector<Token> targets;
    const CounterRandom random(7);
    for (Index i = 0; i < rows; ++i) {
        const auto target = random.bits(static_cast<std::uint64_t>(i)) % static_cast<std::uint64_t>(classes);
        targets.push_back(i % 5 == 3 ? options.ignore_index : static_cast<Token>(target));
    }
    return targets;
}

TYPED_TEST(CrossEntropyTest, AgreesWithTheDefinition) {
    using Scalar = TypeParam;
    Workspace ws;
    for (const Index classes : {1, 2, 3, 17, 256, 1001}) {
        for (const double smoothing : {0.0, 0.1, 1.0}) {
            for (const double size : {0.1, 30.0}) {
                SCOPED_TRACE(testing::Message() << classes << " classes, smoothing " << smoothing);
                const CrossEntropyOptions options{.label_smoothing = smoothing};
                const Matrix<Scalar> logits =
                    static_cast<Scalar>(size) * random_matrix<Scalar>(9, classes, 1);
                const std::vector<Token> targets = some_targets(9, classes, options);
                Matrix<Scalar> dlogits = Matrix<Scalar>::Constant(9, classes, 7);
                const CrossEntropyLoss loss = cross_entropy(logits, targets, dlogits, ws, options);
                const Reference expected = reference(logits, targets, options);
                EXPECT_EQ(loss.count, 7);
                EXPECT_EQ(loss.mean(), loss.sum / 7);
                // z − max is rounded to the size of the logits, which exp turns into a relative error; sums
                // of V terms in lanes and blocks of 256.
                const long double u = unit<Scalar>;
                const long double relative = (16 + 8 * static_cast<long double>(size)) * u;
                EXPECT_TRUE(near(loss.sum, expected.sum, 7 * 4 * relative));
                EXPECT_TRUE(near_all(dlogits, expected.gradient, 2 * relative));
                for (const Index ignored : {3, 8}) EXPECT_TRUE(dlogits.row(ignored).isZero(0));

                const CrossEntropyLoss same = cross_entropy(logits, targets, ws, options);
                EXPECT_EQ(same.sum, loss.sum);
                EXPECT_EQ(same.count, loss.count);
                EXPECT_EQ(same.correct, loss.correct);
            }
        }
    }
}

TEST(CrossEntropyReferenceTest, AgreesWithPyTorch) {
    Matrix<double> logits(3, 4);
    logits << 0.5, -1.25, 2.0, 0.125, 3.0, 1.0, -2.0, 0.75, -0.5, 0.25, 1.5, -4.0;
    const std::vector<Token> targets{2, -100, 0};
    Workspace ws;
    Matrix<double> dlogits(3, 4);
    Matrix<double> expected(3, 4);
    const long double tolerance = 16 * unit<double>;

    EXPECT_TRUE(near(cross_entropy(logits, targets, dlogits, ws).sum, 2.702134814214883, 2 * tolerance));
    expected << 0.15766026385263707, 0.02739724577511041, -0.2934157186650209, 0.10835820903727332,  //
        0.0, 0.0, 0.0, 0.0,                                                                          //
        -0.9050896032353273, 0.20092531152752766, 0.7012982460659326, 0.0028660456418671985;
    EXPECT_TRUE(near_all(dlogits, expected, tolerance));

    const CrossEntropyOptions options{.label_smoothing = 0.1};
    EXPECT_TRUE(
        near(cross_entropy(logits, targets, dlogits, ws, options).sum, 2.8865098142148833, 2 * tolerance));
    expected << 0.13266026385263707, 0.002397245775110409, -0.21841571866502096, 0.08335820903727331,  //
        0.0, 0.0, 0.0, 0.0,                                                                            //
        -0.8300896032353273, 0.17592531152752766, 0.6762982460659326, -0.022133954358132802;
    EXPECT_TRUE(near_all(dlogits, expected, tolerance));
}

TEST(CrossEntropyReferenceTest, GradientAgreesWithDifferences) {
    Workspace ws;
    for (const double smoothing : {0.0, 0.2}) {
        const CrossEntropyOptions options{.ignore_index = 1, .label_smoothing = smoothing};
        Matrix<double> logits = 3 * random_matrix<double>(5, 6, 3);
        const std::vector<Token> targets{0, 5, 1, 2, 2};
        Matrix<double> dlogits(5, 6);
        cross_entropy(logits, targets, dlogits, ws, options);
        expect_gradient(logits, dlogits, "logits",
                        [&] { return cross_entropy(logits, targets, ws, options).sum; });
    }
}

TYPED_TEST(CrossEntropyTest, MayWriteOverTheLogits) {
    using Scalar = TypeParam;
    Matrix<Scalar> logits = random_matrix<Scalar>(6, 300, 1);
    const std::vector<Token> targets{0, 299, 1, 2, -100, 5};
    Matrix<Scalar> dlogits(6, 300);
    Workspace ws;
    const double sum = cross_entropy(logits, targets, dlogits, ws).sum;
    EXPECT_EQ(cross_entropy(logits, targets, logits, ws).sum, sum);
    EXPECT_TRUE(same_bits(logits, dlogits));
}

// The scalar is that of the logits, whatever holds them.
TYPED_TEST(CrossEntropyTest, TakesMatricesMapsBlocksAndViews) {
    using Scalar = TypeParam;
    Matrix<Scalar> logits = random_matrix<Scalar>(2, 5, 1);
    const std::vector<Token> targets{3, 0};
    Matrix<Scalar> expected(2, 5);
    Workspace ws;
    const double sum = cross_entropy(logits, targets, expected, ws).sum;
    const auto same = [&](const auto& from, auto&& to) {
        to.setConstant(7);
        EXPECT_EQ(cross_entropy(from, targets, to, ws).sum, sum);
        EXPECT_EQ(cross_entropy(from, targets, ws).sum, sum);
        EXPECT_TRUE(same_bits(Matrix<Scalar>(to), expected));
        to.setConstant(7);
        EXPECT_EQ(cross_entropy(from, targets, MatrixView<Scalar>(to), ws).sum, sum);
        EXPECT_TRUE(same_bits(Matrix<Scalar>(to), expected));
    };
    Matrix<Scalar> to(4, 9);
    same(logits, to.block(1, 2, 2, 5));
    same(logits.leftCols(5), Eigen::Map<Matrix<Scalar>>(to.data(), 2, 5));
    same(Eigen::Map<const Matrix<Scalar>>(logits.data(), 2, 5), Matrix<Scalar>(2, 5));
    same(MatrixView<const Scalar>(logits), to.topLeftCorner(2, 5));
    same(MatrixView<Scalar>(logits), to.topLeftCorner(2, 5));
}

TYPED_TEST(CrossEntropyTest, HasTheSameBitsForAnyNumberOfThreadsAndAnyAddress) {
    using Scalar = TypeParam;
    const Matrix<Scalar> logits = random_matrix<Scalar>(301, 263, 1);
    const std::vector<Token> targets = some_targets(301, 263, {});
    Workspace ws;
    Matrix<Scalar> one(301, 263);
    Matrix<Scalar> two(301, 263);
    double sums[2] = {};
    with_threads(1, [&] { sums[0] = cross_entropy(logits, targets, one, ws).sum; });
    with_threads(2, [&] { sums[1] = cross_entropy(logits, targets, two, ws).sum; });
    EXPECT_EQ(sums[0], sums[1]);
    EXPECT_TRUE(same_bits(one, two));

    Matrix<Scalar> wide = Matrix<Scalar>::Zero(301, 270);
    wide.middleCols(3, 263) = logits;
    auto inside = wide.middleCols(3, 263);
    EXPECT_EQ(cross_entropy(inside, targets, inside, ws).sum, sums[0]);
    EXPECT_TRUE(same_bits(inside, one));
    EXPECT_TRUE(wide.leftCols(3).isZero(0) && wide.rightCols(4).isZero(0));
}

TYPED_TEST(CrossEntropyTest, HugeLogitsDoNotOverflow) {
    using Scalar = TypeParam;
    const Scalar huge = std::numeric_limits<Scalar>::max() / 2;
    Matrix<Scalar> logits(2, 3);
    logits << huge, huge, -huge, -huge, Scalar(-huge), huge;
    const std::vector<Token> targets{0, 2};
    Matrix<Scalar> dlogits(2, 3);
    Workspace ws;
    EXPECT_TRUE(near(cross_entropy(logits, targets, dlogits, ws).sum, std::log(2.0L), 4 * unit<Scalar>));
    Matrix<Scalar> expected(2, 3);
    expected << Scalar(-0.5), Scalar(0.5), 0, 0, 0, 0;
    EXPECT_TRUE(near_all(dlogits, expected, 4 * unit<Scalar>));
}

TYPED_TEST(CrossEntropyTest, AForbiddenClassHasNoProbability) {
    using Scalar = TypeParam;
    Matrix<Scalar> logits(1, 3);
    logits << 1, -std::numeric_limits<Scalar>::infinity(), 1;
    Workspace ws;
    Matrix<Scalar> dlogits(1, 3);
    EXPECT_TRUE(near(cross_entropy(logits, std::vector<Token>{0}, dlogits, ws).sum, std::log(2.0L),
                     4 * unit<Scalar>));
    EXPECT_TRUE(near(dlogits(0, 1), 0, static_cast<long double>(std::numeric_limits<Scalar>::min()) * 2));
    EXPECT_EQ(cross_entropy(logits, std::vector<Token>{1}, ws).sum, std::numeric_limits<double>::infinity());
}

TYPED_TEST(CrossEntropyTest, NanAndInfinityReachTheSum) {
    using Scalar = TypeParam;
    Workspace ws;
    for (const Index classes : {3, 40}) {
        for (Index where = 0; where < classes; ++where) {
            for (const Scalar bad :
                 {std::numeric_limits<Scalar>::quiet_NaN(), std::numeric_limits<Scalar>::infinity()}) {
                Matrix<Scalar> logits = random_matrix<Scalar>(2, classes, 1);
                logits(1, where) = bad;
                Matrix<Scalar> dlogits(2, classes);
                EXPECT_TRUE(std::isnan(cross_entropy(logits, std::vector<Token>{0, 1}, dlogits, ws).sum));
                EXPECT_TRUE(std::isnan(dlogits(1, 1)));
                EXPECT_TRUE(dlogits.row(0).allFinite());
                EXPECT_TRUE(
                    std::isfinite(cross_entropy(logits, std::vector<Token>{0, -100}, dlogits, ws).sum));
            }
        }
    }
}

TYPED_TEST(CrossEntropyTest, CountsTheFirstLargestLogitAsTheAnswer) {
    using Scalar = TypeParam;
    Matrix<Scalar> logits(4, 3);
    logits << 1, 2, 2, 1, 2, 2, 0, 0, 0, 3, 2, 1;
    Workspace ws;
    const CrossEntropyLoss loss = cross_entropy(logits, std::vector<Token>{1, 2, 0, -100}, ws);
    EXPECT_EQ(loss.correct, 2);
    EXPECT_EQ(loss.count, 3);
    EXPECT_EQ(loss.accuracy(), 2.0 / 3);
}

TYPED_TEST(CrossEntropyTest, NoRowsHaveNoLoss) {
    using Scalar = TypeParam;
    Workspace ws;
    const Matrix<Scalar> none(0, 4);
    EXPECT_EQ(cross_entropy(none, std::vector<Token>{}, ws).count, 0);
    const Matrix<Scalar> logits = random_matrix<Scalar>(2, 4, 1);
    const CrossEntropyLoss loss = cross_entropy(logits, std::vector<Token>{-100, -100}, ws);
    EXPECT_EQ(loss.sum, 0);
    EXPECT_EQ(loss.count, 0);
}

TEST(CrossEntropyErrorTest, NamesRowAndValue) {
    Workspace ws;
    Matrix<double> logits = random_matrix<double>(3, 4, 1);
    Matrix<double> dlogits = Matrix<double>::Zero(3, 4);
    for (const Token bad : {4, -1, std::numeric_limits<Token>::max(), std::numeric_limits<Token>::min()}) {
        const std::vector<Token> targets{0, 3, bad};
        expect_error<value_error>(752,
                                  "[toeplitz.value.752] cross_entropy: expected the target of row 2 in 0..3 "
                                  "or -100 (ignored), got " +
                                      std::to_string(bad),
                                  [&] { cross_entropy(logits, targets, dlogits, ws); });
    }
    EXPECT_TRUE(dlogits.isZero(0));
    const std::vector<Token> two{0, 1};
    expect_error<shape_error>(
        750,
        "[toeplitz.shape.750] cross_entropy: expected logits of 2 rows, as targets, and "
        "at least one class, got 3×4",
        [&] { cross_entropy(logits, two, ws); });
    const std::vector<Token> three{0, 1, 2};
    Matrix<double> narrow(3, 3);
    expect_error<shape_error>(751,
                              "[toeplitz.shape.751] cross_entropy: expected dlogits of shape 3×4, got 3×3",
                              [&] { cross_entropy(logits, three, narrow, ws); });
    ColumnMatrix<double> column = logits;
    expect_error<shape_error>(750,
                              "[toeplitz.shape.750] cross_entropy: expected logits stored row by row, "
                              "channels side by side, as toeplitz::Matrix is, "
                              "got channels 3 numbers apart",
                              [&] { cross_entropy(column, three, ws); });
    expect_error<config_error>(
        753, "[toeplitz.config.753] cross_entropy: expected label_smoothing in [0, 1], got 1.500000",
        [&] { cross_entropy(logits, three, ws, {.label_smoothing = 1.5}); });
}

TYPED_TEST(SquaredErrorTest, AgreesWithTheDefinition) {
    using Scalar = TypeParam;
    Workspace ws;
    const Matrix<Scalar> y = random_matrix<Scalar>(700, 67, 1);
    const Matrix<Scalar> target = random_matrix<Scalar>(700, 67, 2);
    Matrix<Scalar> dy(700, 67);
    const ElementLoss loss = squared_error(y, target, dy, ws);
    const Matrix<long double> difference =
        y.template cast<long double>() - target.template cast<long double>();
    EXPECT_EQ(loss.count, 700 * 67);
    EXPECT_TRUE(near(loss.sum, difference.squaredNorm(),
                     difference.squaredNorm() * 8 * std::sqrt(700 * 67.0L) * unit<double>));
    EXPECT_EQ(loss.mean(), loss.sum / (700 * 67));
    EXPECT_TRUE(near_all(dy, (2 * difference).eval(), 16 * unit<Scalar>));
    EXPECT_EQ(squared_error(y, target, ws).sum, loss.sum);

    Matrix<Scalar> over = y;
    ElementLoss again;
    with_threads(2, [&] { again = squared_error(over, target, over, ws); });
    EXPECT_EQ(again.sum, loss.sum);
    EXPECT_TRUE(same_bits(over, dy));
}

TYPED_TEST(CrossEntropyTest, NoRowsAreNoLoss) {
    using Scalar = TypeParam;
    Workspace ws;
    Matrix<Scalar> logits(0, 7);
    for (const CrossEntropyLoss& loss :
         {cross_entropy(logits, {}, ws), cross_entropy(logits, {}, logits, ws)}) {
        EXPECT_EQ(loss.sum, 0);
        EXPECT_EQ(loss.count, 0);
        EXPECT_EQ(loss.correct, 0);
    }
}

TYPED_TEST(SquaredErrorTest, NoRowsAreNoLoss) {
    using Scalar = TypeParam;
    Workspace ws;
    Matrix<Scalar> y(0, 7);
    for (const ElementLoss& loss : {squared_error(y, y, ws), squared_error(y, y, y, ws)}) {
        EXPECT_EQ(loss.sum, 0);
        EXPECT_EQ(loss.count, 0);
    }
}

TEST(SquaredErrorReferenceTest, AgreesWithPyTorchAndDifferences) {
    Workspace ws;
    Matrix<double> y(2, 2);
    y << 0.5, -1.25, 3.0, 1.0;
    Matrix<double> target(2, 2);
    target << 1.0, 2.0, 0.25, -3.0;
    Matrix<double> dy(2, 2);
    EXPECT_TRUE(near(squared_error(y, target, dy, ws).mean(), 8.59375, 8 * unit<double>));
    expect_gradient(y, dy, "y", [&] { return squared_error(y, target, ws).sum; });
    const Matrix<double> wide(2, 3);
    expect_error<shape_error>(754,
                              "[toeplitz.shape.754] squared_error: expected target of shape 2×2, got 2×3",
                              [&] { squared_error(y, wide, ws); });
    y(0, 1) = std::nan("");
    EXPECT_TRUE(std::isnan(squared_error(y, target, ws).sum));
}

/// Each loss of elements with its gradient, as a function of one error or logit and one target.
struct ElementCase {
    const char* name;
    ElementLoss (*with_gradient)(const Matrix<double>&, const Matrix<double>&, Matrix<double>&, Workspace&,
                                 const RowWeights&);
    ElementLoss (*alone)(const Matrix<double>&, const Matrix<double>&, Workspace&, const RowWeights&);
    long double (*expected)(long double y, long double target);
};

const HuberOptions narrow_huber{.delta = 0.3};

long double log_sigmoid(long double z) {
    return z < 0 ? z - std::log1p(std::exp(z)) : -std::log1p(std::exp(-z));
}

const ElementCase element_cases[] = {
    {"squared",
     [](const auto& y, const auto& t, auto& dy, Workspace& ws, const RowWeights& w) {
         return squared_error(y, t, dy, ws, w);
     },
     [](const auto& y, const auto& t, Workspace& ws, const RowWeights& w) {
         return squared_error(y, t, ws, w);
     },
     [](long double y, long double t) { return (y - t) * (y - t); }},
    {"absolute",
     [](const auto& y, const auto& t, auto& dy, Workspace& ws, const RowWeights& w) {
         return absolute_error(y, t, dy, ws, w);
     },
     [](const auto& y, const auto& t, Workspace& ws, const RowWeights& w) {
         return absolute_error(y, t, ws, w);
     },
     [](long double y, long double t) { return std::abs(y - t); }},
    {"Huber's",
     [](const auto& y, const auto& t, auto& dy, Workspace& ws, const RowWeights& w) {
         return huber_error(y, t, dy, ws, narrow_huber, w);
     },
     [](const auto& y, const auto& t, Workspace& ws, const RowWeights& w) {
         return huber_error(y, t, ws, narrow_huber, w);
     },
     [](long double y, long double t) {
         const auto delta = static_cast<long double>(narrow_huber.delta);
         const long double e = std::abs(y - t);
         return e <= delta ? e * e / 2 : delta * (e - delta / 2);
     }},
    {"binary cross entropy",
     [](const auto& y, const auto& t, auto& dy, Workspace& ws, const RowWeights& w) {
         return binary_cross_entropy(y, t, dy, ws, {}, w);
     },
     [](const auto& y, const auto& t, Workspace& ws, const RowWeights& w) {
         return binary_cross_entropy(y, t, ws, {}, w);
     },
     [](long double z, long double t) { return -t * log_sigmoid(z) - (1 - t) * log_sigmoid(-z); }},
};

/// Targets in (0, 1), and predictions that lie apart from them and from δ.
struct ElementData {
    Matrix<double> target = ((2 * random_matrix<double>(12, 270, 2)).array().tanh() / 2 + 0.5).matrix();
    Matrix<double> y = 2 * random_matrix<double>(12, 270, 1);
};

long double expected_sum(const ElementCase& one, const ElementData& data,
                         const std::vector<double>& weights) {
    long double sum = 0;
    for (Index i = 0; i < data.y.rows(); ++i) {
        for (Index j = 0; j < data.y.cols() && weights[static_cast<std::size_t>(i)] != 0; ++j) {
            sum += static_cast<long double>(weights[static_cast<std::size_t>(i)]) *
                   one.expected(data.y(i, j), data.target(i, j));
        }
    }
    return sum;
}

TEST(ElementLossTest, CountsRowsAsOftenAsTheirWeightsSay) {
    const std::vector<double> weights{1, 0, 2.5, 1, 1, 0, 0.25, 1, 3, 1, 1, 0};
    Workspace ws;
    for (const ElementCase& one : element_cases) {
        SCOPED_TRACE(one.name);
        ElementData data;
        data.y.row(1).setConstant(std::nan(""));  // whose weight is 0
        data.target.row(5).setConstant(std::nan(""));
        Matrix<double> dy = Matrix<double>::Constant(12, 270, 7);
        const ElementLoss loss = one.with_gradient(data.y, data.target, dy, ws, weights);
        const long double expected = expected_sum(one, data, weights);
        // elements to a few u each, and sums of 256 in double
        EXPECT_TRUE(near(loss.sum, expected, expected * 64 * unit<double>));
        EXPECT_EQ(loss.count, 11.75 * 270);
        EXPECT_EQ(loss.mean(), loss.sum / loss.count);
        for (const Index row : {1, 5, 11}) EXPECT_TRUE(dy.row(row).isZero(0)) << row;
        EXPECT_EQ(one.alone(data.y, data.target, ws, weights).sum, loss.sum);
    }
}

TEST(ElementLossTest, HasTheGradientOfItsSum) {
    const std::vector<double> weights{1, 0, 2.5};
    Workspace ws;
    for (const ElementCase& one : element_cases) {
        SCOPED_TRACE(one.name);
        ElementData data;
        data.y.conservativeResize(3, 4);
        data.target.conservativeResize(3, 4);
        Matrix<double> dy(3, 4);
        one.with_gradient(data.y, data.target, dy, ws, weights);
        expect_gradient(data.y, dy, one.name,
                        [&] { return one.alone(data.y, data.target, ws, weights).sum; });
    }
}

TEST(ElementLossTest, PaddingDoesNotCount) {
    const std::vector<Index> lengths{3, 0, 4};
    const std::vector<double> same{1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1};
    std::vector<double> weights(12, 0.5);
    Workspace ws;
    for (const ElementCase& one : element_cases) {
        SCOPED_TRACE(one.name);
        ElementData data;
        data.y.row(3).setConstant(std::nan(""));
        Matrix<double> dy(12, 270);
        const ElementLoss loss = one.with_gradient(data.y, data.target, dy, ws, lengths);
        EXPECT_EQ(loss.count, 7 * 270);
        const long double expected = expected_sum(one, data, same);
        EXPECT_TRUE(near(loss.sum, expected, expected * 64 * unit<double>));
        EXPECT_TRUE(dy.middleRows(3, 5).isZero(0));
        EXPECT_EQ(one.alone(data.y, data.target, ws, Sequences(4, lengths)).sum, loss.sum);
        EXPECT_EQ(one.alone(data.y, data.target, ws, same).sum, loss.sum);
        EXPECT_EQ(one.alone(data.y, data.target, ws, {lengths, weights}).sum, loss.sum / 2);
    }
}

TEST(ElementLossTest, MayWriteOverThePredictionAndHasTheSameBitsForAnyNumberOfThreads) {
    Workspace ws;
    for (const ElementCase& one : element_cases) {
        SCOPED_TRACE(one.name);
        ElementData data;
        Matrix<double> dy(12, 270);
        double sums[2] = {};
        with_threads(1, [&] { sums[0] = one.with_gradient(data.y, data.target, dy, ws, {}).sum; });
        with_threads(2, [&] { sums[1] = one.with_gradient(data.y, data.target, data.y, ws, {}).sum; });
        EXPECT_EQ(sums[0], sums[1]);
        EXPECT_TRUE(same_bits(dy, data.y));
    }
}

TEST(ElementLossTest, AnErrorOfZeroHasNoSlope) {
    Workspace ws;
    const Matrix<float> y = random_matrix<float>(2, 3, 1);
    Matrix<float> dy = y;
    EXPECT_EQ(absolute_error(y, y, dy, ws).sum, 0);
    EXPECT_TRUE(dy.isZero(0));
}

// PyTorch's binary_cross_entropy_with_logits(z, t, pos_weight=p, reduction='sum') is this formula.
TEST(BinaryCrossEntropyTest, PositiveWeightsAreThoseOfTheColumns) {
    Workspace ws;
    Matrix<double> z = 3 * random_matrix<double>(5, 3, 1);
    Matrix<double> target(5, 3);
    target << 0, 1, 0.25, 1, 1, 0, 0, 0, 1, 0.5, 0, 1, 1, 0, 0;
    BinaryCrossEntropyOptions options;
    options.positive_weights = Vector<double>{{0.5, 3, 0}};
    Matrix<double> dz(5, 3);
    const ElementLoss loss = binary_cross_entropy(z, target, dz, ws, options);
    long double expected = 0;
    for (Index i = 0; i < 5; ++i) {
        for (Index j = 0; j < 3; ++j) {
            const long double t = target(i, j);
            expected -= static_cast<long double>(options.positive_weights(j)) * t * log_sigmoid(z(i, j)) +
                        (1 - t) * log_sigmoid(-z(i, j));
        }
    }
    EXPECT_TRUE(near(loss.sum, expected, expected * 64 * unit<double>));
    EXPECT_EQ(loss.count, 15);
    expect_gradient(z, dz, "z", [&] { return binary_cross_entropy(z, target, ws, options).sum; });
}

TEST(BinaryCrossEntropyTest, HugeLogitsDoNotOverflow) {
    Workspace ws;
    const float huge = std::numeric_limits<float>::max() / 4;
    Matrix<float> z(1, 4);
    z << huge, -huge, huge, -huge;
    Matrix<float> target(1, 4);
    target << 1, 0, 0, 1;
    Matrix<float> dz(1, 4);
    EXPECT_EQ(binary_cross_entropy(z, target, dz, ws).sum, 2 * static_cast<double>(huge));
    Matrix<float> expected(1, 4);
    expected << 0, 0, 1, -1;
    EXPECT_EQ(dz, expected);
}

TEST(CrossEntropyWeightsTest, ClassAndRowWeightsMultiplyLossCountAndGradient) {
    Workspace ws;
    const Matrix<double> logits = random_matrix<double>(4, 3, 1);
    const std::vector<Token> targets{2, 0, 1, 2};
    CrossEntropyOptions options;
    options.class_weights = Vector<double>{{0.5, 0, 4}};
    const std::vector<double> rows{1, 3, 1, 0};
    Matrix<double> gradient(4, 3);
    const CrossEntropyLoss loss = cross_entropy(logits, targets, gradient, ws, options, rows);
    EXPECT_EQ(loss.count, 4 + 1.5);  // class 1 and row 3 count nothing
    EXPECT_EQ(loss.rows, 2);
    Matrix<double> plain(4, 3);
    double sum = 0;
    for (const auto& [row, weight] : {std::pair<Index, double>{0, 4.0}, {1, 1.5}, {2, 0.0}, {3, 0.0}}) {
        const std::vector<Token> one{targets[static_cast<std::size_t>(row)]};
        sum += weight * cross_entropy(logits.row(row), one, plain.row(row), ws).sum;
        EXPECT_TRUE(near_all(gradient.row(row), weight * plain.row(row), 4 * unit<double>)) << row;
    }
    EXPECT_TRUE(near(loss.sum, sum, 16 * unit<double>));
}

TEST(CrossEntropyWeightsTest, PaddingMayHoldAnything) {
    Workspace ws;
    Matrix<float> logits = random_matrix<float>(6, 5, 1);
    logits.row(2).setConstant(std::nanf(""));
    const std::vector<Token> targets{1, 2, 77, 0, 4, -5};
    const std::vector<Index> lengths{2, 2};
    Matrix<float> gradient(6, 5);
    CrossEntropyLoss loss = cross_entropy(logits, targets, gradient, ws, {}, lengths);
    EXPECT_EQ(loss.count, 4);
    EXPECT_TRUE(std::isfinite(loss.sum));
    EXPECT_TRUE(gradient.row(2).isZero(0) && gradient.row(5).isZero(0));
    const CrossEntropyLoss part = loss;
    loss += part;
    EXPECT_EQ(loss.count, 8);
    EXPECT_EQ(loss.mean(), part.mean());
    EXPECT_EQ(loss.accuracy(), part.accuracy());
}

TEST(LossErrorTest, NamesWhatIsWrong) {
    Workspace ws;
    const Matrix<double> y = random_matrix<double>(4, 2, 1);
    const Matrix<double> target = Matrix<double>::Constant(4, 2, 0.5);
    const std::vector<Token> classes(4, 0);
    expect_error<shape_error>(755,
                              "[toeplitz.shape.755] squared_error: expected 4 weights, one per row, got 3",
                              [&] { squared_error(y, target, ws, std::vector<double>(3, 1)); });
    expect_error<value_error>(
        756, "[toeplitz.value.756] absolute_error: expected the weight of row 1 finite and >= 0, got -1",
        [&] {
            absolute_error(y, target, ws, std::vector<double>{1, -1, 1, 1});
        });
    expect_error<shape_error>(211, "[toeplitz.shape.211] squared_error: expected lengths of 0..2, got 3",
                              [&] {
                                  squared_error(y, target, ws, std::vector<Index>{3, 1});
                              });
    expect_error<config_error>(
        757, "[toeplitz.config.757] cross_entropy: expected 2 class weights, one per class, got 1",
        [&] { cross_entropy(y, classes, ws, {.class_weights = Vector<double>{{1}}}); });
    expect_error<config_error>(
        757, "[toeplitz.config.757] cross_entropy: expected the weight of class 1 finite and >= 0, got -2",
        [&] {
            cross_entropy(y, classes, ws, {.class_weights = Vector<double>{{1, -2}}});
        });
    expect_error<config_error>(
        757, "[toeplitz.config.757] binary_cross_entropy: expected 2 positive weights, one per column, got 3",
        [&] {
            binary_cross_entropy(y, target, ws, {.positive_weights = Vector<double>{{1, 1, 1}}});
        });
    expect_error<config_error>(758, "[toeplitz.config.758] huber_error: expected a finite delta > 0, got 0",
                               [&] { huber_error(y, target, ws, {.delta = 0}); });
    expect_error<value_error>(
        759,
        "[toeplitz.value.759] binary_cross_entropy: expected the target of row 2, column 1 in [0, 1], got 2",
        [&] {
            Matrix<double> wrong = target;
            wrong(2, 1) = 2;
            binary_cross_entropy(y, wrong, ws);
        });
    expect_error<shape_error>(754, "[toeplitz.shape.754] huber_error: expected dy of shape 4×2, got 4×1",
                              [&] {
                                  Matrix<double> wrong(4, 1);
                                  huber_error(y, target, wrong, ws);
                              });
}

}  // namespace
}  // namespace toeplitz::test::loss_test
