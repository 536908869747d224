// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Products of matrices, C = A B, without memory from the heap and with the same bits for any number of
/// threads. A program that defines EIGEN_USE_BLAS hands the large ones to that BLAS; heap, threads and bits
/// are that one's then.

#include <algorithm>

#include <toeplitz/core/parallel.hpp>
#include <toeplitz/core/simd.hpp>
#include <toeplitz/core/workspace.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// What is multiplied: A B, A Bᵀ or Aᵀ B.
enum class Product { plain, right_transposed, left_transposed };

/// The part of C whose sums stay in registers: with a row of B and an element of A they fill them.
template <Real Scalar>
struct ProductTile {
    static constexpr int rows = 6;
    static constexpr int packs = vector_registers == 32 ? 4 : 2;
    static constexpr Index cols = packs * Simd<Scalar>::lanes;
    /// Panels that a single row is multiplied by at once: four sums hide the latency of one.
    static constexpr int row_panels = 4 / packs;
};

/// A left factor: element (i, k) lies at data + i·row + k·step.
template <class Scalar>
struct LeftFactor {
    const Scalar* data;
    Index row;
    Index step;
};
template <Real Scalar>
LeftFactor<Scalar> left_factor(MatrixView<const Scalar> a, bool transposed = false) noexcept {
    if (a.size() == 0) return {a.data(), 0, 0};
    return {a.data(), transposed ? 1 : a.row_stride(), transposed ? a.row_stride() : 1};
}

/// Numbers that the packed form of a depth × cols right factor takes.
template <Real Scalar>
constexpr Index packed_size(Index depth, Index cols) noexcept {
    constexpr Index width = ProductTile<Scalar>::cols;
    return depth * ((cols + width - 1) / width * width);
}

/// to = B, or Bᵀ, as panels of a tile's columns, each row by row; the last one is filled up with zeros.
template <Real Scalar>
[[gnu::noinline]] void pack_right(MatrixView<const Scalar> b, bool transposed, Scalar* to) {
    constexpr Index width = ProductTile<Scalar>::cols;
    const Index depth = transposed ? b.cols() : b.rows();
    const Index cols = transposed ? b.rows() : b.cols();
    for (Index first = 0; first < cols; first += width, to += depth * width) {
        const Index count = (std::min)(width, cols - first);
        if (count < width) std::fill_n(to, depth * width, Scalar(0));
        if (transposed) {
            for (Index j = 0; j < count; ++j) {
                const Scalar* from = b.row(first + j);
                for (Index k = 0; k < depth; ++k) to[k * width + j] = from[k];
            }
        } else {
            for (Index k = 0; k < depth; ++k) std::copy_n(b.row(k) + first, count, to + k * width);
        }
    }
}

/// to = Aᵀ as panels of a tile's rows, each column by column.
template <Real Scalar>
[[gnu::noinline]] void pack_left(MatrixView<const Scalar> a, Scalar* to) {
    constexpr Index height = ProductTile<Scalar>::rows;
    for (Index k = 0; k < a.rows(); ++k) {
        const Scalar* from = a.row(k);
        for (Index i = 0; i < a.cols(); i += height) {
            std::copy_n(from + i, (std::min)(height, a.cols() - i), to + i * a.rows() + k * height);
        }
    }
}

