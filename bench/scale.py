#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Time and memory of a product by every path, against n: a table, a plot, and where paths cross.

    bench/scale.py build/bench/bench --csv scale.csv --plot scale.svg
    bench/scale.py --from scale.csv --plot scale.svg      # the same without measuring again

Each size is a process of toeplitz_scale, so that the largest find all memory free; nothing lasts longer than a few
seconds. --run-by "chrt -f 10 taskset -c 1" keeps other work off a core. Needs Python 3.9 with nothing but its
standard library; the plot needs gnuplot.
"""

import argparse
import csv
import os
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
import report  # noqa: E402

# What is said of which: the first is the dearer one for short sequences, or for long ones.
CROSSINGS = [("Dense", "Fft"), ("Dense", "Band"), ("Fft", "Band"), ("Fft", "BandSki"), ("Fft", "StateSpace"),
             ("Fft", "Ski")]


def measure(directory, lengths, channels, run_by):
    """{(path, n, d): (ns per element, bytes of state, bytes of workspace)}"""
    program = str(pathlib.Path(directory, "toeplitz_scale"))
    rows = {}
    for d in channels:
        for n in lengths:
            done = subprocess.run([*run_by.split(), program, str(n), str(d)], check=True, text=True,
                                  stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"})
            for line in done.stdout.splitlines():
                path, time, state, workspace = line.split()
                rows[path, n, d] = float(time), int(state), int(workspace)
            print(f"n = {n}, d = {d}", file=sys.stderr)
    return rows


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return {(row["path"], int(row["n"]), int(row["d"])):
                (float(row["ns_per_element"]), int(row["state_bytes"]), int(row["workspace_bytes"]))
                for row in csv.DictReader(file)}


def write(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "n", "d", "ns_per_element", "state_bytes", "workspace_bytes"])
        for (name, n, d), values in rows.items():
            writer.writerow([name, n, d, *values])


def table(rows, d, lengths, cell):
    paths = [path for path in report.STYLES if any((path, n, d) in rows for n in lengths)]
    lines = ["| path | " + " | ".join(f"n = 2^{n.bit_length() - 1}" for n in lengths) + " |",
             "|---|" + "---:|" * len(lengths)]
    for path in paths:
        cells = [cell(rows[path, n, d]) if (path, n, d) in rows else "" for n in lengths]
        if any(cells):
            lines.append(f"| `{path}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def crossings(rows, d, lengths):
    """Lengths at which the faster of two paths becomes the slower one, between those that were measured."""
    for a, b in CROSSINGS:
        both = [n for n in lengths if (a, n, d) in rows and (b, n, d) in rows]
        faster = [b if rows[b, n, d][0] < rows[a, n, d][0] else a for n in both]
        changes = [f"from n = {both[i + 1]} on `{faster[i + 1]}`"
                   for i in range(len(both) - 1) if faster[i] != faster[i + 1]]
        if both:
            yield f"* `{a}` and `{b}`: " + ("; ".join([f"first `{faster[0]}`", *changes]) if changes else
                                            f"`{faster[0]}` everywhere")


def plot(rows, channels, lengths, file_name):
    commands = report.figure(file_name, 1100, 520)
    commands += ["set multiplot", "set tmargin at screen 0.91", "set bmargin at screen 0.13"]
    step = 0.84 / len(channels)
    for i, d in enumerate(channels):
        values = {}
        for path in report.STYLES:
            points = [(n, rows[path, n, d][0]) for n in lengths if (path, n, d) in rows]
            if points:
                values[path] = points
        *settings, draw = report.curves(values)
        ticks = ", ".join(f"'2^{{{n.bit_length() - 1}}}' {n}" for n in lengths[::2])
        commands += [f"set lmargin at screen {0.07 + i * step}", f"set rmargin at screen {(i + 1) * step}",
                     "set key off" if d != channels[-1] else "set key at screen 0.99, 0.5 right center Left reverse",
                     f"set title 'd = {d}'", "unset ylabel" if i else "set ylabel 'ns per element'",
                     "set yrange [0.05:3000]", *settings, f"set xtics ({ticks})", draw]
    report.gnuplot("\n".join([*commands, "unset multiplot"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="?", help="where toeplitz_scale is")
    parser.add_argument("--from", dest="source", metavar="CSV", help="results of an earlier run, in place of a new one")
    parser.add_argument("--channels", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--longest", type=int, default=1 << 20, help="n; default: %(default)s")
    parser.add_argument("--run-by", default="", metavar="COMMAND", help="put before each program")
    parser.add_argument("--csv", metavar="FILE", help="what was measured")
    parser.add_argument("--plot", metavar="FILE", help="an SVG")
    arguments = parser.parse_args()
    if (arguments.directory is None) == (arguments.source is None):
        parser.error("give a directory, or results by --from")
    lengths = [1 << e for e in range(8, arguments.longest.bit_length())]
    if arguments.source:
        rows = read(arguments.source)
    else:
        rows = measure(arguments.directory, lengths, arguments.channels, arguments.run_by)
    if arguments.csv:
        write(arguments.csv, rows)
    for d in arguments.channels:
        shown = lengths[::3]
        print(f"### d = {d}: ns per element\n\n{table(rows, d, shown, lambda v: report.number(v[0]))}")
        print(f"### d = {d}: memory of the operator + of its workspace\n\n" +
              table(rows, d, shown, lambda v: f"{report.size(v[1])} + {report.size(v[2])}" if v[1] else ""))
        print("\n".join(crossings(rows, d, lengths)) + "\n")
    if arguments.plot:
        plot(rows, arguments.channels, lengths, arguments.plot)


if __name__ == "__main__":
    main()
