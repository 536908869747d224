// SPDX-License-Identifier: MIT
// Runs the second unit alone: the first one is there to be linked, and may need another processor.
#include <cstdio>

#include "unit.hpp"

// Keeps the first unit in the program.
bool (*volatile other_unit)() = first_unit;

int main() {
#if defined(__x86_64__)
    if (!__builtin_cpu_supports(NEEDS)) return 77;
#endif
    const bool right = other_unit != nullptr && second_unit();
    std::puts(right ? "right" : "wrong");
    return right ? 0 : 1;
}
