// SPDX-License-Identifier: MIT
#include "toeplitz_single.hpp"

int other() { return TOEPLITZ_VERSION_MINOR; }
