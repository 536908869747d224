#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A TNN layer of this library beside the same layer in PyTorch: both sides take turns, and ratios are printed.

    compare.py BENCH [--length 2048] [--width 512] [--threads 1] [--rounds 5] [--python /usr/bin/python3]

BENCH is the benchmark executable. PyTorch runs with an allocator that keeps large blocks, which it is several
times faster with. Without PyTorch the script says so and stops.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

MIXERS = {
    "tno_bidirectional": "TnoBidirectional",
    "tno_causal": "TnoCausal",
    "fd_causal": "FdCausal",
    "fd_bidirectional": "FdBidirectional",
    "ski": "Ski",
}
PASSES = {"forward": "BlockForward", "step": "BlockStep"}
# glibc would map and unmap large temporaries at every call.
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "MALLOC_TOP_PAD_": "268435456",
}


def peer(options, mixer, passes):
    command = [options.python, str(pathlib.Path(__file__).with_name("block.py")), "--mixer", mixer]
    command += ["--length", str(options.length), "--width", str(options.width)]
    command += ["--threads", str(options.threads), "--passes", *passes]
    environment = {**os.environ, **MALLOC, "OMP_NUM_THREADS": str(options.threads)}
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return {line["pass"]: min(line["milliseconds"]) for line in map(json.loads, output.splitlines())}


def own(options, mixer, passes):
    names = "|".join(PASSES[p] for p in passes)
    shape = f"n:{options.length}/d:{options.width}/threads:{options.threads}"
    command = [options.bench, f"--benchmark_filter=^({names})/({MIXERS[mixer]}|GemmFloor)/{shape}$"]
    command += ["--benchmark_format=json", "--benchmark_min_time=0.5"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads), "OPENBLAS_NUM_THREADS": "1"}
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    unit = {"ns": 1e-6, "us": 1e-3, "ms": 1.0}
    times = {}
    for run in json.loads(output)["benchmarks"]:
        kind, name = run["name"].split("/")[:2]
        times[kind, name] = run["real_time"] * unit[run["time_unit"]]
    return {p: (times[PASSES[p], MIXERS[mixer]], times[PASSES[p], "GemmFloor"]) for p in passes}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", metavar="BENCH")
    parser.add_argument("--length", type=int, default=2048)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mixers", nargs="+", choices=MIXERS, default=list(MIXERS))
    parser.add_argument("--passes", nargs="+", choices=PASSES, default=list(PASSES))
    parser.add_argument("--python", default="/usr/bin/python3")
    options = parser.parse_args()
    probe = subprocess.run([options.python, "-c", "import torch; print(torch.__version__)"],
                           capture_output=True, text=True)
    if probe.returncode != 0:
        sys.exit(f"{options.python} has no PyTorch (Debian: python3-torch): nothing to compare with")
    print(f"PyTorch {probe.stdout.strip()}, n = {options.length}, d = {options.width}, "
          f"{options.threads} thread(s), median of {options.rounds} rounds, milliseconds\n")
    print("| mixer | pass | PyTorch | toeplitz | ratio | its products alone |")
    print("|---|---|---|---|---|---|")
    for mixer in options.mixers:
        rounds = [(peer(options, mixer, options.passes), own(options, mixer, options.passes))
                  for _ in range(options.rounds)]
        for name in options.passes:
            theirs = statistics.median(p[name] for p, _ in rounds)
            ours = statistics.median(o[name][0] for _, o in rounds)
            floor = statistics.median(o[name][1] for _, o in rounds)
            ratio = statistics.median(p[name] / o[name][0] for p, o in rounds)
            print(f"| {mixer} | {name} | {theirs:.1f} | {ours:.1f} | {ratio:.2f} | {floor:.1f} |", flush=True)


if __name__ == "__main__":
    main()
