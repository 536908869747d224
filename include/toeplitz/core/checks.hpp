// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Checks of shapes that kernels share.

#include <toeplitz/core/view.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// Throws shape_error `id` unless the matrix is rows × cols.
template <class T>
void require_shape(MatrixView<const T> m, Index rows, Index cols, int id, const char* where,
                   const char* name) {
    if (m.rows() != rows || m.cols() != cols) {
        raise<shape_error>(id, where, text(name, " of shape ", shape_text(rows, cols)),
                           shape_text(m.rows(), m.cols()));
    }
}

/// As require_shape, and rows must be made of neighbours.
template <class T>
void require_rows(MatrixView<const T> m, Index rows, Index cols, int id, const char* where,
                  const char* name) {
    require_shape(m, rows, cols, id, where, name);
    if (!m.has_contiguous_rows()) {
        raise<shape_error>(id, where,
                           text(name, " stored row by row, channels side by side, as toeplitz::Matrix is"),
                           text("channels ", m.col_stride(), " numbers apart"));
    }
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
