#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares two results of toeplitz_bench: new time / old time of each benchmark that both have.

    bench/compare.py old.json new.json

Run both with --benchmark_repetitions: the noise of a ratio is the root of the summed squares of both relative
standard deviations, and a change is called one where it is larger than twice that and than --threshold.
Needs Python 3.9 with nothing but its standard library.
"""

import argparse
import math
import re
import sys

sys.dont_write_bytecode = True
import results  # noqa: E402

CONTEXT = ["cpu_model", "compiler", "flags", "simd_bytes", "fftw", "eigen", "openmp"]


def verdict(ratio, noise, threshold):
    if math.isnan(noise):
        return "? (one repetition)"
    if abs(math.log(ratio)) <= max(2 * noise, threshold):
        return ""
    return "slower" if ratio > 1 else "faster"


def name(key):
    details = [f"taps:{key.taps}"] * bool(key.taps) + [f"r:{key.r}"] * bool(key.r)
    return "/".join([key.path, f"n:{key.n}", f"d:{key.d}", *details, f"threads:{key.threads}"])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--filter", default="", help="regular expression that names must contain")
    parser.add_argument("--statistic", choices=["median", "min", "mean"], default="median",
                        help="of the repetitions; min withstands a busy machine best; default: %(default)s")
    parser.add_argument("--threshold", type=float, default=0.03,
                        help="relative change that never matters; default: %(default)s")
    results.add_clock_option(parser)
    parser.add_argument("--fail-if-slower", action="store_true", help="exit with 1 where anything is slower")
    arguments = parser.parse_args()

    old, new = (results.load(file, arguments.clock) for file in (arguments.old, arguments.new))
    for field in CONTEXT:
        before, after = old.context.get(field), new.context.get(field)
        if before != after:
            print(f"The runs differ in {field}: {before} and {after}.\n")
    keys = [key for key in old.samples if key in new.samples and re.search(arguments.filter, name(key))]
    if not keys:
        sys.exit("the two files have no such benchmark in common")

    print("| benchmark | old ns/element | new ns/element | new / old | noise | |")
    print("|---|---:|---:|---:|---:|---|")
    ratios, slower = {}, 0
    for key in keys:
        a, b = old.samples[key], new.samples[key]
        before, after = getattr(a, arguments.statistic), getattr(b, arguments.statistic)
        ratio, noise = after / before, math.hypot(a.cv, b.cv)
        said = verdict(ratio, noise, arguments.threshold)
        slower += said == "slower"
        ratios.setdefault(key.path, []).append(ratio)
        percent = "?" if math.isnan(noise) else f"±{noise:.1%}"
        print(f"| {name(key)} | {before:.3f} | {after:.3f} | {ratio:.3f} | {percent} | {said} |")

    print("\n| path | geometric mean of new / old | benchmarks |")
    print("|---|---:|---:|")
    for path, values in ratios.items():
        print(f"| {path} | {math.exp(sum(map(math.log, values)) / len(values)):.3f} | {len(values)} |")
    return 1 if arguments.fail_if_slower and slower else 0


if __name__ == "__main__":
    sys.exit(main())
