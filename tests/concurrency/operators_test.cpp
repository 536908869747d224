// SPDX-License-Identifier: MIT
// Const operators shared by threads, operators built at the same time, and the promise of the same bits for
// any number of threads. Run under the thread sanitizer as well.

#include <thread>

#include <gtest/gtest.h>

#include <support/any_operator.hpp>
#include <support/random.hpp>
#include <support/scalars.hpp>
#include <support/threads.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/core/parallel.hpp>

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace toeplitz::test {
namespace {

/// Everything that an operator computes.
template <class S>
struct Results {
    Matrix<S> forward;
    Matrix<S> adjoint;
    Matrix<S> gradient;

    bool operator==(const Results&) const = default;
};

template <class S>
Results<S> compute(const AnyOperator<S>& model, const Matrix<S>& x) {
    return {model.apply(x), model.adjoint(x), model.gradient(x, x.colwise().reverse().eval())};
}

template <class S>
class OperatorConcurrency : public testing::Test {};

TYPED_TEST_SUITE(OperatorConcurrency, Scalars);

TYPED_TEST(OperatorConcurrency, ThreadsShareAConstOperator) {
    using S = TypeParam;
    for (const Kind kind : all_kinds) {
        for (const auto& [n, d] : std::vector<std::pair<Index, Index>>{{20, 19}, {150, 19}, {150, 1}}) {
            const Spec spec{.kind = kind, .length = n, .channels = d, .rank = 70};
            SCOPED_TRACE(text(spec));
            const std::unique_ptr<const AnyOperator<S>> model = make_operator<S>(spec);
            const Matrix<S> x = random_matrix<S>(2 * n, d, 1);
            const Results<S> serial = compute(*model, x);
            std::array<bool, 4> same{};
            in_threads(4, [&](int thread) {
                bool all = true;
                for (int repeat = 0; repeat < 5; ++repeat) all = all && compute(*model, x) == serial;
                same[static_cast<std::size_t>(thread)] = all;
            });
            EXPECT_EQ(same, (std::array{true, true, true, true}));
        }
    }
}

TYPED_TEST(OperatorConcurrency, ThreadsMayShareAWorkspaceInTurn) {
    using S = TypeParam;
    Workspace ws;
    for (const Kind kind : all_kinds) {
        const auto model = make_operator<S>({.kind = kind, .length = 90, .channels = 3});
        const Matrix<S> x = random_matrix<S>(90, 3, 2);
        Matrix<S> y(90, 3);
        in_threads(1, [&](int) { model->product(Direction::forward, Update::assign, x, y, ws); });
        EXPECT_TRUE(same_bits(y, model->apply(x)));
    }
}

TYPED_TEST(OperatorConcurrency, OperatorsAreBuiltAtTheSameTime) {
    using S = TypeParam;
    // Sizes that nobody has planned yet, the same ones in all threads.
    std::vector<Spec> specs;
    for (const Kind kind : {Kind::fft, Kind::spectral_causal, Kind::spectral, Kind::band_plus_ski}) {
        for (const Index n : {103, 127, 167}) {
            specs.push_back({.kind = kind, .length = n, .channels = 2, .rank = 90});
        }
    }
    std::vector<std::vector<Results<S>>> results(4);
    in_threads(4, [&](int thread) {
        for (const Spec& spec : specs) {
            const auto model = make_operator<S>(spec);
            results[static_cast<std::size_t>(thread)].push_back(
                compute(*model, random_matrix<S>(spec.length, 2, 3)));
        }
    });
    for (const auto& result : results) EXPECT_TRUE(result == results[0]);
    for (std::size_t i = 0; i < specs.size(); ++i) {
        const auto model = make_operator<S>(specs[i]);
        EXPECT_TRUE(compute(*model, random_matrix<S>(specs[i].length, 2, 3)) == results[0][i])
            << text(specs[i]);
    }
}

#if defined(_OPENMP)
TYPED_TEST(OperatorConcurrency, ResultsDoNotDependOnTheNumberOfThreads) {
    using S = TypeParam;
    const int before = omp_get_max_threads();
    for (const Kind kind : all_kinds) {
        if (kind == Kind::dense || kind == Kind::dense_causal) continue;  // one thread
        const Spec spec{.kind = kind, .length = 600, .channels = 101, .rank = 200};
        SCOPED_TRACE(text(spec));
        const auto model = make_operator<S>(spec);
        const Matrix<S> x = random_matrix<S>(3 * spec.length, spec.channels, 4);
        const std::vector<Index> lengths = {600, 250, 1};
        omp_set_num_threads(1);
        const Results<S> serial = compute(*model, x);
        const Matrix<S> padded = model->apply(x, lengths);
        const std::size_t workspace = model->required_workspace(3);
        for (const int threads : {2, 3}) {
            omp_set_num_threads(threads);
            if (kind == Kind::ski) {
                // Its workspace belongs to chunks, whoever computes them; the work is an eighth of the
                // rest's.
                EXPECT_GT(detail::thread_count(threads, x.size() / 8), 1) << "too little work";
            } else {
                EXPECT_GT(model->required_workspace(3), workspace) << "too little work for a second thread";
            }
            EXPECT_TRUE(compute(*model, x) == serial) << threads << " threads";
            EXPECT_TRUE(same_bits(model->apply(x, lengths), padded)) << threads << " threads";
            // The kernel's spectrum is computed in parallel too.
            const auto rebuilt = make_operator<S>(spec);
            EXPECT_TRUE(same_bits(rebuilt->apply(x), serial.forward)) << threads << " threads";
        }
        omp_set_num_threads(before);
    }
}
#endif

}  // namespace
}  // namespace toeplitz::test