/// A tile of C = A B + 1 biasᵀ, or C += A B + 1 biasᵀ: at most `height` rows and `panels` panels of columns,
/// whose sums stay in registers; bias may be null.
template <int height, int panels, Real Scalar>
TOEPLITZ_INLINE void multiply_tile(LeftFactor<Scalar> a, const Scalar* b, Index depth, Update update,
                                   const Scalar* bias, MatrixView<Scalar> c) {
    using S = Simd<Scalar>;
    using Pack = typename S::Pack;
    using Tile = ProductTile<Scalar>;
    constexpr int packs = panels * Tile::packs;
    constexpr Index width = panels * Tile::cols;
    // Rows and panels beyond the last one are computed as if they were it, and not stored.
    const Scalar* left[to_size(height)];
    unroll<height>([&](auto r)
                       TOEPLITZ_LAMBDA { left[r] = a.data + std::min<Index>(r, c.rows() - 1) * a.row; });
    const Scalar* right[to_size(panels)];
    unroll<panels>([&](auto q) TOEPLITZ_LAMBDA {
        right[q] = b + (q * Tile::cols < c.cols() ? q * depth * Tile::cols : 0);
    });
    Pack sums[to_size(height)][to_size(packs)] = {};
    const Scalar* const end = right[0] + depth * Tile::cols;
    for (Index k = 0; right[0] != end; k += a.step) {
        Pack factors[to_size(packs)];
        unroll<packs>([&](auto p) TOEPLITZ_LAMBDA {
            factors[p] = S::load_unaligned(right[p / Tile::packs] + p % Tile::packs * S::lanes);
        });
        unroll<panels>([&](auto q) TOEPLITZ_LAMBDA { right[q] += Tile::cols; });
        unroll<height>([&](auto r) TOEPLITZ_LAMBDA {
            const Scalar factor = left[r][k];
            unroll<packs>([&](auto p) TOEPLITZ_LAMBDA { sums[r][p] += factor * factors[p]; });
        });
    }
    if (c.rows() == height && c.cols() == width) {
        unroll<height>([&](auto r) TOEPLITZ_LAMBDA {
            Scalar* out = c.row(r);
            unroll<packs>([&](auto p) TOEPLITZ_LAMBDA {
                Pack sum = sums[r][p];
                if (bias != nullptr) sum += S::load_unaligned(bias + p * S::lanes);
                if (update == Update::add) sum += S::load_unaligned(out + p * S::lanes);
                S::store_unaligned(out + p * S::lanes, sum);
            });
        });
        return;
    }
    alignas(Pack) Scalar edge[to_size(height * width)];
    unroll<height>([&](auto r) TOEPLITZ_LAMBDA {
        unroll<packs>([&](auto p) TOEPLITZ_LAMBDA { S::store(edge + r * width + p * S::lanes, sums[r][p]); });
    });
    for (Index r = 0; r < c.rows(); ++r) {
        Scalar* out = c.row(r);
        for (Index j = 0; j < c.cols(); ++j) {
            Scalar sum = edge[r * width + j];
            if (bias != nullptr) sum += bias[j];
            out[j] = update == Update::add ? sum + out[j] : sum;
        }
    }
}

/// C = A B + 1 biasᵀ, or C += A B + 1 biasᵀ, for a packed B of `depth` rows and C of neighbouring columns;
/// bias may be null. An element's bits depend on its row of A and its column of B alone.
/// \param panel distance of A's rows i and i + ProductTile::rows
template <Real Scalar>
[[gnu::noinline]] void multiply_packed(LeftFactor<Scalar> a, Index panel, const Scalar* b, Index depth,
                                       Update update, const Scalar* bias, MatrixView<Scalar> c) {
    using Tile = ProductTile<Scalar>;
    const Index panels = c.rows() == 1 ? Tile::row_panels : 1;
    for (Index j = 0; j < c.cols(); j += panels * Tile::cols) {
        const Scalar* right = b + j * depth;
        const Scalar* constant = bias == nullptr ? nullptr : bias + j;
        const Index cols = (std::min)(panels * Tile::cols, c.cols() - j);
        for (Index i = 0; i < c.rows(); i += Tile::rows) {
            const Index rows = std::min<Index>(Tile::rows, c.rows() - i);
            const LeftFactor<Scalar> left{a.data + i / Tile::rows * panel, a.row, a.step};
            if (c.rows() == 1) {
                multiply_tile<1, Tile::row_panels, Scalar>(left, right, depth, update, constant,
                                                           c.block(i, j, rows, cols));
            } else if (rows <= 2) {
                multiply_tile<2, 1, Scalar>(left, right, depth, update, constant, c.block(i, j, rows, cols));
            } else if (rows <= 4) {
                multiply_tile<4, 1, Scalar>(left, right, depth, update, constant, c.block(i, j, rows, cols));
            } else {
                multiply_tile<Tile::rows, 1, Scalar>(left, right, depth, update, constant,
                                                     c.block(i, j, rows, cols));
            }
        }
    }
}

/// As above, of a factor as it lies in memory.
template <Real Scalar>
void multiply_packed(LeftFactor<Scalar> a, const Scalar* b, Index depth, Update update, const Scalar* bias,
                     MatrixView<Scalar> c) {
    multiply_packed(a, ProductTile<Scalar>::rows * a.row, b, depth, update, bias, c);
}

