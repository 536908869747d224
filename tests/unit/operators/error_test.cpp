// SPDX-License-Identifier: MIT
// Every error of the operators, with its whole message.

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/random.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/toeplitz.hpp>

namespace toeplitz::test {
namespace {

using M = Matrix<double>;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr Index huge = Index{1} << 62;

M zeros(Index rows, Index cols) { return M::Zero(rows, cols); }

Fft<double> some_fft(Index n, Index d) { return Fft<double>({.length = n, .channels = d}); }

// --- Options -----------------------------------------------------------------------------------------------

// Zero is the default of what has to be set.

TEST(OperatorErrors, LengthZero) {
    const auto expect = [](const std::string& name, auto&& f) {
        expect_error<config_error>(201, "[toeplitz.config.201] " + name + ": expected length >= 1, got 0", f);
    };
    expect("Dense", [] { Dense<double>({.channels = 1}, zeros(1, 1)); });
    expect("Band", [] { Band<double>({.channels = 1, .taps = 1}, zeros(1, 1)); });
    expect("Fft", [] { Fft<double>({.channels = 1}); });
    expect("Ski", [] { Ski<double>({.channels = 1, .rank = 1}); });
    expect("Spectral", [] { CausalSpectral<double>({.channels = 1}); });
    expect("Spectral", [] { BidirectionalSpectral<double>({.length = 0, .channels = 1}); });
}

TEST(OperatorErrors, ChannelsZeroOrNegative) {
    const auto expect = [](const std::string& name, const std::string& got, auto&& f) {
        expect_error<config_error>(
            201, "[toeplitz.config.201] " + name + ": expected channels >= 1, got " + got, f);
    };
    expect("Dense", "0", [] { Dense<double>({.length = 1}, zeros(1, 0)); });
    expect("Band", "0", [] { Band<double>({.length = 1, .taps = 1}, zeros(1, 0)); });
    expect("Fft", "0", [] { Fft<double>({.length = 1}); });
    expect("Spectral", "0", [] { CausalSpectral<double>({.length = 1}); });
    expect("Fft", "-1", [] { Fft<double>({.length = 1, .channels = -1}); });
    expect("Ski", "0", [] { Ski<double>({.length = 1, .rank = 1}); });
    expect("Spectral", "-3", [] { CausalSpectral<double>({.length = 1, .channels = -3}); });
}

TEST(OperatorErrors, BatchesThatOverflow) {
    const Fft<float> op({.length = 100, .channels = 7}, Matrix<float>(Matrix<float>::Zero(199, 7)));
    EXPECT_GT(op.required_workspace(1000, Layout::strided), op.required_workspace(1, Layout::strided));
    for (const Index batch : {Index{1} << 47, Index{1} << 56, Index{1} << 62}) {
        for (const Layout layout : {Layout::row_major, Layout::strided}) {
            EXPECT_THROW(op.required_workspace(batch, layout), config_error);
        }
    }
}

TEST(OperatorErrors, SizesThatOverflow) {
    expect_error<config_error>(202,
                               "[toeplitz.config.202] Fft: expected a size below 2^63, got "
                               "4611686018427387904 * 4",
                               [] { Fft<double>({.length = huge, .channels = 4}); });
    // n·d fits, but not the bytes of what is computed from it.
    expect_error<config_error>(202,
                               "[toeplitz.config.202] Ski: expected a size below 2^63, got "
                               "4611686018427387904 * 512",
                               [] { Ski<double>({.length = huge, .channels = 1, .rank = 1}); });
    expect_error<config_error>(202,
                               "[toeplitz.config.202] Dense: expected a size below 2^63, got "
                               "4611686018427387904 * 4611686018427387904",
                               [] { Dense<double>({.length = huge, .channels = huge}, zeros(1, 1)); });
    expect_error<config_error>(202,
                               "[toeplitz.config.202] Band: expected a size below 2^63, got "
                               "4611686018427387904 * 512",
                               [] { Band<double>({.length = huge, .channels = 1, .taps = 1}, zeros(1, 1)); });
    expect_error<config_error>(202,
                               "[toeplitz.config.202] Spectral: expected a size below 2^63, got "
                               "4611686018427387904 * 512",
                               [] { CausalSpectral<double>({.length = huge, .channels = 1}); });
    expect_error<config_error>(
        202, "[toeplitz.config.202] HalfSpectrum: expected a grid below 2^31, got 4294967296",
        [] { CausalSpectral<double>({.length = 4, .channels = 1, .grid = Index{1} << 32}); });
    constexpr Index max = std::numeric_limits<Index>::max();
    expect_error<config_error>(
        202, "[toeplitz.config.202] HalfSpectrum: expected a grid below 2^31, got 9223372036854775807",
        [] { CausalSpectral<double>({.length = 4, .channels = 1, .grid = max}); });
}

TEST(OperatorErrors, TapsThatOverflow) {
    // The zero operator sees no kernel that says so. A product would read taps that are not there.
    expect_error<config_error>(202,
                               "[toeplitz.config.202] ShortConvolution: expected a size below 2^63, got "
                               "8 * 4611686018427387905",
                               [] { Band<double>({.length = 8, .channels = 8, .taps = huge + 1}); });
}

TEST(OperatorErrors, TapsZeroOrEven) {
    expect_error<config_error>(510, "[toeplitz.config.510] Band: expected taps >= 1, got 0",
                               [] { Band<double>({.length = 4, .channels = 1}, zeros(0, 1)); });
    expect_error<config_error>(510, "[toeplitz.config.510] Band: expected taps >= 1, got -1", [] {
        Band<double, Causality::causal>({.length = 4, .channels = 1, .taps = -1}, zeros(0, 1));
    });
    expect_error<config_error>(
        511, "[toeplitz.config.511] Band: expected an odd number of taps for a centred band, got 4",
        [] { Band<double>({.length = 4, .channels = 1, .taps = 4}, zeros(4, 1)); });
    EXPECT_NO_THROW((Band<double, Causality::causal>({.length = 4, .channels = 1, .taps = 4}, zeros(4, 1))));
}

TEST(OperatorErrors, RankZero) {
    expect_error<config_error>(520, "[toeplitz.config.520] Ski: expected rank >= 1, got 0",
                               [] { Ski<double>({.length = 4, .channels = 1}); });
    expect_error<config_error>(520, "[toeplitz.config.520] Ski: expected rank >= 1, got -2",
                               [] { Ski<double>({.length = 4, .channels = 1, .rank = -2}); });
}

TEST(OperatorErrors, GridTooSmall) {
    expect_error<config_error>(521,
                               "[toeplitz.config.521] Spectral: expected a grid of at least 2n-1 = 9, got 8",
                               [] { CausalSpectral<double>({.length = 5, .channels = 1, .grid = 8}); });
    expect_error<config_error>(
        521, "[toeplitz.config.521] Spectral: expected a grid of at least 2n-1 = 9, got -1",
        [] { BidirectionalSpectral<double>({.length = 5, .channels = 1, .grid = -1}); });
    EXPECT_NO_THROW(CausalSpectral<double>({.length = 5, .channels = 1, .grid = 9}));
}

TEST(OperatorErrors, SumOfDifferentShapes) {
    expect_error<shape_error>(
        540, "[toeplitz.shape.540] Sum: expected two operators of n×d = 4×2, got a second one of 5×2",
        [] { static_cast<void>(some_fft(4, 2) + some_fft(5, 2)); });
    expect_error<shape_error>(
        540, "[toeplitz.shape.540] Sum: expected two operators of n×d = 4×2, got a second one of 4×3",
        [] { static_cast<void>(some_fft(4, 2) + Ski<double>({.length = 4, .channels = 3, .rank = 2})); });
}

// --- Kernels -----------------------------------------------------------------------------------------------

TEST(OperatorErrors, KernelsOfTheWrongShape) {
    const auto expect = [](const std::string& where, const std::string& wanted, const std::string& got,
                           auto&& f) {
        expect_error<shape_error>(
            501, "[toeplitz.shape.501] " + where + ": expected a kernel of " + wanted + ", got " + got, f);
    };
    expect("Dense::set_kernel", "7×2", "6×2",
           [] { Dense<double>({.length = 4, .channels = 2}, zeros(6, 2)); });
    expect("Dense::set_kernel", "4×2", "7×2",
           [] { Dense<double, Causality::causal>({.length = 4, .channels = 2}, zeros(7, 2)); });
    expect("Band::set_kernel", "3×2", "3×1",
           [] { Band<double>({.length = 4, .channels = 2, .taps = 3}, zeros(3, 1)); });
    // Refused before memory for that many taps is asked for.
    expect("Band::set_kernel", "1099511627777×1", "3×1",
           [] { Band<double>({.length = 4, .channels = 1, .taps = (Index{1} << 40) + 1}, zeros(3, 1)); });
    expect("Band::set_kernel", "9223372036854775807×1", "3×1", [] {
        Band<double>({.length = 4, .channels = 1, .taps = std::numeric_limits<Index>::max()}, zeros(3, 1));
    });
    expect("Fft::set_kernel", "7×2", "2×7", [] { some_fft(4, 2).set_kernel(zeros(2, 7)); });
    expect("Fft::set_kernel", "199×1", "100×1", [] { some_fft(100, 1).set_kernel(zeros(100, 1)); });
    expect("Ski::set_kernel", "5×2", "7×2",
           [] { Ski<double>({.length = 4, .channels = 2, .rank = 3}, zeros(7, 2)); });
    expect("Spectral::set_kernel", "5×2", "8×2",
           [] { CausalSpectral<double>({.length = 4, .channels = 2}, zeros(8, 2)); });
    expect("Spectral::set_kernel", "5×2", "5×3", [] {
        BidirectionalSpectral<double>({.length = 4, .channels = 2},
                                      Matrix<std::complex<double>>::Zero(5, 3).eval());
    });
}

TEST(OperatorErrors, GradientsOfTheWrongShape) {
    const M x = zeros(4, 2);
    M wrong = zeros(4, 4);
    Workspace ws;
    const auto expect = [&](const std::string& name, const std::string& wanted, const auto& op) {
        expect_error<shape_error>(
            501, "[toeplitz.shape.501] " + name + ", dkernel: expected a kernel of " + wanted + ", got 4×4",
            [&] { op.accumulate_kernel_gradient(x, x, wrong, ws); });
    };
    expect("Dense", "7×2", Dense<double>({.length = 4, .channels = 2}, zeros(7, 2)));
    expect("Band", "3×2", Band<double>({.length = 4, .channels = 2, .taps = 3}, zeros(3, 2)));
    expect("Fft", "7×2", some_fft(4, 2));
    expect("Ski", "5×2", Ski<double>({.length = 4, .channels = 2, .rank = 3}));
    expect("Spectral", "5×2", CausalSpectral<double>({.length = 4, .channels = 2}));
}

/// Every operator that takes real kernels refuses `bad`, names where it is, and stays what it was.
template <class Op>
void expect_finite_kernels(Op op, const std::string& name, const std::string& row_name, Index first_row) {
    SCOPED_TRACE(name);
    const Index n = op.length();
    const Index d = op.channels();
    const M x = random_matrix<double>(n, d, 2);
    const M before = op * x;
    const auto rows = [&] {
        if constexpr (requires { op.taps(); }) {
            return op.taps();
        } else if constexpr (requires { op.rank(); }) {
            return 2 * op.rank() - 1;
        } else if constexpr (requires { op.frequencies(); }) {
            return op.frequencies();
        } else {
            return lag_count(n, op.causality());
        }
    }();
    for (const double bad : {nan, infinity, -infinity}) {
        for (const Index row : {Index{0}, rows / 2, rows - 1}) {
            M kernel = M::Ones(rows, d);
            kernel(row, d - 1) = bad;
            expect_error<value_error>(
                530,
                "[toeplitz.value.530] " + name +
                    "::set_kernel: expected a finite kernel, got a NaN or an infinity at " + row_name + " " +
                    std::to_string(row + first_row) + ", channel " + std::to_string(d - 1),
                [&] { op.set_kernel(kernel); });
        }
    }
    EXPECT_THROW(op.set_kernel(M::Ones(rows + 1, d).eval()), shape_error);
    EXPECT_TRUE(same_bits(op * x, before)) << "changed by a kernel that it refused";
    EXPECT_GT(norm(before), 0);
}

TEST(OperatorErrors, KernelsThatAreNotFinite) {
    const auto random = [](Index rows) { return random_matrix<double>(rows, 2, 1); };
    constexpr auto causal = Causality::causal;
    expect_finite_kernels(Dense<double>({.length = 4, .channels = 2}, random(7)), "Dense", "lag", -3);
    expect_finite_kernels(Dense<double, causal>({.length = 4, .channels = 2}, random(4)), "Dense", "lag", 0);
    expect_finite_kernels(Band<double>({.length = 4, .channels = 2, .taps = 5}, random(5)), "Band", "lag",
                          -2);
    expect_finite_kernels(Band<double, causal>({.length = 4, .channels = 2, .taps = 4}, random(4)), "Band",
                          "lag", 0);
    for (const Index n : {4, 90}) {
        expect_finite_kernels(Fft<double>({.length = n, .channels = 2}, random(2 * n - 1)), "Fft", "lag",
                              1 - n);
        expect_finite_kernels(Fft<double, causal>({.length = n, .channels = 2}, random(n)), "Fft", "lag", 0);
    }
    expect_finite_kernels(CausalSpectral<double>({.length = 4, .channels = 2}, random(5)), "Spectral",
                          "frequency", 0);
    expect_finite_kernels(Ski<double>({.length = 9, .channels = 2, .rank = 3}, random(5)), "Ski",
                          "inducing lag", -2);
}

TEST(OperatorErrors, ComplexKernelsThatAreNotFinite) {
    Matrix<std::complex<double>> kernel = Matrix<std::complex<double>>::Ones(5, 2);
    BidirectionalSpectral<double> op({.length = 4, .channels = 2}, kernel);
    const M x = random_matrix<double>(4, 2, 2);
    const M before = op * x;
    for (const std::complex<double> bad :
         {std::complex<double>(nan, 0), std::complex<double>(0, infinity), std::complex<double>(0, nan)}) {
        kernel(3, 1) = bad;
        expect_error<value_error>(
            530,
            "[toeplitz.value.530] Spectral::set_kernel: expected a finite kernel, got a NaN or an "
            "infinity at frequency 3, channel 1",
            [&] { op.set_kernel(kernel); });
    }
    EXPECT_TRUE(same_bits(op * x, before));
}

// --- Sequences ---------------------------------------------------------------------------------------------

class SequenceErrors : public testing::Test {
protected:
    /// All four products refuse, each under its own name and with its own names for x and y.
    void expect_products(int id, const std::string& message, MatrixView<const double> x, MatrixView<double> y,
                         Lengths lengths = {}) {
        const auto named = [&](const char* function, const char* from, const char* to) {
            std::string text = message;
            const auto replace = [&](const std::string& mark, const std::string& name) {
                if (const auto at = text.find(mark); at != std::string::npos)
                    text.replace(at, mark.size(), name);
            };
            replace("{call}", std::string("Fft::") + function);
            replace("{x}", from);
            replace("{y}", to);
            return text;
        };
        expect_error<shape_error>(id, named("apply", "x", "y"), [&] { op.apply(x, y, ws, lengths); });
        expect_error<shape_error>(id, named("accumulate", "x", "y"),
                                  [&] { op.accumulate(x, y, ws, lengths); });
        expect_error<shape_error>(id, named("apply_adjoint", "g", "dx"),
                                  [&] { op.apply_adjoint(x, y, ws, lengths); });
        expect_error<shape_error>(id, named("accumulate_adjoint", "g", "dx"),
                                  [&] { op.accumulate_adjoint(x, y, ws, lengths); });
    }

