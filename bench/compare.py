#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares two results of toeplitz_bench: new time / old time of each benchmark that both have.

    bench/compare.py old.json new.json
    bench/compare.py old.json new.json --fail-above 0.1

Run both with --benchmark_repetitions, and without --benchmark_report_aggregates_only. The noise of a ratio is the
root of the summed squares of three parts: the deviation of one repetition in either file, estimated from the
median of absolute deviations, and how far the floors (FloorMemcpy, FloorFftw, FloorFma: code that no change of
the library touches) scatter between the two files. A change is called one where it is larger than twice the noise
and than --threshold.
Needs Python 3.9 with nothing but its standard library.
"""

import argparse
import math
import re
import statistics
import sys

sys.dont_write_bytecode = True
import results  # noqa: E402

CONTEXT = ["cpu_model", "compiler", "flags", "simd_bytes", "fftw", "eigen", "openmp"]


def verdict(ratio, noise, threshold):
    if math.isnan(noise):
        return "? (one repetition)"
    if abs(math.log(ratio)) <= max(2 * noise, math.log1p(threshold)):
        return ""
    return "slower" if ratio > 1 else "faster"


def drift(old, new, keys, statistic):
    """Median of the floors' ratios, and their scatter; 1 and 0 where there are fewer than three."""
    logarithms = [math.log(getattr(new.samples[key], statistic) / getattr(old.samples[key], statistic))
                  for key in keys if key.path.startswith("Floor")]
    if len(logarithms) < 3:
        return 1.0, 0.0
    return math.exp(statistics.median(logarithms)), results.robust_deviation(logarithms)


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
    parser.add_argument("--remove-drift", action="store_true",
                        help="divide all ratios by the median ratio of the floors: by how much the machine "
                             "itself was faster or slower")
    parser.add_argument("--fail-above", type=float, metavar="FRACTION",
                        help="exit with 1 where anything became slower by more, beyond its noise: 0.1 for 10%%")
    arguments = parser.parse_args()

    old, new = (results.load(file, arguments.clock) for file in (arguments.old, arguments.new))
    for field in CONTEXT:
        before, after = old.context.get(field), new.context.get(field)
        if before != after:
            print(f"The runs differ in {field}: {before} and {after}.\n")
    common = [key for key in old.samples if key in new.samples]
    keys = [key for key in common if re.search(arguments.filter, name(key))]
    if not keys:
        sys.exit("the two files have no such benchmark in common")
    machine, scatter = drift(old, new, common, arguments.statistic)
    if scatter > 0:
        removed = ", removed from the ratios below" if arguments.remove_drift else ""
        print(f"The floors moved by {machine - 1:+.1%} ±{scatter:.1%} between the runs{removed}.\n")
    scale = machine if arguments.remove_drift else 1.0

    print("| benchmark | old ns/element | new ns/element | new / old | noise | |")
    print("|---|---:|---:|---:|---:|---|")
    ratios, failures = {}, []
    for key in keys:
        a, b = old.samples[key], new.samples[key]
        before, after = getattr(a, arguments.statistic), getattr(b, arguments.statistic)
        ratio, noise = after / before / scale, math.hypot(a.noise, b.noise, scatter)
        said = verdict(ratio, noise, arguments.threshold)
        if arguments.fail_above is not None and said == "slower" and ratio > 1 + arguments.fail_above \
                and not key.path.startswith("Floor"):
            failures.append(name(key))
        ratios.setdefault(key.path, []).append(ratio)
        percent = "?" if math.isnan(noise) else f"±{noise:.1%}"
        print(f"| {name(key)} | {before:.3f} | {after:.3f} | {ratio:.3f} | {percent} | {said} |")

    print("\n| path | geometric mean of new / old | benchmarks |")
    print("|---|---:|---:|")
    for path, values in ratios.items():
        print(f"| {path} | {math.exp(sum(map(math.log, values)) / len(values)):.3f} | {len(values)} |")
    for failure in failures:
        print(f"slower by more than {arguments.fail_above:.0%}: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
