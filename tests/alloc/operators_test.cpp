// SPDX-License-Identifier: MIT
// Products allocate nothing once their workspace is reserved. The C library's allocation functions are
// replaced by ones that count; operator new and OpenMP's runtime end up in them as well.

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

#include <gtest/gtest.h>

#include <support/model.hpp>
#include <support/planning.hpp>
#include <support/random.hpp>
#include <support/sanitizers.hpp>

#include <toeplitz/toeplitz.hpp>

// Sanitizers replace these functions themselves, and other C libraries lack the names behind them.
#if defined(__GLIBC__) && !defined(TOEPLITZ_TEST_SANITIZED)
#define TOEPLITZ_TEST_COUNTS_ALLOCATIONS

namespace {
std::atomic<long> allocations{0};
}

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t size) {
    ++allocations;
    return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
    ++allocations;
    return __libc_calloc(count, size);
}
void* realloc(void* p, std::size_t size) {
    ++allocations;
    return __libc_realloc(p, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
    ++allocations;
    return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
    ++allocations;
    return __libc_memalign(alignment, size);
}
int posix_memalign(void** p, std::size_t alignment, std::size_t size) {
    ++allocations;
    *p = __libc_memalign(alignment, size);
    return *p == nullptr ? ENOMEM : 0;
}
}
#endif

namespace toeplitz::test {
namespace {

class Allocations : public testing::Test {
protected:
    void SetUp() override {
#if !defined(TOEPLITZ_TEST_COUNTS_ALLOCATIONS)
        GTEST_SKIP() << "allocations cannot be counted in this build";
#endif
    }

    template <class F>
    static long count(F&& f) {
#if defined(TOEPLITZ_TEST_COUNTS_ALLOCATIONS)
        const long before = allocations;
        f();
        return allocations - before;
#else
        f();
        return 0;
#endif
    }

    /// Every product and the kernel gradient, twice; the first round warms OpenMP's threads up.
    static void expect_none(const Model<float>& model, Index batch, Layout layout, MatrixView<const float> x,
                            MatrixView<float> y) {
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
            // Long and wide enough for several threads.
            specs.push_back({.kind = kind, .length = 400, .channels = 100, .rank = 180});
        }
        return specs;
    }
};

TEST_F(Allocations, AreCounted) {
    const auto used = [](void* p) {
        ASSERT_NE(p, nullptr);
        std::free(p);
    };
    EXPECT_GE(count([&] { used(std::malloc(10)); }), 1);
    EXPECT_GE(count([&] { used(std::aligned_alloc(64, 64)); }), 1);
    EXPECT_GE(count([] { std::vector<int>(3).at(2) = 1; }), 1);
    EXPECT_GE(count([] { EXPECT_EQ(Buffer<float>(100)[99], 0); }), 1);
    EXPECT_GE(count([] { EXPECT_EQ(Matrix<float>::Ones(9, 9).eval()(8, 8), 1); }), 1);
    EXPECT_EQ(count([] {}), 0);
}

TEST_F(Allocations, NoneInProductsAndGradients) {
    for (const Kind kind : all_kinds) {
        for (const Spec& spec : shapes(kind)) {
            for (const Index batch : {1, 3}) {
                SCOPED_TRACE(text(spec));
                const auto model = make_model<float>(spec);
                const Matrix<float> x = random_matrix<float>(batch * spec.length, spec.channels, 1);
                Matrix<float> y = x;
                expect_none(*model, batch, Layout::row_major, x, y);
            }
        }
    }
}

TEST_F(Allocations, NoneWithStridedArguments) {
    for (const Kind kind : all_kinds) {
        for (const Spec& spec : shapes(kind)) {
            SCOPED_TRACE(text(spec));
            const auto model = make_model<float>(spec);
            const ColumnMatrix<float> x = random_matrix<float>(2 * spec.length, spec.channels, 1);
            ColumnMatrix<float> y = x;
            expect_none(*model, 2, Layout::strided, x, y);
        }
    }
}

template <class Op>
void set_kernel(Op& op, const typename Op::Kernel& kernel, Workspace& ws) {
    if constexpr (requires { op.set_kernel(kernel, ws); }) {
        op.set_kernel(kernel, ws);
    } else {
        op.set_kernel(kernel);
    }
}

TEST_F(Allocations, NoneInSetKernel) {
    const auto expect = [](auto op, Index rows) {
        typename decltype(op)::Kernel kernel = decltype(kernel)::Ones(rows, op.channels());
        Workspace ws;  // grows in the first round
        set_kernel(op, kernel, ws);
        EXPECT_EQ(count([&] { set_kernel(op, kernel, ws); }), 0);
    };
    const Index n = 500;
    const Index d = 40;
    const Matrix<float> taps = Matrix<float>::Ones(5, d);
    expect(Band<float>({.length = n, .channels = d, .taps = 5}, taps), 5);
    expect(Dense<float>({.length = 3, .channels = d}, taps), 5);
    expect(Fft<float>({.length = n, .channels = d}), 2 * n - 1);
    expect(Fft<float>({.length = 20, .channels = d}), 39);
    expect(Ski<float>({.length = n, .channels = d, .rank = 100}), 199);
    expect(CausalSpectral<float>({.length = n, .channels = d}), default_frequency_grid(n) / 2 + 1);
    expect(BidirectionalSpectral<float>({.length = n, .channels = d}), default_frequency_grid(n) / 2 + 1);
}

}  // namespace
}  // namespace toeplitz::test