/// C = op(A) op(B) + 1 biasᵀ, or C += …, in this thread and without scratch memory: for small factors.
template <Real Scalar>
[[gnu::noinline]] void multiply_small(Product form, MatrixView<const Scalar> a, MatrixView<const Scalar> b,
                                      Update update, const Scalar* bias, MatrixView<Scalar> c) {
    constexpr Index width = ProductTile<Scalar>::cols;
    constexpr Index deep = 128;
    alignas(buffer_alignment) Scalar panel[std::size_t{deep * width}];
    const bool transposed = form == Product::right_transposed;
    const LeftFactor<Scalar> left = left_factor(a, form == Product::left_transposed);
    const Index depth = transposed ? b.cols() : b.rows();
    for (Index j = 0; j < c.cols(); j += width) {
        const Index cols = (std::min)(width, c.cols() - j);
        Index k = 0;
        do {
            const Index count = (std::min)(deep, depth - k);
            pack_right(transposed ? b.block(j, k, cols, count) : b.block(k, j, count, cols), transposed,
                       panel);
            multiply_packed<Scalar>({left.data + k * left.step, left.row, left.step}, panel, count,
                                    k == 0 ? update : Update::add,
                                    bias == nullptr || k != 0 ? nullptr : bias + j, c.middle_cols(j, cols));
            k += count;
        } while (k < depth);
    }
}

/// Called with parts of a product's result when they have their values: first row, first column, the part.
/// The parts are apart, so that it may run in several threads.
template <Real Scalar>
class Finish {
public:
    Finish() = default;
    template <class F>
    Finish(F& f) noexcept
        : object_(&f), call_([](void* object, Index row, Index col, MatrixView<Scalar> part) {
              (*static_cast<F*>(object))(row, col, part);
          }) {}
    void operator()(Index row, Index col, MatrixView<Scalar> part) const {
        if (call_ != nullptr) call_(object_, row, col, part);
    }

private:
    void* object_ = nullptr;
    void (*call_)(void*, Index, Index, MatrixView<Scalar>) = nullptr;
};

/// Rows of the parts that rows are cut into for threads: as many parts for each, of nearly the same size, of
/// whole tiles, and of `most` rows at most, a multiple of a tile's.
constexpr Index even_rows(Index rows, Index most, Index tile, int threads) noexcept {
    const Index parts = (std::max)(Index{1}, (rows + most * threads - 1) / (most * threads)) * threads;
    return (std::max)(Index{1}, (rows + parts * tile - 1) / (parts * tile)) * tile;
}

/// How large products are cut: a part of B is packed for all threads, a part of A stays in a core's cache.
template <Real Scalar>
struct ProductBlocks {
    static constexpr Index deep = 2048 / static_cast<Index>(sizeof(Scalar));  ///< groups the sums
    static constexpr Index wide = 4096;
    static constexpr Index tall = 20 * ProductTile<Scalar>::rows;
    static constexpr Index finished = 256;  ///< columns that are finished at once
};

/// Threads among which a product splits its m rows, with n columns of depth k.
template <Real Scalar>
int product_threads(Index m, Index n, Index k) noexcept {
    const Index tiles = (m + ProductTile<Scalar>::rows - 1) / ProductTile<Scalar>::rows;
    return thread_count(tiles, m * n * k / 30);
}

/// Bytes that multiply_blocks takes from its workspace for an m × n product of depth k.
template <class Factors, Real Scalar = typename Factors::Scalar>
std::size_t block_workspace(Product form, Index m, Index n, Index k) noexcept {
    using Blocks = ProductBlocks<Scalar>;
    const Index right = Factors::right_size((std::min)(k, Blocks::deep), (std::min)(n, Blocks::wide));
    return Workspace::bytes_for<typename Factors::Right>(right) +
           ThreadScratch<typename Factors::Left>::bytes(Factors::left_size(form),
                                                        product_threads<Scalar>(m, n, k));
}

