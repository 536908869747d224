#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""This library beside the same computation in PyTorch: both sides take turns, and ratios are printed.

    bench/peers/compare.py build/bench/bench --out peers.json
    bench/peers/compare.py build/bench/bench --what block --lengths 2048 --channels 512

The folder is the one that toeplitz_bench and toeplitz_peer_export were built in. Before anything is timed, both
sides must agree on a small case. One round is a short run of the C++ benchmark followed by one of PyTorch; a
ratio is PyTorch's time / ours, the median over the rounds of the ratios within a round.

PyTorch has its best settings: an allocator that keeps large blocks (tcmalloc or jemalloc where installed,
otherwise glibc's with its thresholds out of the way), its widest instruction set, inference mode, sizes that are
powers of two for its FFT, and of several ways to compute the same numbers (peers/operators.py) the fastest at
each shape. The "plain" ratio leaves out ways that published code does not use: a depthwise convolution of a
picture one pixel wide in place of conv1d, interpolation as resizing. Without PyTorch the script says so and stops with 0.
Needs Python 3.9 with nothing but its standard library; the PyTorch side runs in the Python that has it.
"""

import argparse
import ctypes.util
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
OPERATORS = ["Fft", "TnoBidirectional", "TnoCausal", "Hilbert", "SpectralBidirectional", "Band", "BandSki"]
BLOCKS = ["TnoBidirectional", "TnoCausal", "FdCausal", "FdBidirectional", "Ski"]
SIZES = {"Band": "/taps:33", "BandSki": "/taps:33/r:64"}
PASSES = ["forward", "step"]
LARGEST_ERROR = 1e-5  # of float on either side; a wrong formula is off by 1e-2 at least
# glibc maps and unmaps large temporaries at every call otherwise, and PyTorch is several times slower.
GLIBC = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "MALLOC_TOP_PAD_": "268435456",
}


def find_python(wanted, code="import torch; print(torch.backends.mkl.is_available())"):
    """The Python that runs the code, one that prints True before others; None where there is none."""
    found = []
    for python in [wanted] if wanted else dict.fromkeys([sys.executable, "python3", "/usr/bin/python3"]):
        try:
            probe = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        except OSError:
            continue
        if probe.returncode == 0:
            found.append((probe.stdout.strip() != "True", python))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def allocator(name):
    """The environment of an allocator, and what it is called."""
    libraries = ["tcmalloc_minimal", "tcmalloc", "jemalloc"] if name == "best" else [name]
    for library in [] if name == "glibc" else libraries:
        file = ctypes.util.find_library(library)
        if file:
            return {"LD_PRELOAD": file}, file
    if name not in ("best", "glibc"):
        sys.exit(f"no library {name} is installed")
    return dict(GLIBC), "glibc with " + " ".join(f"{k}={v}" for k, v in GLIBC.items())


class Peer:
    """A process of the other side, which answers each line of JSON with one."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **environment, "PYTHONDONTWRITEBYTECODE": "1"})

    def ask(self, request):
        line = json.dumps(request)
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            sys.exit(f"the other side's process ended with {self.process.wait()} at {line[:100]}")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def start_torch(python, environment, threads, memory):
    """The process that knows operators and blocks in PyTorch."""
    return Peer([python, HERE / "worker.py", "--threads", threads, "--memory", memory],
                {**environment, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)})


def check(folder, peer):
    """Stops unless both sides compute the same numbers."""
    program = folder / "toeplitz_peer_export"
    output = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    answer = peer.ask({"do": "check", "cases": json.loads(output)})
    if "errors" not in answer:
        sys.exit(f"the check of both sides failed: {answer}")
    wrong = [error for error in answer["errors"] if not error[3] <= LARGEST_ERROR]
    for path, variant, quantity, error in wrong:
        print(f"{path}, PyTorch's {variant}: {quantity} differs by {error:.1e}", file=sys.stderr)
    if wrong:
        sys.exit("the two sides do not compute the same")
    largest = max(error[3] for error in answer["errors"])
    print(f"Both sides agree: {len(answer['errors'])} results and gradients, largest relative difference "
          f"{largest:.1e}.\n")
    return largest


def name_of(what, path, which):
    if what == "block":
        return f"Block{'Forward' if which == 'forward' else 'Step'}/{path}"
    return path + ("" if which == "forward" else "Step")


