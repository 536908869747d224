// SPDX-License-Identifier: MIT
// Operators that a user wrote meet the library's generic code; what they compute is known from Dense.

#include <gtest/gtest.h>

#include <support/gradient_check.hpp>
#include <support/own_operators.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/operators/dense.hpp>
#include <toeplitz/operators/fft.hpp>
#include <toeplitz/operators/spectral.hpp>
#include <toeplitz/operators/sum.hpp>

namespace toeplitz::test {
namespace {

using M = Matrix<double>;

constexpr Index n = 90;
constexpr Index d = 5;

template <class Own>
class OwnOperatorTest : public testing::Test {
protected:
    OwnOperatorTest() : own(n, d), factors(random_matrix<double>(1, d, 1)) {
        Workspace ws;
        own.set_kernel({factors}, ws);
    }

    /// The own operator's T: its factors on one diagonal.
    Dense<double> as_dense(const M& factor) const {
        M lags = M::Zero(2 * n - 1, d);
        lags.row(n - 1 + (std::is_same_v<Own, Shift<double>> ? 1 : 0)) = factor.row(0);
        return Dense<double>({.length = n, .channels = d}, lags);
    }

    /// Sums with an operator of the library, on either side, against the parts.
    template <class Op>
    void expect_sums(const Op& op) {
        const Dense<double> dense = as_dense(factors);
        for (const Lengths lengths : {Lengths{}, Lengths{some}}) {
            M expected(2 * n, d);
            M adjoint(2 * n, d);
            op.apply(x, expected, ws, lengths);
            dense.accumulate(x, expected, ws, lengths);
            op.apply_adjoint(x, adjoint, ws, lengths);
            dense.accumulate_adjoint(x, adjoint, ws, lengths);
            expect_products(op + own, expected, adjoint, lengths);
            expect_products(own + op, expected, adjoint, lengths);
        }
    }

    template <class S>
    void expect_products(const S& sum, const M& expected, const M& adjoint, Lengths lengths) {
        const double tolerance = 1e-12 * expected.norm();
        M y(2 * n, d);
        sum.apply(x, y, ws, lengths);
        EXPECT_LE((y - expected).norm(), tolerance);
        sum.accumulate(x, y, ws, lengths);
        EXPECT_LE((y - 2 * expected).norm(), tolerance);
        sum.transpose().apply(x, y, ws, lengths);
        EXPECT_LE((y - adjoint).norm(), tolerance);
        transpose(sum).accumulate(x, y, ws, lengths);
        EXPECT_LE((y - 2 * adjoint).norm(), tolerance);

        // Training: forward, dx, and the own kernel's gradient from the definition.
        typename S::Cache cache;
        sum.forward(x, y, cache, ws, lengths);
        EXPECT_LE((y - expected).norm(), tolerance);
        Workspace::Scope scope(ws);
        const typename S::KernelValues dkernel = sum.take_kernel(scope);
        set_kernel_zero(dkernel);
        M dx(2 * n, d);
        sum.backward(x, cache, x, dx, dkernel, ws, lengths);
        EXPECT_LE((dx - adjoint).norm(), tolerance);
        M dlags = M::Zero(2 * n - 1, d);
        as_dense(factors).accumulate_kernel_gradient(x, x, dlags, ws, lengths);
        const M own_gradient = dlags.row(n - 1 + (std::is_same_v<Own, Shift<double>> ? 1 : 0));
        EXPECT_LE((own_values(dkernel) - own_gradient).norm(), 1e-12 * x.squaredNorm());
    }

    /// The own operator's part of a sum's kernel values.
    template <class A, class B>
    static M own_values(const std::pair<A, B>& values) {
        if constexpr (std::is_same_v<A, typename Own::KernelValues> &&
                      !std::is_same_v<B, typename Own::KernelValues>) {
            return own_values(values.first);
        } else if constexpr (std::is_same_v<B, typename Own::KernelValues> &&
                             !std::is_same_v<A, typename Own::KernelValues>) {
            return own_values(values.second);
        } else if constexpr (requires { values.first.rows(); }) {
            return values.first.rows() == 1 ? M(values.first.eigen()) : M(values.second.eigen());
        } else {
            return M();
        }
    }
    static M own_values(MatrixView<double> values) { return values.eigen(); }
    static M own_values(const typename Shift<double>::KernelValues& values) { return values.factors.eigen(); }

    Own own;
    M factors;
    M x = random_matrix<double>(2 * n, d, 2);
    std::vector<Index> some = {n, 31};
    Workspace ws;
};

using Owns = testing::Types<Diagonal<double>, Shift<double>>;
TYPED_TEST_SUITE(OwnOperatorTest, Owns);

TYPED_TEST(OwnOperatorTest, IsTheDenseMatrix) {
    const Dense<double> dense = this->as_dense(this->factors);
    Matrix<double> y(2 * n, d);
    Workspace ws;
    for (const Lengths lengths : {Lengths{}, Lengths{this->some}}) {
        Matrix<double> expected(2 * n, d);
        dense.apply(this->x, expected, ws, lengths);
        this->own.apply(this->x, y, ws, lengths);
        EXPECT_LE((y - expected).norm(), 1e-14 * expected.norm());
        dense.apply_adjoint(this->x, expected, ws, lengths);
        transpose(this->own).apply(this->x, y, ws, lengths);
        EXPECT_LE((y - expected).norm(), 1e-14 * expected.norm());
    }
}

TYPED_TEST(OwnOperatorTest, AddsToEveryOperatorOfTheLibrary) {
    constexpr auto causal = Causality::causal;
    const auto lags = random_matrix<double>(2 * n - 1, d, 3);
    this->expect_sums(Dense<double>({.length = n, .channels = d}, lags));
    this->expect_sums(Fft<double>({.length = n, .channels = d}, lags));
    this->expect_sums(Fft<double, causal>({.length = n, .channels = d}, lags.topRows(n)));
    const Band<double> band({.length = n, .channels = d, .taps = 5}, lags.topRows(5));
    const Ski<double> ski({.length = n, .channels = d, .rank = 10}, lags.topRows(19));
    this->expect_sums(band);
    this->expect_sums(ski);
    const Index frequencies = default_frequency_grid(n) / 2 + 1;
    this->expect_sums(CausalSpectral<double>({.length = n, .channels = d}, lags.topRows(frequencies)));
    Matrix<std::complex<double>> response(frequencies, d);
    response.real() = lags.topRows(frequencies);
    response.imag() = lags.bottomRows(frequencies);
    this->expect_sums(BidirectionalSpectral<double>({.length = n, .channels = d}, response));
}

TYPED_TEST(OwnOperatorTest, AddsToAFusedSum) {
    const auto lags = random_matrix<double>(2 * n - 1, d, 3);
    const auto fused = Band<double>({.length = n, .channels = d, .taps = 5}, lags.topRows(5)) +
                       Ski<double>({.length = n, .channels = d, .rank = 10}, lags.topRows(19));
    const auto sum = fused + this->own;
    Matrix<double> y(2 * n, d);
    Matrix<double> expected(2 * n, d);
    Workspace ws;
    sum.apply(this->x, y, ws);
    fused.apply(this->x, expected, ws);
    this->as_dense(this->factors).accumulate(this->x, expected, ws);
    EXPECT_LE((y - expected).norm(), 1e-13 * expected.norm());
}

}  // namespace
}  // namespace toeplitz::test