/// C = op(A) op(B) + 1 biasᵀ, or C += …, in blocks; bias may be null. C's rows are split among threads.
///
/// Factors says how blocks are laid out and multiplied: `Right` and `Left` are the numbers of a packed block
/// of B, and of a thread's scratch memory for one of A, of which it takes `right_size(depth, cols)` and at
/// most `left_size(form)`; `pack_right(b, is_transposed, to)`; `left(a, is_transposed, scratch)` is what
/// `multiply(left, packed, depth, update, bias, c)` takes.
template <class Factors, Real Scalar = typename Factors::Scalar>
void multiply_blocks(Product form, MatrixView<const Scalar> a, MatrixView<const Scalar> b, Update update,
                     const Scalar* bias, MatrixView<Scalar> c, Workspace& ws, const Finish<Scalar>& finish) {
    using Blocks = ProductBlocks<Scalar>;
    constexpr Index width = ProductTile<Scalar>::cols;
    const bool left_transposed = form == Product::left_transposed;
    const bool right_transposed = form == Product::right_transposed;
    const Index depth = left_transposed ? a.rows() : a.cols();
    const int threads = product_threads<Scalar>(c.rows(), c.cols(), depth);
    const Index tall = even_rows(c.rows(), Blocks::tall, ProductTile<Scalar>::rows, threads);
    const Index blocks = (c.rows() + tall - 1) / tall;
    Workspace::Scope scope(ws);
    auto* packed = scope.take<typename Factors::Right>(
        Factors::right_size((std::min)(depth, Blocks::deep), (std::min)(c.cols(), Blocks::wide)));
    const ThreadScratch<typename Factors::Left> scratch(scope, Factors::left_size(form), threads);
    for (Index k = 0; k == 0 || k < depth; k += Blocks::deep) {
        const Index deep = (std::min)(Blocks::deep, depth - k);
        const Update mode = k == 0 ? update : Update::add;
        const Scalar* constant = k == 0 ? bias : nullptr;
        const bool last = k + deep >= depth;
        for (Index j = 0; j < c.cols(); j += Blocks::wide) {
            const Index wide = (std::min)(Blocks::wide, c.cols() - j);
            parallel_chunks((wide + width - 1) / width, threads, [&](Index begin, Index end, int) {
                const Index first = j + begin * width;
                const Index count = (std::min)(end * width, wide) - begin * width;
                Factors::pack_right(
                    right_transposed ? b.block(first, k, count, deep) : b.block(k, first, deep, count),
                    right_transposed, packed + Factors::right_size(deep, begin * width));
            });
            parallel_chunks(blocks, threads, [&](Index begin, Index end, int thread) {
                for (Index block = begin; block < end; ++block) {
                    const Index first = block * tall;
                    const Index rows = (std::min)(tall, c.rows() - first);
                    const auto left = Factors::left(
                        left_transposed ? a.block(k, first, deep, rows) : a.block(first, k, rows, deep),
                        left_transposed, scratch[thread]);
                    for (Index l = 0; l < wide; l += Blocks::finished) {
                        const auto out = c.block(first, j + l, rows, (std::min)(Blocks::finished, wide - l));
                        Factors::multiply(left, packed + Factors::right_size(deep, l), deep, mode,
                                          constant == nullptr ? nullptr : constant + j + l, out);
                        if (last) finish(first, j + l, out);
                    }
                }
            });
        }
    }
}

#if defined(EIGEN_USE_BLAS)

/// Bytes that `multiply` takes from its workspace for an m × n product of depth k.
template <Real Scalar>
std::size_t product_workspace(Product /*form*/, Index /*m*/, Index /*n*/, Index /*k*/) noexcept {
    return 0;
}

/// C += op(A) op(B) by the BLAS.
template <Product form, Real Scalar>
void add_blas_product(MatrixView<const Scalar> a, MatrixView<const Scalar> b, MatrixView<Scalar> c) {
    // The BLAS writes columns: Cᵀ = op(B)ᵀ op(A)ᵀ.
    constexpr int right = form == Product::right_transposed ? Eigen::RowMajor : Eigen::ColMajor;
    constexpr int left = form == Product::left_transposed ? Eigen::RowMajor : Eigen::ColMajor;
    struct NoBlocking : Eigen::internal::level3_blocking<Scalar, Scalar> {};
    NoBlocking blocking;
    const Index depth = form == Product::left_transposed ? a.rows() : a.cols();
    if (c.size() == 0 || depth == 0) return;
    Eigen::internal::general_matrix_matrix_product<Eigen::Index, Scalar, right, false, Scalar, left, false,
                                                   Eigen::ColMajor, 1>::run(c.cols(), c.rows(), depth,
                                                                            b.data(), b.row_stride(),
                                                                            a.data(), a.row_stride(),
                                                                            c.data(), 1, c.row_stride(),
                                                                            Scalar(1), blocking, nullptr);
}