    Fft<double> op = some_fft(4, 3);
    Workspace ws;
};

TEST_F(SequenceErrors, InputOfTheWrongShape) {
    M y = zeros(4, 3);
    const auto message = [](const std::string& got) {
        return "[toeplitz.shape.502] {call}: expected {x} of (B*4)×3, got " + got;
    };
    expect_products(502, message("4×2"), zeros(4, 2), y);
    expect_products(502, message("5×3"), zeros(5, 3), y);
    expect_products(502, message("3×3"), zeros(3, 3), y);
    expect_products(503, "[toeplitz.shape.503] {call}: expected {y} of 0×3, got 4×3", zeros(0, 3), y);
    M dkernel = zeros(7, 3);
    expect_error<shape_error>(
        502, "[toeplitz.shape.502] Fft::accumulate_kernel_gradient: expected x of (B*4)×3, got 6×3",
        [&] { op.accumulate_kernel_gradient(zeros(6, 3), zeros(6, 3), dkernel, ws); });
}

TEST_F(SequenceErrors, OutputOfAnotherShape) {
    const M x = zeros(8, 3);
    M y = zeros(4, 3);
    expect_products(503, "[toeplitz.shape.503] {call}: expected {y} of 8×3, got 4×3", x, y);
    M dkernel = zeros(7, 3);
    expect_error<shape_error>(
        503, "[toeplitz.shape.503] Fft::accumulate_kernel_gradient: expected g of 8×3, got 4×3",
        [&] { op.accumulate_kernel_gradient(x, y, dkernel, ws); });
}

TEST_F(SequenceErrors, LengthsOfTheWrongNumber) {
    const M x = zeros(8, 3);
    M y = zeros(8, 3);
    const std::vector<Index> lengths = {4, 4, 4};
    expect_products(211, "[toeplitz.shape.211] Fft: expected 2 lengths, got 3", x, y, lengths);
    M dkernel = zeros(7, 3);
    expect_error<shape_error>(211, "[toeplitz.shape.211] Fft: expected 2 lengths, got 3",
                              [&] { op.accumulate_kernel_gradient(x, x, dkernel, ws, lengths); });
}

TEST_F(SequenceErrors, LengthsOutOfRange) {
    const M x = zeros(8, 3);
    M y = zeros(8, 3);
    expect_products(211, "[toeplitz.shape.211] Fft: expected lengths of 0..4, got 5", x, y,
                    std::vector<Index>{4, 5});
    expect_products(211, "[toeplitz.shape.211] Fft: expected lengths of 0..4, got -1", x, y,
                    std::vector<Index>{-1, 4});
}

TEST_F(SequenceErrors, InputAndOutputThatOverlap) {
    const std::string message =
        "[toeplitz.shape.504] {call}: expected {x} and {y} apart in memory, got an overlap";
    M memory = zeros(9, 7);
    expect_products(504, message, memory.topLeftCorner(4, 3), memory.topLeftCorner(4, 3));
    expect_products(504, message, memory.topLeftCorner(4, 3), memory.block(3, 0, 4, 3));
    expect_products(504, message, memory.topLeftCorner(4, 3), memory.block(0, 2, 4, 3));
    expect_products(504, message, memory.block(0, 2, 4, 3), memory.topLeftCorner(4, 3));
    expect_products(504, message, memory.block(1, 4, 4, 3), memory.block(0, 2, 4, 3));
    // Column blocks that meet around the end of a row.
    expect_products(504, message, MatrixView<const double>(memory.data() + 5, 4, 3, 7),
                    MatrixView<double>(memory.data() + 7, 4, 3, 7));
    // One storage order inside the other.
    expect_products(504, message, MatrixView<const double>(memory.data(), 4, 3),
                    MatrixView<double>(memory.data(), 4, 3, 1, 4));
}

TEST_F(SequenceErrors, NeighboursDoNotOverlap) {
    M memory = zeros(9, 7);
    EXPECT_NO_THROW(op.apply(memory.topLeftCorner(4, 3), memory.block(4, 0, 4, 3), ws));
    EXPECT_NO_THROW(op.apply(memory.topLeftCorner(4, 3), memory.block(0, 3, 4, 3), ws));
    EXPECT_NO_THROW(op.apply(memory.block(0, 4, 4, 3), memory.topLeftCorner(4, 3), ws));
    EXPECT_NO_THROW(op.apply(memory.block(0, 4, 4, 3), memory.block(1, 1, 4, 3), ws));
    EXPECT_NO_THROW(op.apply(MatrixView<const double>(memory.data() + 5, 4, 3, 7),
                             MatrixView<double>(memory.data() + 8, 4, 3, 7), ws));
    ColumnMatrix<double> columns = ColumnMatrix<double>::Zero(4, 6);
    EXPECT_NO_THROW(op.apply(columns.leftCols(3), columns.rightCols(3), ws));
}

TEST_F(SequenceErrors, RowBlocksOfAColumnMajorMatrixDoNotOverlap) {
    ColumnMatrix<double> both = random_matrix<double>(8, 3, 1);
    EXPECT_NO_THROW(op.apply(both.topRows(4), both.bottomRows(4), ws));
    expect_products(504, "[toeplitz.shape.504] {call}: expected {x} and {y} apart in memory, got an overlap",
                    both.topRows(4), both.middleRows(3, 4));
}

}  // namespace
}  // namespace toeplitz::test
