#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tables of a run: multiples of the floors, PyTorch beside this library, and the targets.

    bench/targets.py results.json --peers operators.json block.json --output targets.md

results.json is a run of toeplitz_bench, the others come from bench/peers/compare.py --out. Sections can be
included as they are. A target is a bound on one figure at some sizes; the table names the size that is furthest
from it. Needs Python 3.9 with nothing but its standard library.
"""

import argparse
import dataclasses
import json
import pathlib
import sys
from typing import Callable

sys.dont_write_bytecode = True
import report  # noqa: E402
import results  # noqa: E402

PATHS = ["Fft", "FftCausal", "FftGradient", "FftStep", "Hilbert", "HilbertStep", "SpectralBidirectional",
         "SpectralBidirectionalStep", "Band", "BandStep", "Ski", "BandSki", "BandSkiGradient", "BandSkiStep",
         "PositionMlp"]


@dataclasses.dataclass
class Target:
    """`figure` of `path` is at most or at least `bound` where `sizes(n, d, threads)`."""

    text: str
    path: str
    figure: str  # "floor", "memcpy", "ns", "gain" or "peer"
    bound: float
    sizes: Callable
    at_least: bool = False


def everywhere(n, d, threads):
    return True


def at(n=None, d=None, threads=1):
    return lambda n_, d_, threads_: n_ == (n or n_) and d_ == (d or d_) and threads_ == threads


TARGETS = [
    Target("exact product, cached kernel", "Fft", "floor", 0.5, everywhere),
    Target("exact product, cached kernel", "Fft", "ns", 1.1, at(n=2048, d=512)),
    Target("band of 33 taps", "Band", "floor", 1.15, at(n=2048, d=64)),
    Target("band of 33 taps", "Band", "floor", 1.5, at(n=2048, d=512)),
    Target("low rank, r = 64", "Ski", "memcpy", 1.8, lambda n, d, threads: n >= 8192 and threads == 1),
    Target("band + low rank", "BandSki", "ns", 0.45,
           lambda n, d, threads: d == 64 and 2048 <= n <= 32768 and threads == 1),
    Target("band + low rank", "BandSki", "memcpy", 4,
           lambda n, d, threads: d == 512 and n >= 8192 and threads == 1),
    Target("Hilbert: kernel and product", "Hilbert", "ns", 2.6, at(n=2048, d=64)),
    Target("Hilbert: kernel and product", "Hilbert", "ns", 3.2, at(n=8192, d=64)),
    Target("position perceptron", "PositionMlp", "floor", 1.3, at(n=2048, d=512)),
    *(Target(f"layer: {mixer}, {name}", f"Block{kind}/{mixer}", "floor", 1.25, at(n=2048, d=512))
      for mixer in ("TnoBidirectional", "TnoCausal", "FdBidirectional", "FdCausal", "Ski")
      for kind, name in (("Forward", "forward"), ("Step", "step"))),
    *(Target(f"2 threads: {path}", path, "gain", 1.7,
             lambda n, d, threads: n >= 2048 and threads == 2, at_least=True)
      for path in ("Fft", "Hilbert", "Band", "Ski", "BandSki", "PositionMlp")),
    *(Target(f"PyTorch: {path}", path, "peer", bound, at(n=2048, d=512), at_least=True)
      for path, bound in (("Fft", 15), ("Band", 25), ("BandSki", 40), ("Hilbert", 8))),
    *(Target(f"PyTorch: layer, {mixer}, {name}", f"Block{kind}/{mixer}", "peer", 1.2, at(n=2048, d=512),
             at_least=True)
      for mixer in ("TnoBidirectional", "TnoCausal", "FdBidirectional", "FdCausal", "Ski")
      for kind, name in (("Forward", "forward"), ("Step", "step"))),
]
UNITS = {"floor": "× its floor", "memcpy": "× a copy", "ns": "ns per element", "gain": "× one thread",
         "peer": "× PyTorch's speed"}


def default_key(path, n, d, threads):
    taps = report.DEFAULT_TAPS if path.startswith("Band") else 0
    rank = report.DEFAULT_RANK if path.startswith(("BandSki", "Ski")) else 0
    return results.Key(path, n, d, taps, rank, threads)


def is_default(key):
    return key == default_key(key.path, key.n, key.d, key.threads)


def figure_of(key, figure, samples):
    """A number, or None where it was not measured."""
    sample = samples.get(key)
    if sample is None:
        return None
    if figure == "ns":
        return sample.median
    if figure == "gain":
        one = samples.get(default_key(key.path, key.n, key.d, 1))
        return one.median / sample.median if one else None
    floor = samples.get(results.Key("FloorMemcpy", key.n, key.d, 0, 0, key.threads)) if figure == "memcpy" \
        else report.floor_of(key, samples)
    return sample.median / floor.median if floor else None


def peer_name(row):
    """The name of the benchmark that a row was measured with."""
    if row["what"] == "block":
        return f"Block{'Forward' if row['pass'] == 'forward' else 'Step'}/{row['path']}"
    return row["path"] + ("" if row["pass"] == "forward" else "Step")


def floor_section(samples):
    parts = ["## Multiples of the floors\n",
             "Median of the repetitions, path and floor from one run: `FloorFftw` for the products by transforms, "
             "`FloorFma` for the band, `FloorMemcpy` for the low-rank part, the matrix products alone for the "
             "perceptron and the layers.\n"]
    for d, threads in sorted({(key.d, key.threads) for key in samples}):
        keys = [key for key in samples if (key.d, key.threads) == (d, threads) and is_default(key)
                and (key.path in PATHS or key.path.startswith("Block")) and report.floor_of(key, samples)]
        if keys:
            plural = "thread" if threads == 1 else "threads"
            parts.append(report.table(f"Floors, d = {d}, {threads} {plural}", keys, lambda key: (
                f"{report.number(figure_of(key, 'floor', samples))}×")))
    return parts


def peer_cell(row):
    if "ratio" not in row:
        return row.get("skipped") or "failed"
    text = f"{row['ratio']:.1f}"
    return text if row["variant"] == row["plain_variant"] else f"{text} ({row['plain_ratio']:.1f})"


def peer_section(documents):
    parts = ["## PyTorch beside this library\n",
             "PyTorch's time / ours, both sides taking turns, median over the rounds. PyTorch runs the fastest of "
             "several ways to compute the same numbers; in brackets, where that is another one: the fastest "
             "of the plain ways, those of published code. `Fft`, `Band` and `BandSki` have their kernel; the others compute it at each "
             "call; steps are forward and backward.\n"]
    for document in documents:
        torch = document["torch"]
        parts.append(
            f"* PyTorch {torch['version']} {'with' if torch['mkl'] else 'without'} MKL, {torch['isa']}, "
            f"{torch['onednn']}; {', '.join(torch['libraries'])}\n* {document['allocator']}; "
            f"{document['rounds']} rounds of {document['seconds']:g} s, {document['date']}; both sides agree to "
            f"{document['largest_difference']:.1e}\n")
        rows = document["rows"]
        for d, threads in sorted({(row["d"], row["threads"]) for row in rows}):
            here = [row for row in rows if (row["d"], row["threads"]) == (d, threads)]
            lengths = sorted({row["n"] for row in here})
            plural = "thread" if threads == 1 else "threads"
            lines = [f"### PyTorch, d = {d}, {threads} {plural}{', layers' * (document['what'] == 'block')}", "",
                     "| path | " + " | ".join(f"n = {n}" for n in lengths) + " |",
                     "|---|" + "---:|" * len(lengths)]
            for name in dict.fromkeys(map(peer_name, here)):
                cells = {row["n"]: peer_cell(row) for row in here if peer_name(row) == name}
                lines.append(f"| `{name}` | " + " | ".join(cells.get(n, "") for n in lengths) + " |")
            parts.append("\n".join(lines) + "\n")
    return parts


def target_section(samples, peers):
    lines = ["## Targets\n", "Of the sizes that a target names, the one furthest from it. Targets against PyTorch "
             "are those against its plain variants; in brackets the fastest rewritten one.\n",
             "| path | target | measured | at | |", "|---|---|---:|---|---|"]
    sizes = sorted({key.sizes() for key in samples} | {name[1:] for name in peers})
    for target in TARGETS:
        figures = []
        for n, d, threads in sizes:
            if not target.sizes(n, d, threads):
                continue
            key = default_key(target.path, n, d, threads)
            if target.figure == "peer":
                row = peers.get((target.path, n, d, threads))
                value, note = (row["plain_ratio"], row) if row else (None, None)
            else:
                value, note = figure_of(key, target.figure, samples), None
            if value is not None:
                figures.append((value, (n, d, threads), note))
        sign = "≥" if target.at_least else "≤"
        start = f"| {target.text} | {sign} {target.bound:g} {UNITS[target.figure]} |"
        if not figures:
            lines.append(f"{start} not measured | | |")
            continue
        choose = min if target.at_least else max
        value, (n, d, threads), row = choose(figures, key=lambda f: f[0])
        met = value >= target.bound if target.at_least else value <= target.bound
        shown = report.number(value)
        if row and row["variant"] != row["plain_variant"]:
            shown += f" (rewritten: {row['ratio']:.1f})"
        lines.append(f"{start} {shown} | n = {n}, d = {d}, {threads} thread{'s' * (threads > 1)} | "
                     f"{'yes' if met else '**no**'} |")
    return ["\n".join(lines) + "\n"]


def load_peers(file):
    try:
        document = json.loads(pathlib.Path(file).read_text(encoding="utf-8"))
        if not isinstance(document["torch"], dict) or not isinstance(document["rows"], list):
            raise ValueError("torch and rows are missing")
        return document
    except (OSError, ValueError, KeyError, TypeError) as failure:
        sys.exit(f"{file}: not written by bench/peers/compare.py: {failure!r}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", help="JSON written by toeplitz_bench --benchmark_out")
    parser.add_argument("--peers", nargs="+", default=[], help="JSON written by bench/peers/compare.py --out")
    parser.add_argument("--output", metavar="FILE", help="the Markdown; default: standard output")
    results.add_clock_option(parser)
    arguments = parser.parse_args()
    run = results.load(arguments.results, arguments.clock)
    documents = [load_peers(file) for file in arguments.peers]
    peers = {(peer_name(row), row["n"], row["d"], row["threads"]): row
             for document in documents for row in document["rows"] if "ratio" in row}
    parts = ["<!-- Written by bench/targets.py -->\n", report.machine(run.context, run.samples)]
    parts += target_section(run.samples, peers) + floor_section(run.samples)
    if documents:
        parts += peer_section(documents)
    text = "\n".join(parts)
    if arguments.output:
        pathlib.Path(arguments.output).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
