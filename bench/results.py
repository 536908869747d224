# SPDX-License-Identifier: MIT
"""Results of toeplitz_bench, read from Google Benchmark's JSON. Python 3.9, standard library only."""

import dataclasses
import json
import re
import statistics
import sys

NAME = re.compile(r"(?P<path>\w+(?:/\w+)?)(?:/n:(?P<n>\d+)/d:(?P<d>\d+)(?:/taps:(?P<taps>\d+))?(?:/r:(?P<r>\d+))?"
                  r"|/rows:(?P<rows>\d+)/in:(?P<inputs>\d+)/out:(?P<outputs>\d+))(?:/weights:(?P<weights>\w+))?"
                  r"/threads:(?P<threads>\d+)")
NANOSECONDS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


@dataclasses.dataclass(frozen=True)
class Key:
    """The parts of a benchmark's name; taps and r are 0 where the path has none. Rows and outputs of a map are n
    and d; its inputs, and how weights are stored, belong to the path."""

    path: str
    n: int
    d: int
    taps: int
    r: int
    threads: int

    def sizes(self):
        return self.n, self.d, self.threads


@dataclasses.dataclass
class Sample:
    """Nanoseconds per element over the repetitions of one benchmark."""

    median: float
    mean: float
    min: float
    noise: float  # of one repetition, relative; nan where there was only one
    repetitions: int
    state_bytes: float
    workspace_bytes: float


@dataclasses.dataclass
class Results:
    context: dict
    samples: dict  # of Sample by Key


def robust_deviation(values):
    """The standard deviation, estimated from the median of absolute deviations: outliers do not count."""
    middle = statistics.median(values)
    return 1.4826 * statistics.median(abs(v - middle) for v in values)


def relative_noise(values):
    """Of one of the values. At least half of the plain standard deviation, as a few repetitions may agree by
    accident."""
    if len(values) < 2:
        return float("nan")
    return max(robust_deviation(values) / statistics.median(values),
               0.5 * statistics.stdev(values) / statistics.fmean(values))


def parse_key(name):
    """The Key of a name, None where it is not one of toeplitz_bench."""
    match = NAME.fullmatch(name)
    if not match:
        return None
    numbers = {k: int(match[k] or 0) for k in ("taps", "r", "threads")}
    details = [f"{k}:{match[v]}" for k, v in (("in", "inputs"), ("weights", "weights")) if match[v]]
    return Key(path="/".join([match["path"], *details]), n=int(match["n"] or match["rows"]),
               d=int(match["d"] or match["outputs"]), **numbers)


def add_clock_option(parser):
    parser.add_argument("--clock", choices=["real", "cpu"], default="real",
                        help="cpu: time of the calling thread, which withstands a busy machine and is fair "
                             "for one thread only; default: %(default)s")


def load(file_name, clock):
    """Results of a file written with --benchmark_out, with or without aggregates; exits on any other.

    clock: "real" or "cpu", see add_clock_option.
    """
    try:
        with open(file_name, encoding="utf-8") as file:
            document = json.load(file)
        entries = document["benchmarks"]
        context = document["context"]
    except (OSError, ValueError, KeyError, TypeError) as failure:
        sys.exit(f"{file_name}: not a result file of toeplitz_bench: {failure!r}")

    def time(entry, key):
        """Nanoseconds per element; aggregates that are ratios have no unit and stay as they are."""
        if clock == "real":
            return entry["ns_per_element"]
        if entry.get("aggregate_unit") == "percentage":
            return entry["cpu_time"]
        return entry["cpu_time"] * NANOSECONDS[entry["time_unit"]] / (key.n * key.d)

    repetitions, aggregates, memory = {}, {}, {}
    for entry in entries:
        key = parse_key(entry.get("run_name", ""))
        if key is None:
            continue
        if entry.get("error_occurred"):
            print(f"{file_name}: {entry['name']} failed: {entry.get('error_message', '')}", file=sys.stderr)
            continue
        if entry.get("aggregate_name", "median") == "median":
            memory[key] = entry.get("state_bytes", 0), entry.get("workspace_bytes", 0)
        if entry.get("run_type") == "aggregate":
            aggregates.setdefault(key, {"count": entry["repetitions"]})[entry["aggregate_name"]] = \
                time(entry, key)
        else:
            repetitions.setdefault(key, []).append(time(entry, key))

    samples = {}
    for key in dict.fromkeys([*repetitions, *aggregates]):
        if key in repetitions:
            values = repetitions[key]
            figures = (statistics.median(values), statistics.fmean(values), min(values), relative_noise(values),
                       len(values))
        else:
            a = aggregates[key]
            figures = a["median"], a["mean"], a["min"], a["cv"], a["count"]
        samples[key] = Sample(*figures, *memory[key])
    if not samples:
        sys.exit(f"{file_name}: no benchmarks of toeplitz_bench in it")
    return Results(context, samples)
