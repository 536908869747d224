// SPDX-License-Identifier: MIT
#include "word_unit_impl.hpp"

WordUnit avx_vnni_unit() { return toeplitz::this_unit(); }
