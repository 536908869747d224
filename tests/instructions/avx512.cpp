// SPDX-License-Identifier: MIT
#include "word_unit_impl.hpp"

WordUnit avx512_unit() { return toeplitz::this_unit(); }
