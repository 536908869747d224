#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns a result of toeplitz_bench into Markdown tables and, where asked for, SVG plots.

    toeplitz_bench --benchmark_min_time=0.1 --benchmark_repetitions=5 \\
                   --benchmark_report_aggregates_only=true --benchmark_out=results.json
    bench/report.py results.json --output benchmarks.md --plots images

Needs Python 3.9 with nothing but its standard library; the plots need gnuplot.
"""

import argparse
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
import results  # noqa: E402

DEFAULT_TAPS, DEFAULT_RANK = 33, 64

# The floor that a path is compared with. Other paths are compared with none.
FFTW_PATHS = ["Fft", "FftCausal", "FftGradient", "FftStep", "Hilbert", "HilbertStep", "SpectralBidirectional",
              "SpectralBidirectionalStep"]
MEMCPY_PATHS = ["Ski", "BandSki", "BandSkiGradient", "BandSkiStep"]
FMA_PATHS = ["Band", "BandStep"]
FLOOR = {**dict.fromkeys(FFTW_PATHS, "FloorFftw"), **dict.fromkeys(MEMCPY_PATHS, "FloorMemcpy"),
         **dict.fromkeys(FMA_PATHS, "FloorFma"), "PositionMlp": "PositionMlpGemmFloor",
         "CausalFilter": "FloorOverlapSave"}
ORDER = ["FloorMemcpy", "FloorFftw", "FloorFma", "Dense", *FFTW_PATHS, *FMA_PATHS, *MEMCPY_PATHS,
         "PositionMlpGemmFloor", "PositionMlp", "TnoBidirectional", "TnoBidirectionalStep", "TnoCausal",
         "TnoCausalStep", "FloorOverlapSave", "CausalFilter"]

# Colour, gnuplot point type and dash of each plotted path.
STYLES = {
    "FloorMemcpy": ("#999999", 0, 2),
    "FloorFftw": ("#555555", 0, 2),
    "FloorFma": ("#b08968", 0, 2),
    "Dense": ("#000000", 2, 1),
    "Hilbert": ("#7b3294", 9, 1),
    "SpectralBidirectional": ("#c27ba0", 8, 1),
    "Fft": ("#08519c", 5, 1),
    "FftCausal": ("#6baed6", 4, 1),
    "StateSpace": ("#c51b7d", 3, 1),
    "BandSki": ("#1b7837", 7, 1),
    "Band": ("#d65d0e", 11, 1),
    "Ski": ("#e6ab02", 13, 1),
}


def floor_of(key, samples):
    """The floor of the same sizes from the same run, or None."""
    path = FLOOR.get(key.path)
    if key.path.startswith("Block") and not key.path.endswith("/GemmFloor"):
        path = key.path.split("/")[0] + "/GemmFloor"
    taps = key.taps if path in ("FloorFma", "FloorOverlapSave") else 0
    return samples.get(results.Key(path, key.n, key.d, taps, 0, key.threads)) if path else None


def row_of(key):
    """What the rows of a table are sorted and named by."""
    return ORDER.index(key.path) if key.path in ORDER else len(ORDER), key.path, key.taps, key.r


def row_name(row):
    _, path, taps, rank = row
    details = [f"{taps} taps"] * bool(taps) + [f"r = {rank}"] * bool(rank)
    return f"`{path}`" + (f" {', '.join(details)}" if details else "")


def number(value):
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def table(title, keys, cell):
    """Rows are paths, columns are n."""
    lengths = sorted({key.n for key in keys})
    rows = {}
    for key in keys:
        rows.setdefault(row_of(key), {})[key.n] = cell(key)
    lines = [f"### {title}", "", "| path | " + " | ".join(f"n = {n}" for n in lengths) + " |",
             "|---|" + "---:|" * len(lengths)]
    lines += [f"| {row_name(row)} | " + " | ".join(cells.get(n, "") for n in lengths) + " |"
              for row, cells in sorted(rows.items())]
    return "\n".join(lines) + "\n"


def time_cell(samples):
    def cell(key):
        floor = floor_of(key, samples)
        time = number(samples[key].median)
        return f"{time} ({number(samples[key].median / floor.median)}×)" if floor else time
    return cell


def size(count):
    if count < 1024:
        return f"{count:.0f} B"
    for unit in ("KB", "MB", "GB"):
        count /= 1024
        if count < 1000 or unit == "GB":
            return f"{count:.2f} {unit}" if count < 10 else f"{count:.0f} {unit}"


def memory_cell(samples):
    def cell(key):
        return f"{size(samples[key].state_bytes)} + {size(samples[key].workspace_bytes)}"
    return cell


def machine(context, samples):
    """What was measured on what, as a list."""
    noise = sorted(s.noise for s in samples.values() if s.noise == s.noise)
    caches = ", ".join(f"L{c['level']} {c['size'] // 1024} KB" for c in context.get("caches", [])
                       if c["type"] != "Instruction")
    load = ", ".join(f"{x:.1f}" for x in context.get("load_avg", []))
    lines = [
        f"* {context.get('cpu_model', 'unknown CPU')}, {context.get('num_cpus', '?')} cores; {caches}",
        f"* {context.get('compiler', 'unknown compiler')}, `{context.get('flags', '')}`, "
        f"{context.get('simd_bytes', '?')}-byte vectors, OpenMP {context.get('openmp', '?')}",
        f"* {context.get('fftw', 'FFTW ?')}, Eigen {context.get('eigen', '?')}, "
        f"toeplitz {context.get('toeplitz', '?')}",
        f"* {context.get('date', '?')}, load before: {load or '?'}",
        f"* `toeplitz_bench {context.get('arguments', '')}`",
    ]
    if noise:
        lines.append(f"* Noise of one repetition: {noise[len(noise) // 2]:.1%} in the median benchmark, "
                     f"{noise[-1]:.1%} in the worst")
    return "\n".join(lines) + "\n"


def markdown(run, clock):
    samples = run.samples
    parts = [
        "<!-- Written by bench/report.py -->\n",
        machine(run.context, samples),
        f"Nanoseconds per element ({clock} time / (n·d)), float, median of the repetitions. In brackets: the "
        "multiple of the floor of the same n, d and threads in the same run. The floor of the transforms is "
        "`FloorFftw`, FFTW's r2c and c2r of 2n points per channel and nothing else; that of the band is "
        "`FloorFma`, its multiply-adds in registers; that of the low-rank part, with or without band, is "
        "`FloorMemcpy`, a copy of x to y; that of the position perceptron its matrix products. `Hilbert`, "
        "`SpectralBidirectional` and `Tno…` compute their kernel as well, at each call; the gradients are one "
        "backward pass, to the input and to the kernel; steps are kernel, product and backward pass. "
        "`Block…` is a whole layer, inference or a training step; its floor is its own matrix products alone.\n",
    ]
    for d, threads in sorted({(key.d, key.threads) for key in samples}):
        keys = [key for key in samples if (key.d, key.threads) == (d, threads)]
        plural = "thread" if threads == 1 else "threads"
        parts.append(table(f"d = {d}, {threads} {plural}", keys, time_cell(samples)))
    for d, threads in sorted({(key.d, key.threads) for key in samples if key.threads > 1}):
        def serial(key):
            return results.Key(key.path, key.n, key.d, key.taps, key.r, 1)

        keys = [key for key in samples if (key.d, key.threads) == (d, threads) and serial(key) in samples]
        if keys:
            parts.append(table(f"Gain of {threads} threads over one, d = {d}", keys, lambda key:
                               f"{samples[serial(key)].median / samples[key].median:.2f}×"))
    parts.append("## Memory\n\nWhat an operator holds between calls + what a call needs of its workspace. A "
                 "layer holds the activations that its backward pass needs; parameters do not count.\n")
    for d, threads in sorted({(key.d, key.threads) for key in samples}):
        keys = [key for key in samples if (key.d, key.threads) == (d, threads)
                and samples[key].state_bytes + samples[key].workspace_bytes > 0]
        if keys:
            plural = "thread" if threads == 1 else "threads"
            parts.append(table(f"Memory, d = {d}, {threads} {plural}", keys, memory_cell(samples)))
    return "\n".join(parts)


def series(samples, d, threads):
    """By path, in the order of STYLES: the keys to plot, with the default taps and rank."""
    plotted = {}
    for path in STYLES:
        keys = [key for key in samples if key.path == path and (key.d, key.threads) == (d, threads)
                and key.taps in (0, DEFAULT_TAPS) and key.r in (0, DEFAULT_RANK)]
        if keys:
            plotted[path] = sorted(keys, key=lambda key: key.n)
    return plotted


def gnuplot(commands):
    try:
        run = subprocess.run(["gnuplot"], input=commands, text=True, capture_output=True, check=False)
    except FileNotFoundError:
        sys.exit("the plots need gnuplot: apt install gnuplot-nox")
    if run.returncode != 0:
        sys.exit(f"gnuplot failed:\n{run.stderr}")


def figure(file_name, width, height):
    return [f"set terminal svg size {width},{height} font 'DejaVu Sans,13' background rgb 'white'",
            f"set output '{file_name}'", "set encoding utf8", "set border 3 lc rgb '#555555'",
            "set tics nomirror", "set grid ytics lc rgb '#e0e0e0' lt 1 lw 1", "set logscale xy",
            "set xlabel 'n'", "set key outside right center Left reverse samplen 2 spacing 1.15"]


def curves(values):
    """A plot command for {path: [(n, y)]}."""
    ticks = sorted({n for points in values.values() for n, _ in points})
    commands = [f"set xtics ({', '.join(f'{chr(39)}{n}{chr(39)} {n}' for n in ticks)})",
                f"set xrange [{ticks[0] * 0.85}:{ticks[-1] * 1.18}]"]
    parts = []
    for path, points in values.items():
        colour, point, dash = STYLES[path]
        commands += [f"${path} << EOD", *(f"{n} {y}" for n, y in points), "EOD"]
        marks = f"linespoints pt {point} ps 0.7" if point else "lines"
        parts.append(f"${path} with {marks} lc rgb '{colour}' lw 2 dt {dash} title '{path}'")
    return [*commands, "plot " + ", \\\n     ".join(parts)]


def plot_times(samples, plotted, title, file_name):
    values = {path: [(key.n, samples[key].median) for key in keys] for path, keys in plotted.items()}
    gnuplot("\n".join([*figure(file_name, 860, 520), f"set title '{title}'",
                       "set ylabel 'ns per element'", *curves(values)]))


def plot_ratios(samples, plotted, title, file_name):
    panels = []
    for floor, paths in (("FloorFftw", FFTW_PATHS), ("FloorMemcpy", MEMCPY_PATHS), ("FloorFma", FMA_PATHS)):
        values = {}
        for path in [p for p in plotted if p in paths]:
            points = [(key.n, samples[key].median / floor_of(key, samples).median)
                      for key in plotted[path] if floor_of(key, samples)]
            if points:
                values[path] = points
        if values:
            panels.append((floor, values))
    if not panels:
        return
    commands = figure(file_name, 980, 500)
    commands += [f"set multiplot layout 1,{len(panels)} title '{title}' "
                 "margins screen 0.08, 0.98, 0.32, 0.91 spacing screen 0.09",
                 "set key at graph 0.5, -0.2 center top maxcols 1",
                 "set ytics (0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5, 10, 20, 30, 50, 100)",
                 "set arrow 1 from graph 0, first 1 to graph 1, first 1 nohead lc rgb '#555555' lw 2 dt 2"]
    for floor, values in panels:
        ratios = [y for points in values.values() for _, y in points]
        commands += [f"set ylabel 'multiple of {floor}'",
                     f"set yrange [{min(1.0, *ratios) * 0.8}:{max(1.0, *ratios) * 1.25}]",
                     *curves(values)]
    gnuplot("\n".join([*commands, "unset multiplot"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", help="JSON written by toeplitz_bench --benchmark_out")
    parser.add_argument("--output", metavar="FILE", help="the Markdown; default: standard output")
    parser.add_argument("--plots", metavar="DIR", type=pathlib.Path,
                        help="writes bench_time.svg and bench_ratio.svg there")
    parser.add_argument("--channels", type=int, default=64, help="d of the plots; default: %(default)s")
    parser.add_argument("--threads", type=int, default=1, help="threads of the plots; default: %(default)s")
    results.add_clock_option(parser)
    arguments = parser.parse_args()

    run = results.load(arguments.results, arguments.clock)
    text = markdown(run, arguments.clock)
    if arguments.output:
        pathlib.Path(arguments.output).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    if arguments.plots:
        plotted = series(run.samples, arguments.channels, arguments.threads)
        if not plotted:
            sys.exit(f"nothing to plot at d = {arguments.channels}, threads = {arguments.threads}")
        arguments.plots.mkdir(parents=True, exist_ok=True)
        title = f"d = {arguments.channels}, threads = {arguments.threads}, float"
        plot_times(run.samples, plotted, f"Time per element, {title}", arguments.plots / "bench_time.svg")
        plot_ratios(run.samples, plotted, f"Multiples of the floors, {title}",
                    arguments.plots / "bench_ratio.svg")


if __name__ == "__main__":
    main()
