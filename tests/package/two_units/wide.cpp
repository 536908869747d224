// SPDX-License-Identifier: MIT
#include "unit_impl.hpp"

Unit wide_unit() { return this_unit(); }
