// SPDX-License-Identifier: MIT
// One allocation fails, whichever, while an operator is made or changed or a workspace grows: an exception
// says so, and then the same object works.

#include <memory>

#include <support/allocations.hpp>
#include <support/any_operator.hpp>
#include <support/random.hpp>

namespace toeplitz::test {
namespace {

TEST_F(Allocations, FailInOperators) {
    for (const Kind kind : all_kinds) {
        for (const Index n : {9, 150}) {
            const Spec spec{.kind = kind, .length = n, .channels = 3, .rank = 70};
            SCOPED_TRACE(text(spec));
            const Matrix<double> x = random_matrix<double>(3 * n, 3, 1);
            const auto right = make_operator<double>(spec);
            const Matrix<double> kernel = right->kernel();
            const auto make = [&] { return make_operator<double>(spec, 7); };
            const auto is_right = [&](const AnyOperator<double>& model) {
                return model.apply(x) == right->apply(x) && model.gradient(x, x) == right->gradient(x, x);
            };
            fail_each([&] { make(); }, [] {});
            fail_each_change(
                make, [&](AnyOperator<double>& model) { model.set_kernel(kernel); }, is_right);

            // The workspace has seen one sequence, and gets three.
            Matrix<double> y(3 * n, 3);
            const auto grow = [&](Workspace& ws) {
                right->product(Direction::adjoint, Update::assign, x, y, ws);
                right->accumulate_gradient(x, x, *right->zero_gradient(), ws);
            };
            const auto used = [&] {
                auto ws = std::make_unique<Workspace>();
                right->product(Direction::forward, Update::assign,
                               MatrixView<const double>(x).middle_rows(0, n),
                               MatrixView<double>(y).middle_rows(0, n), *ws);
                return ws;
            };
            fail_each_change(used, grow, [&](Workspace&) { return y == right->adjoint(x); });
        }
    }
}

}  // namespace
}  // namespace toeplitz::test
