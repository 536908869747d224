// SPDX-License-Identifier: MIT
// Returns 0 if the headers are found: for tests whose subject is the build.
#include <toeplitz/version.hpp>

int main() { return TOEPLITZ_VERSION_MAJOR < 0 ? 1 : 0; }
