// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What each width of vectors does for the program. Nothing of the library is in here: its types in files
/// that are compiled for different instruction sets are different types.

#include <cstddef>
#include <memory>

namespace widths {

/// Something that is computed again and again: y = f(x), of n × d floats each, row by row.
class Work {
public:
    Work() = default;
    Work(const Work&) = delete;
    Work& operator=(const Work&) = delete;
    virtual ~Work() = default;
    virtual void run(const float* x, float* y) = 0;
};

struct Width {
    std::size_t vector_bytes;
    std::unique_ptr<Work> (*make_product)(std::ptrdiff_t n, std::ptrdiff_t d);  ///< by an exact kernel
    std::unique_ptr<Work> (*make_layer)(std::ptrdiff_t n, std::ptrdiff_t d);    ///< of a network
};

// One of each object file.
Width sse2();
Width avx2();
Width avx512();

}  // namespace widths
