#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The exact product of few channels beside pocketfft, in SciPy's form: both sides take turns, ratios are printed.

    chrt -f 10 taskset -c 1 bench/peers/pocketfft.py build/bench/bench --out pocketfft.json

The folder is the one that toeplitz_bench was built in. Ours is the whole product of `Fft`; theirs are the two
real transforms of 2n points per channel that it needs at least, and nothing else, as `FloorFftw`, which is
timed beside it: no multiplication by the kernel, no padding. A call from Python takes some 10 µs, as long as a
short transform. So pocketfft transforms 1, 8 or 64 such signals in one call, which it may do in vectors across
them, and what counts is the time of a signal in the fastest. Its memory is kept between calls, too. Both are
float, with one thread. A ratio is our time / theirs, of the least of all rounds.
Without SciPy the script says so and stops with 0. Needs Python 3.9; SciPy may be another Python's.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

from compare import Peer, allocator, find_python

# What the other Python runs: says its versions, and then, for [n, d, seconds], microseconds of a signal for each
# number of signals.
WORKER = """
import json, sys, time
import numpy, scipy, scipy.fft
for line in sys.stdin:
    if json.loads(line) == "versions":
        versions = {"scipy": scipy.__version__, "numpy": numpy.__version__, "python": sys.version.split()[0]}
        print(json.dumps(versions), flush=True)
        continue
    n, d, seconds = json.loads(line)
    answer = {}
    for signals in (1, 8, 64):
        if signals > 1 and signals * n * d > 2**19:
            continue
        x = numpy.random.default_rng(1).standard_normal((signals, d, 2 * n)).astype(numpy.float32)
        assert scipy.fft.rfft(x).dtype == numpy.complex64
        best, begin = float("inf"), time.perf_counter()
        while time.perf_counter() - begin < seconds:
            start = time.perf_counter()
            y = scipy.fft.irfft(scipy.fft.rfft(x, workers=1), 2 * n, workers=1)
            best = min(best, time.perf_counter() - start)
        assert abs(y - x).max() < 1e-4
        answer[signals] = 1e6 * best / signals
    print(json.dumps(answer), flush=True)
"""


def own(options, n, d):
    """Microseconds of the product, and of FFTW's transforms."""
    command = [options.folder / "toeplitz_bench", f"--benchmark_filter=^(Fft|FloorFftw)/n:{n}/d:{d}/threads:1$",
               "--benchmark_format=json", f"--benchmark_min_time={options.seconds / 10}", "--benchmark_repetitions=10",
               "--benchmark_enable_random_interleaving=true"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{run.stderr}")
    times = {}
    for entry in json.loads(run.stdout)["benchmarks"]:
        if entry.get("run_type") == "iteration":
            name = entry["run_name"].split("/")[0]
            times[name] = min(times.get(name, float("inf")), entry["ns_per_element"] * n * d * 1e-3)
    if len(times) < 2:
        sys.exit(f"toeplitz_bench has no rows for n = {n}, d = {d}")
    return times


def compare(options, peer, n, d):
    """One row of the result."""
    row = {"n": n, "d": d}
    for _ in range(options.rounds):
        times = own(options, n, d)
        signals, theirs = min(peer.ask([n, d, options.seconds]).items(), key=lambda pair: pair[1])
        for name, value in (("own_us", times["Fft"]), ("fftw_us", times["FloorFftw"])):
            row[name] = min(row.get(name, value), value)
        if theirs <= row.get("pocketfft_us", theirs):
            row["pocketfft_us"], row["signals"] = theirs, int(signals)
    row["ratio_fftw"] = row["own_us"] / row["fftw_us"]
    row["ratio_pocketfft"] = row["own_us"] / row["pocketfft_us"]
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="where toeplitz_bench is")
    parser.add_argument("--lengths", nargs="+", type=int, metavar="N", default=[512, 1500, 2048, 8192, 32768, 131072],
                        help="default: all that toeplitz_bench has")
    parser.add_argument("--channels", nargs="+", type=int, metavar="D", default=[1, 2, 3, 5, 8],
                        help="default: all that toeplitz_bench has")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=0.1, help="of each side in a round; default: %(default)s")
    parser.add_argument("--python", help="one with SciPy; default: looks for one")
    parser.add_argument("--out", type=pathlib.Path, help="all figures as JSON")
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    if not (options.folder / "toeplitz_bench").is_file():
        sys.exit(f"{options.folder} has no toeplitz_bench: cmake --preset bench && cmake --build --preset bench")
    python = find_python(options.python, "import scipy.fft")
    if python is None:
        print("There is no SciPy here (Debian: python3-scipy; PyPI: scipy): nothing to compare with.")
        return
    environment, _ = allocator("best")
    peer = Peer([python, "-c", WORKER], environment)
    document = {**peer.ask("versions"), "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "rounds": options.rounds,
                "seconds": options.seconds, "rows": []}
    print(f"SciPy {document['scipy']}, Python {document['python']}. Microseconds of a signal, the least of "
          f"{options.rounds} rounds; ratio: our time / theirs.\n")
    print("| d | n | Fft | FFTW | pocketfft | signals in a call | Fft / FFTW | Fft / pocketfft |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    for d in options.channels:
        for n in options.lengths:
            row = compare(options, peer, n, d)
            document["rows"].append(row)
            print(f"| {d} | {n} | {row['own_us']:.3g} | {row['fftw_us']:.3g} | {row['pocketfft_us']:.3g} | "
                  f"{row['signals']} | {row['ratio_fftw']:.2f} | **{row['ratio_pocketfft']:.2f}** |", flush=True)
            if options.out:  # what was measured survives an interruption
                options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    peer.close()


if __name__ == "__main__":
    main()
