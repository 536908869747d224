// SPDX-License-Identifier: MIT
// Products allocate nothing once their workspace is reserved, and setting up takes no more on the way than
// stays.

#include <support/allocations.hpp>

#include <support/any_operator.hpp>
#include <support/random.hpp>

#include <toeplitz/toeplitz.hpp>

namespace toeplitz::test {
namespace {

class OperatorAllocations : public Allocations {
protected:
    /// Every product and the kernel gradient, twice; the first round warms OpenMP's threads up.
    static void expect_none(const AnyOperator<float>& model, Index batch, Layout layout,
                            MatrixView<const float> x, MatrixView<float> y) {
        const auto gradient = model.zero_gradient();
        std::vector<Index> lengths(static_cast<std::size_t>(batch), model.length() / 2);
        Workspace ws;
        ws.reserve(model.required_workspace(batch, layout));
        const auto use = [&] {
            for (const Lengths valid : {Lengths(), Lengths(lengths)}) {
                for (const Direction direction : {Direction::forward, Direction::adjoint}) {
                    for (const Update update : {Update::assign, Update::add}) {
                        model.product(direction, update, x, y, ws, valid);
                    }
                }
                model.accumulate_gradient(x, y, *gradient, ws, valid);
            }
        };
        use();
        EXPECT_EQ(count(use), 0);
    }

    static std::vector<Spec> shapes(Kind kind) {
        std::vector<Spec> specs = {{.kind = kind, .length = 30, .channels = 5}};
        if (kind != Kind::dense && kind != Kind::dense_causal) {
            // Packs of several time steps.
            specs.push_back({.kind = kind, .length = 333, .channels = 3, .rank = 80});
            // Long and wide enough for several threads.
            specs.push_back({.kind = kind, .length = 400, .channels = 100, .rank = 180});
        }
        return specs;
    }
};

TEST_F(OperatorAllocations, NoneInProductsAndGradients) {
    for (const Kind kind : all_kinds) {
        for (const Spec& spec : shapes(kind)) {
            for (const Index batch : {1, 3}) {
                SCOPED_TRACE(text(spec));
                const auto model = make_operator<float>(spec);
                const Matrix<float> x = random_matrix<float>(batch * spec.length, spec.channels, 1);
                Matrix<float> y = x;
                expect_none(*model, batch, Layout::row_major, x, y);
            }
        }
    }
}

TEST_F(OperatorAllocations, NoneWithStridedArguments) {
    for (const Kind kind : all_kinds) {
        for (const Spec& spec : shapes(kind)) {
            SCOPED_TRACE(text(spec));
            const auto model = make_operator<float>(spec);
            const ColumnMatrix<float> x = random_matrix<float>(2 * spec.length, spec.channels, 1);
            ColumnMatrix<float> y = x;
            expect_none(*model, 2, Layout::strided, x, y);
        }
    }
}

TEST_F(OperatorAllocations, NoneInSetKernel) {
    const auto expect = [](auto op, Index rows) {
        using Element = typename decltype(op)::Kernel::Scalar;
        const Matrix<Element> kernel = Matrix<Element>::Ones(rows, op.channels());
        Workspace ws(op.kernel_workspace());
        const std::size_t bytes = ws.capacity();
        op.set_kernel(kernel, ws);  // the first parallel region makes threads
        EXPECT_EQ(ws.capacity(), bytes);
        EXPECT_EQ(count([&] { op.set_kernel(kernel, ws); }), 0);
    };
    const Index n = 500;
    const Index d = 40;
    const Matrix<float> taps = Matrix<float>::Ones(5, d);
    expect(Band<float>({.length = n, .channels = d, .taps = 5}, taps), 5);
    expect(Dense<float>({.length = 3, .channels = d}, taps), 5);
    expect(Fft<float>({.length = n, .channels = d}), 2 * n - 1);
    expect(Fft<float>({.length = 20, .channels = d}), 39);
    expect(Fft<float>({.length = n, .channels = 3}), 2 * n - 1);
    expect(CausalFilter<float>({.length = 4 * n, .channels = d, .taps = 80}), 80);
    expect(CausalFilter<float>({.length = 4 * n, .channels = 1, .taps = 80}), 80);
    expect(CausalFilter<float>({.length = n, .channels = d, .taps = 3}), 3);
    expect(Ski<float>({.length = n, .channels = d, .rank = 100}), 199);
    expect(CausalSpectral<float>({.length = n, .channels = d}), default_frequency_grid(n) / 2 + 1);
    expect(BidirectionalSpectral<float>({.length = n, .channels = d}), default_frequency_grid(n) / 2 + 1);
}

// Whatever is allocated to construct an operator and to set its kernel, no more is freed again than stays.
template <class Op>
void expect_setup_within_twice_of_what_stays(Index n, Index d) {
    using Element = typename Op::Kernel::Scalar;
    const Index rows = [&] {
        Workspace ws;
        Workspace::Scope scope(ws);
        return Op({.length = n, .channels = d}).take_kernel(scope).rows();
    }();
    const Matrix<Element> kernel = Matrix<Element>::Ones(rows, d);
    const long before = live_bytes();
    forget_peak_bytes();
    const Op op({.length = n, .channels = d}, kernel);
    const long held = live_bytes() - before;
    EXPECT_GE(held, static_cast<long>(op.state_bytes()));
    EXPECT_LE(peak_bytes() - before, 2 * held) << "n = " << n << ", d = " << d;
}

TEST_F(OperatorAllocations, SettingUpTakesNoMoreOnTheWayThanStays) {
    for (const auto& [n, d] : {std::pair<Index, Index>{300, 1},
                               {5000, 1},
                               {5000, 3},
                               {5000, 16},
                               {5000, 17},
                               {700, 200},
                               {100000, 1},
                               {81920, 2}}) {
        expect_setup_within_twice_of_what_stays<Fft<float>>(n, d);
        expect_setup_within_twice_of_what_stays<Fft<double, Causality::causal>>(n, d);
        expect_setup_within_twice_of_what_stays<CausalSpectral<float>>(n, d);
        expect_setup_within_twice_of_what_stays<BidirectionalSpectral<float>>(n, d);
        expect_setup_within_twice_of_what_stays<BidirectionalSpectral<double>>(n, d);
    }
}

}  // namespace
}  // namespace toeplitz::test
