// SPDX-License-Identifier: MIT
#include <vector>

#include <gtest/gtest.h>

#include <toeplitz/core/parameter.hpp>

namespace toeplitz::test {
namespace {

struct Leaf {
    Matrix<double> weight;
    Vector<double> bias;

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        f(ParameterName("weight"), sets.weight...);
        detail::visit_present(f, "bias", sets.bias...);
    }
};

struct Tree {
    Leaf first;
    std::vector<Leaf> layers;

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        Leaf::for_each(detail::under("first", f), sets.first...);
        for (std::size_t i = 0; i < std::min({sets.layers.size()...}); ++i) {
            auto layer = detail::under("layers", static_cast<Index>(i), f);
            Leaf::for_each(detail::under("0", layer), sets.layers[i]...);
        }
    }
};

static_assert(ParameterSet<Tree>);
static_assert(ParameterSet<const Tree>);
static_assert(!ParameterSet<int>);

Tree make_tree(double value) {
    const Leaf with_bias{Matrix<double>::Constant(2, 3, value), Vector<double>::Constant(2, 2 * value)};
    const Leaf without{Matrix<double>::Constant(1, 4, 3 * value), {}};
    return {with_bias, {with_bias, without}};
}

TEST(ParameterSetTest, VisitsNamesInAFixedOrderAndLeavesOutEmptyTensors) {
    const Tree tree = make_tree(1);
    std::vector<std::string> names;
    for_each_parameter([&](const std::string& name, const auto&) { names.push_back(name); }, tree);
    EXPECT_EQ(names, (std::vector<std::string>{"first.weight", "first.bias", "layers.0.0.weight",
                                               "layers.0.0.bias", "layers.1.0.weight"}));
}

TEST(ParameterSetTest, CountsAllNumbers) { EXPECT_EQ(parameter_count(make_tree(1)), 8 + 8 + 4); }

TEST(ParameterSetTest, VisitsSeveralSetsInLockstep) {
    Tree to = make_tree(1);
    const Tree from = make_tree(10);
    for_each_parameter([](const ParameterName&, auto& a, const auto& b) { a -= b; }, to, from);
    EXPECT_EQ(to.first.weight(1, 2), -9);
    EXPECT_EQ(to.first.bias(1), -18);
    EXPECT_EQ(to.layers[1].weight(0, 3), -27);
}

TEST(ParameterSetTest, ZerosKeepShapes) {
    Tree to = make_tree(1);
    const auto before = to.first.bias;
    const Tree zeros = zeros_like(to);
    EXPECT_EQ(parameter_count(zeros), parameter_count(to));
    EXPECT_TRUE(zeros.layers[0].weight.isZero(0));
    EXPECT_EQ(to.first.bias, before);
    set_zero(to);
    EXPECT_TRUE(to.layers[1].weight.isZero(0));
}

}  // namespace
}  // namespace toeplitz::test