/// C = op(A) op(B) + 1 biasᵀ, or C += …; bias may be null. C's rows are split among threads.
template <Real Scalar>
[[gnu::noinline]] void multiply(Product form, MatrixView<const Scalar> a, MatrixView<const Scalar> b,
                                Update update, const Scalar* bias, MatrixView<Scalar> c, Workspace& /*ws*/,
                                Finish<Scalar> finish = {}) {
    constexpr Index tall = 128;
    const Index depth = form == Product::left_transposed ? a.rows() : a.cols();
    const Index blocks = (c.rows() + tall - 1) / tall;
    const int threads = thread_count(blocks, c.size() * depth / 30);
    parallel_chunks(blocks, threads, [&](Index first_block, Index end_block, int) {
        const Index first = first_block * tall;
        const Index rows = (std::min)(end_block * tall, c.rows()) - first;
        if (rows <= 0) return;
        const MatrixView<Scalar> out = c.middle_rows(first, rows);
        for (Index i = 0; i < rows; ++i) {
            if (update == Update::assign) std::fill_n(out.row(i), out.cols(), Scalar(0));
            for (Index j = 0; bias != nullptr && j < out.cols(); ++j) out(i, j) += bias[j];
        }
        if (form == Product::plain) {
            add_blas_product<Product::plain, Scalar>(a.middle_rows(first, rows), b, out);
        } else if (form == Product::right_transposed) {
            add_blas_product<Product::right_transposed, Scalar>(a.middle_rows(first, rows), b, out);
        } else {
            add_blas_product<Product::left_transposed, Scalar>(a.middle_cols(first, rows), b, out);
        }
        for (Index i = 0; i < rows; i += tall) {
            finish(first + i, 0, out.middle_rows(i, (std::min)(tall, rows - i)));
        }
    });
}

#else

/// Factors of a product as they are; A is packed where it is transposed.
template <Real ScalarType>
struct ExactFactors {
    using Scalar = ScalarType;
    using Right = Scalar;
    using Left = Scalar;
    struct LeftBlock {
        LeftFactor<Scalar> factor;
        Index panel;  ///< see multiply_packed
    };

    static Index right_size(Index depth, Index cols) noexcept { return packed_size<Scalar>(depth, cols); }
    static Index left_size(Product form) noexcept {
        using Blocks = ProductBlocks<Scalar>;
        return form == Product::left_transposed ? Blocks::tall * Blocks::deep : 0;
    }
    static void pack_right(MatrixView<const Scalar> b, bool transposed, Right* to) {
        detail::pack_right(b, transposed, to);
    }
    static LeftBlock left(MatrixView<const Scalar> a, bool transposed, Left* scratch) {
        constexpr Index height = ProductTile<Scalar>::rows;
        const LeftFactor<Scalar> factor = left_factor(a);
        if (!transposed) return {factor, height * factor.row};
        pack_left(a, scratch);
        return {{scratch, 1, height}, height * a.rows()};
    }
    static void multiply(const LeftBlock& left, const Right* right, Index depth, Update update,
                         const Scalar* bias, MatrixView<Scalar> c) {
        multiply_packed(left.factor, left.panel, right, depth, update, bias, c);
    }
};

/// Bytes that `multiply` takes from its workspace for an m × n product of depth k.
template <Real Scalar>
std::size_t product_workspace(Product form, Index m, Index n, Index k) noexcept {
    return block_workspace<ExactFactors<Scalar>>(form, m, n, k);
}

/// C = op(A) op(B) + 1 biasᵀ, or C += …; bias may be null. C's rows are split among threads.
template <Real Scalar>
[[gnu::noinline]] void multiply(Product form, MatrixView<const Scalar> a, MatrixView<const Scalar> b,
                                Update update, const Scalar* bias, MatrixView<Scalar> c, Workspace& ws,
                                Finish<Scalar> finish = {}) {
    multiply_blocks<ExactFactors<Scalar>>(form, a, b, update, bias, c, ws, finish);
}

#endif

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
