// SPDX-License-Identifier: MIT
// Two units of one program, compiled for different instruction sets, both use every header: they link, compute
// the same, and throw errors that a third unit catches by one type.
#include <cmath>
#include <cstdio>

#include <toeplitz/core/error.hpp>

#include "units.hpp"

int main() {
#if defined(TOEPLITZ_TEST_NEEDS_AVX2)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
        std::puts("skipped: this processor lacks AVX2 or FMA");
        return 77;
    }
#endif
    const Unit units[] = {baseline_unit(), wide_unit()};
    std::printf("%s, %s\n", units[0].settings.c_str(), units[1].settings.c_str());
#if defined(TOEPLITZ_TEST_NEEDS_AVX2) && !defined(__AVX2__)
    if (units[0].settings == units[1].settings) {
        std::puts("wrong: the units have different instruction sets and share one namespace");
        return 1;
    }
#endif

    std::vector<float> x(100);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 7);
    const std::vector<float> a = units[0].product(x);
    const std::vector<float> b = units[1].product(x);
    for (std::size_t i = 0; i < x.size(); ++i) {
        if (!(std::abs(a[i] - b[i]) < 1e-4F)) {
            std::printf("wrong: row %zu is %g in one unit, %g in the other\n", i, static_cast<double>(a[i]),
                        static_cast<double>(b[i]));
            return 1;
        }
    }

    int caught = 0;
    for (const Unit& unit : units) {
        try {
            unit.fail();
        } catch (const toeplitz::config_error& e) {
            caught += e.id() == 201 ? 1 : 0;
        }
    }
    std::printf("caught %d of 2 errors\n", caught);
    return caught == 2 ? 0 : 1;
}
