// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Products of matrices, C += A B, without memory from the heap and with the same bits for any number of
/// threads. The arithmetic is Eigen's, so that a program can hand it to a BLAS by EIGEN_USE_BLAS; heap, threads
/// and bits are that one's then.

#include <algorithm>

#include <toeplitz/core/parallel.hpp>
#include <toeplitz/core/workspace.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// While it lives, OpenMP regions that begin in this thread have one thread: otherwise Eigen splits a product
/// outside of a parallel region, in memory from the heap, and the last bits may depend on the split.
class OneThread {
#if defined(_OPENMP)
public:
    OneThread() noexcept : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
    ~OneThread() { omp_set_num_threads(before_); }
    OneThread(const OneThread&) = delete;
    OneThread& operator=(const OneThread&) = delete;

private:
    int before_;
#endif
};

/// What is multiplied: A B, A Bᵀ or Aᵀ B.
enum class Product { plain, right_transposed, left_transposed };

/// Rows and columns of what is given to Eigen at once: it packs 128 × 128 doubles on the stack, and more of
/// them on the heap.
inline constexpr Index product_block = 128;

/// A part of a view.
template <class T>
MatrixView<T> part(MatrixView<T> view, Index row, Index col, Index rows, Index cols) noexcept {
    return {view.row(row) + col, rows, cols, view.row_stride()};
}
/// Rows of A and columns of B that make a block of C.
template <Product form, class T>
MatrixView<T> left_part(MatrixView<T> a, Index first, Index count) noexcept {
    return form == Product::left_transposed ? part(a, 0, first, a.rows(), count)
                                            : part(a, first, 0, count, a.cols());
}
template <Product form, class T>
MatrixView<T> right_part(MatrixView<T> b, Index first, Index count) noexcept {
    return form == Product::right_transposed ? part(b, first, 0, count, b.cols())
                                             : part(b, 0, first, b.rows(), count);
}

/// C += op(A) op(B) in this thread. All views have neighbouring columns. Out of line: one copy per form.
template <Product form, Real Scalar>
[[gnu::noinline]] void add_product(MatrixView<const Scalar> a, MatrixView<const Scalar> b,
                                   MatrixView<Scalar> c) {
    [[maybe_unused]] OneThread one;
    using Stride = Eigen::OuterStride<>;
    const auto map = [](MatrixView<const Scalar> m) {
        return Eigen::Map<const Matrix<Scalar>, Eigen::Unaligned, Stride>(m.data(), m.rows(), m.cols(),
                                                                          Stride(m.row_stride()));
    };
    const Index depth = form == Product::left_transposed ? a.rows() : a.cols();
    for (Index i = 0; i < c.rows(); i += product_block) {
        const Index rows = std::min(product_block, c.rows() - i);
        for (Index j = 0; j < c.cols(); j += product_block) {
            const Index cols = std::min(product_block, c.cols() - j);
            Eigen::Map<Matrix<Scalar>, Eigen::Unaligned, Stride> out(&c(i, j), rows, cols,
                                                                     Stride(c.row_stride()));
            const auto left = left_part<form>(a, i, rows);
            const auto right = right_part<form>(b, j, cols);
            for (Index k = 0; k < depth; k += product_block) {
                const Index count = std::min(product_block, depth - k);
                if constexpr (form == Product::plain) {
                    out.noalias() += map(part(left, 0, k, rows, count)) * map(part(right, k, 0, count, cols));
                } else if constexpr (form == Product::right_transposed) {
                    out.noalias() +=
                        map(part(left, 0, k, rows, count)) * map(part(right, 0, k, cols, count)).transpose();
                } else {
                    out.noalias() +=
                        map(part(left, k, 0, count, rows)).transpose() * map(part(right, k, 0, count, cols));
                }
            }
        }
    }
}

/// Scratch memory of one thread for large products: a panel of either factor, which Eigen packs. Their sizes
/// are part of the result, as they group its sums.
template <Real Scalar>
struct ProductPanels {
    static constexpr Index depth = 256;
    static constexpr Index wide = 1536 / static_cast<Index>(sizeof(Scalar));  ///< columns of C
    static constexpr Index tall = 128;                                        ///< rows of C
    static constexpr Index size = depth * (wide + tall);
};

/// C += op(A) op(B) in this thread, for large factors: panels in `scratch`, ProductPanels<Scalar>::size
/// numbers aligned as buffers are, in place of small blocks on the stack.
template <Product form, Real Scalar>
[[gnu::noinline]] void add_large_product(MatrixView<const Scalar> a, MatrixView<const Scalar> b,
                                         MatrixView<Scalar> c, Scalar* scratch) {
    using Panels = ProductPanels<Scalar>;
    // Eigen's own interface takes its panels from the heap. Its kernel writes columns: Cᵀ = op(B)ᵀ op(A)ᵀ.
    struct Blocking : Eigen::internal::level3_blocking<Scalar, Scalar> {
        explicit Blocking(Scalar* panels) {
            this->m_blockA = panels;
            this->m_blockB = panels + Panels::depth * Panels::wide;
            this->m_mc = Panels::wide;
            this->m_nc = Panels::tall;
            this->m_kc = Panels::depth;
        }
    };
    constexpr int right = form == Product::right_transposed ? Eigen::RowMajor : Eigen::ColMajor;
    constexpr int left = form == Product::left_transposed ? Eigen::RowMajor : Eigen::ColMajor;
    const Index depth = form == Product::left_transposed ? a.rows() : a.cols();
    if (c.size() == 0 || depth == 0) return;
    Blocking blocking(scratch);
    Eigen::internal::general_matrix_matrix_product<Eigen::Index, Scalar, right, false, Scalar, left, false,
                                                   Eigen::ColMajor, 1>::run(c.cols(), c.rows(), depth,
                                                                            b.data(), b.row_stride(),
                                                                            a.data(), a.row_stride(),
                                                                            c.data(), 1, c.row_stride(),
                                                                            Scalar(1), blocking, nullptr);
}

/// C += op(A) op(B), C's rows split among threads in multiples of a panel: what a row is does not depend on
/// the split. `begin(rows of C)` is called before a part is added to.
template <Product form, Real Scalar, class Begin>
void add_product_parallel(MatrixView<const Scalar> a, MatrixView<const Scalar> b, MatrixView<Scalar> c,
                          Workspace& ws, Begin&& begin) {
    constexpr Index tall = ProductPanels<Scalar>::tall;
    const Index depth = form == Product::left_transposed ? a.rows() : a.cols();
    const Index panels = (c.rows() + tall - 1) / tall;
    const int threads = thread_count(panels, c.size() * depth / 30);
    Workspace::Scope scope(ws);
    const ThreadScratch<Scalar> scratch(scope, ProductPanels<Scalar>::size, threads);
    parallel_chunks(panels, threads, [&](Index first_panel, Index end_panel, int thread) {
        const Index first = first_panel * tall;
        const Index rows = std::min(end_panel * tall, c.rows()) - first;
        if (rows <= 0) return;
        const MatrixView<Scalar> out = c.middle_rows(first, rows);
        begin(out);
        add_large_product<form, Scalar>(left_part<form>(a, first, rows), b, out, scratch[thread]);
    });
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
