// SPDX-License-Identifier: MIT
#include "unit_impl.hpp"

Unit baseline_unit() { return this_unit(); }