def own(options, names, n, d, threads):
    """Milliseconds by name."""
    expression = "|".join(names)
    command = [options.folder / "toeplitz_bench",
               f"--benchmark_filter=^({expression})/n:{n}/d:{d}(/taps:33)?(/r:64)?/threads:{threads}$",
               "--benchmark_format=json", f"--benchmark_min_time={options.seconds / 3}",
               "--benchmark_repetitions=3"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{run.stderr}")
    times = {}
    for entry in json.loads(run.stdout)["benchmarks"]:
        if entry.get("run_type") == "iteration":
            # ns_per_element is of the wall clock.
            name = entry["run_name"].split("/n:")[0]
            times.setdefault(name, []).append(entry["ns_per_element"] * n * d * 1e-6)
    return {name: statistics.median(values) for name, values in times.items()}


def compare(options, peer, path, which, n, d, threads):
    """One row of the result."""
    row = {"what": options.what, "path": path, "pass": which, "n": n, "d": d, "threads": threads}
    name = name_of(options.what, path, which)
    kind = "block" if options.what == "block" else "operator"
    request = {"do": "time", "what": kind, "path": path, "pass": which, "n": n, "d": d,
               "seconds": options.seconds, "limit": options.limit}
    rounds = []
    for _ in range(options.rounds):
        mine = own(options, [name], n, d, threads).get(name)
        if mine is None:
            return {**row, "skipped": "toeplitz_bench has no such benchmark"}
        answer = peer.ask(request)
        if "best" not in answer:
            return {**row, **answer}
        rounds.append((mine, answer))
    ratios = [answer["best"] / mine for mine, answer in rounds]
    ratio = statistics.median(ratios)
    return {**row, "own_ms": statistics.median(mine for mine, _ in rounds),
            "peer_ms": statistics.median(answer["best"] for _, answer in rounds),
            "plain_ms": statistics.median(answer["plain"] for _, answer in rounds),
            "ratio": ratio, "spread": statistics.median(abs(r - ratio) for r in ratios) / ratio,
            "plain_ratio": statistics.median(answer["plain"] / mine for mine, answer in rounds),
            "variant": rounds[-1][1]["variant"], "plain_variant": rounds[-1][1]["plain_variant"]}


def milliseconds(value):
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def print_row(row):
    start = f"| `{name_of(row['what'], row['path'], row['pass'])}` | {row['n']} | {row['d']} | {row['threads']} |"
    if "ratio" not in row:
        print(start, "", "|", "", "|", "", "|", "", "|", row.get("skipped") or f"failed: {row['failed']}", "|",
              flush=True)
        return
    print(start, milliseconds(row["own_ms"]), "|", milliseconds(row["peer_ms"]), "|",
          f"**{row['ratio']:.1f}** ±{row['spread']:.0%}", "|", f"{row['plain_ratio']:.1f}", "|", row["variant"],
          "|", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="where toeplitz_bench is")
    parser.add_argument("--what", choices=["operators", "block"], default="operators",
                        help="default: %(default)s")
    parser.add_argument("--paths", nargs="+", choices=sorted({*OPERATORS, *BLOCKS}), help="default: all")
    parser.add_argument("--passes", nargs="+", choices=PASSES, default=PASSES,
                        help="a step is forward and backward; default: both")
    parser.add_argument("--lengths", nargs="+", type=int, metavar="N",
                        help="default: 512 2048 8192 32768 131072, of a layer 512 2048 8192")
    parser.add_argument("--channels", nargs="+", type=int, metavar="D",
                        help="default: 64 512, of a layer 512")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], help="default: 1 2")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=0.2,
                        help="that each side runs per round, at least one call; default: %(default)s")
    parser.add_argument("--limit", type=float, default=60,
                        help="skip what takes PyTorch longer, in seconds per call; default: %(default)s")
    parser.add_argument("--memory", type=float, default=20, help="GB that PyTorch may have; default: %(default)s")
    parser.add_argument("--python", help="one with PyTorch; default: looks for one, with MKL where possible")
    parser.add_argument("--allocator", default="best", metavar="NAME",
                        help="best, glibc, or a library such as jemalloc; default: %(default)s")
    parser.add_argument("--out", type=pathlib.Path, help="all figures as JSON, for bench/report.py --peers")
    options = parser.parse_args()
    for program in ("toeplitz_bench", "toeplitz_peer_export"):
        if not (options.folder / program).is_file():
            sys.exit(f"{options.folder} has no {program}: cmake --preset bench && cmake --build --preset bench")
    python = find_python(options.python)
    if python is None:
        print("There is no PyTorch here (Debian: python3-torch; PyPI: torch): nothing to compare with.")
        return
    options.folder = options.folder.resolve()
    block = options.what == "block"
    paths = options.paths or (BLOCKS if block else OPERATORS)
    unknown = set(paths) - set(BLOCKS if block else OPERATORS)
    if unknown:
        sys.exit(f"--what {options.what} has no {', '.join(sorted(unknown))}")
    lengths = options.lengths or ([512, 2048, 8192] if block else [512, 2048, 8192, 32768, 131072])
    channels = options.channels or ([512] if block else [64, 512])
    environment, allocator_name = allocator(options.allocator)

    document = {"what": options.what, "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "rounds": options.rounds,
                "seconds": options.seconds, "allocator": allocator_name, "rows": []}
    for threads in options.threads:
        peer = start_torch(python, environment, threads, options.memory)
        if "torch" not in document:
            document["torch"] = peer.ask({"do": "describe"})
            torch = document["torch"]
            print(f"PyTorch {torch['version']} {'with' if torch['mkl'] else 'without'} MKL, {torch['isa']}, "
                  f"{torch['onednn']}; {', '.join(torch['libraries'])}; {allocator_name}\n")
            document["largest_difference"] = check(options.folder, peer)
            print(f"Median of {options.rounds} rounds; milliseconds; ratio = PyTorch / toeplitz.\n")
            print("| operation | n | d | threads | toeplitz | PyTorch | ratio | plain ratio | fastest variant |")
            print("|---|---:|---:|---:|---:|---:|---:|---:|---|", flush=True)
        for d in channels:
            for n in lengths:
                for path in paths:
                    for which in options.passes:
                        row = compare(options, peer, path, which, n, d, threads)
                        document["rows"].append(row)
                        print_row(row)
                        if options.out:  # what was measured survives an interruption
                            options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        peer.close()
    if any("failed" in row for row in document["rows"]):
        sys.exit(1)


if __name__ == "__main__":
    main()
