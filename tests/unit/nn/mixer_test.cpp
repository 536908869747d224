// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/nn.hpp>

namespace toeplitz::test::mixer_test {
namespace {

/// A mixer whose parameters cannot be visited.
struct NotVisited : PlainMixer<double> {
    struct Parameters {};
    Parameters make_parameters(std::uint64_t /*seed*/) const { return {}; }
    void forward(const Parameters&, MatrixView<const double>, const Sequences&, MatrixView<double>, Cache&,
                 Workspace&) const {}
    void backward(const Parameters&, MatrixView<const double>, const Cache&, MatrixView<const double>,
                  MatrixView<double>, Parameters&, Workspace&) const {}
    Prepared prepare(const Parameters&, Index) const;
};

TEST(TokenMixerTest, NeedsParametersThatCanBeVisited) {
    EXPECT_TRUE(TokenMixer<PlainMixer<double>>);
    EXPECT_FALSE(TokenMixer<NotVisited>);
    EXPECT_FALSE(TokenMixer<Glu<double>>);
}

}  // namespace
}  // namespace toeplitz::test::mixer_test
