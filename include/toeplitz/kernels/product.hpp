// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Products of matrices, C += A B, without memory from the heap and with the same bits for any number of
/// threads. The arithmetic is Eigen's, so that a program can hand it to a BLAS by EIGEN_USE_BLAS.

#include <algorithm>

#include <toeplitz/core/parallel.hpp>
#include <toeplitz/core/view.hpp>

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
/// them on the heap. A BLAS has memory of its own and is best asked once.
#if defined(EIGEN_USE_BLAS)
inline constexpr Index product_block = Index{1} << 30;
#else
inline constexpr Index product_block = 128;
#endif

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

/// The same, blocks of C split among threads.
template <Product form, Real Scalar>
void add_product_parallel(MatrixView<const Scalar> a, MatrixView<const Scalar> b, MatrixView<Scalar> c) {
    constexpr Index block = 128;
    const Index depth = form == Product::left_transposed ? a.rows() : a.cols();
    const Index work = c.size() * depth / 30;
    // Tall blocks of whole rows where there are enough of them, so that B is packed as rarely as possible.
    const Index down = (c.rows() + block - 1) / block;
    const int threads = thread_count(down, work);
    parallel_chunks(down, threads, [&](Index begin, Index end, int) {
        const Index first = begin * block;
        const Index rows = std::min(end * block, c.rows()) - first;
        if (rows <= 0) return;
        add_product<form, Scalar>(left_part<form>(a, first, rows), b, part(c, first, 0, rows, c.cols()));
    });
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
