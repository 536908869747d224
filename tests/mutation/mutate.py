#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mutation testing: changes a header in one place, compiles the tests that cover it, and sees whether they notice.

    tests/mutation/mutate.py fft/size.hpp operators/dense.hpp --sample 30 --jobs 2 --out mutants.json
    tests/mutation/mutate.py kernels                          # all headers of a floor
    tests/mutation/mutate.py fft/size.hpp --list              # what would be changed

A mutant is killed where a test fails, crashes or takes too long; one that does not compile does not count. What
survives is either a hole in the tests or the same program in other words: look at each.
"""

import argparse
import concurrent.futures
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# The programs that cover a header, cheap ones first: sources in tests/. Of others it is the test of their own name.
PROGRAMS = {
    "core/options_text.hpp": ["unit/core/options_test.cpp"],
    "fft/chirp.hpp": ["unit/fft/half_spectrum_test.cpp"],
    "fft/convolution.hpp": ["unit/fft/tree_test.cpp"],
    "fft/half_complex.hpp": ["unit/fft/half_spectrum_test.cpp"],
    "fft/row_tiles.hpp": ["unit/fft/fftw_convolution_test.cpp"],
    "fft/tree_butterflies.hpp": ["unit/fft/tree_test.cpp"],
    "fft/tree_convolution.hpp": ["unit/fft/tree_test.cpp"],
    "fft/tree_twiddles.hpp": ["unit/fft/tree_test.cpp"],
    "kernels/frequency_pole.hpp": ["unit/kernels/frequency_kernel_test.cpp", "gradient/kernels_test.cpp"],
    "kernels/inducing_points.hpp": ["unit/kernels/time_warp_test.cpp", "unit/kernels/position_kernel_test.cpp"],
    "kernels/ski_kernel.hpp": ["unit/kernels/time_warp_test.cpp", "unit/kernels/position_kernel_test.cpp"],
    "operators/dense.hpp": ["unit/operators/dense_test.cpp", "unit/operators/error_test.cpp"],
    "operators/exact_product.hpp": ["unit/operators/fft_test.cpp"],
    "operators/fft.hpp": ["unit/operators/fft_test.cpp", "unit/operators/error_test.cpp",
                          "unit/operators/backward_test.cpp"],
    "operators/grouped_spectra.hpp": ["unit/operators/backward_test.cpp", "unit/operators/fft_test.cpp"],
    "operators/modal_layout.hpp": ["unit/stream/state_space_stream_test.cpp",
                                   "unit/operators/state_space_test.cpp"],
    "operators/modal_recurrence.hpp": ["unit/stream/state_space_stream_test.cpp",
                                       "unit/operators/state_space_test.cpp"],
    "operators/operator.hpp": ["unit/operators/error_test.cpp", "unit/operators/own_operator_test.cpp"],
    "operators/short_convolution.hpp": ["unit/operators/fft_test.cpp"],
    "operators/spectral.hpp": ["unit/operators/backward_test.cpp", "unit/operators/error_test.cpp"],
    "operators/state_space_kernel.hpp": ["unit/operators/state_space_test.cpp"],
    "operators/sum.hpp": ["unit/operators/sum_test.cpp", "unit/operators/own_operator_test.cpp",
                          "unit/operators/error_test.cpp"],
    "stream/group_stream.hpp": ["unit/stream/kernel_stream_test.cpp"],
    "stream/level_transforms.hpp": ["unit/stream/kernel_stream_test.cpp"],
    "stream/partition.hpp": ["unit/stream/kernel_stream_test.cpp"],
    "stream/recent_lags.hpp": ["unit/stream/kernel_stream_test.cpp"],
    "stream/saved_state.hpp": ["unit/stream/kernel_stream_test.cpp", "unit/stream/state_space_stream_test.cpp"],
    "stream/stream_inputs.hpp": ["unit/stream/kernel_stream_test.cpp"],
    "stream/stream_lags.hpp": ["unit/stream/kernel_stream_test.cpp"],
}


def programs_of(header, root):
    """The table's programs, or the test of the header's own name; none where there is none."""
    own = f"unit/{header.removesuffix('.hpp')}_test.cpp"
    return PROGRAMS.get(header) or ([own] if (root / "tests" / own).is_file() else [])


def sources_of(program, root):
    """A test and what it links of tests/support: x.cpp and x_*.cpp of every x.hpp that one of them includes."""
    sources, headers = [root / "tests" / program], set()
    for source in sources:
        texts = [source.read_text()]
        for text in texts:
            for name in sorted(set(re.findall(r"#include <support/(\w+)\.hpp>", text)) - headers):
                headers.add(name)
                support = root / "tests/support"
                texts.append((support / f"{name}.hpp").read_text())
                found = [*support.glob(f"{name}.cpp"), *sorted(support.glob(f"{name}_*.cpp"))]
                sources += [path for path in found if path not in sources]
    return sources


# --- Mutants ------------------------------------------------------------------------------------------------

# What replaces what, between blanks as clang-format puts them: `a < b` is no template.
BINARY = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "*", "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=",
          "!=": "==", "&&": "||", "||": "&&", "+=": "-=", "-=": "+=", "*=": "/=", "/=": "*="}
NAMES = {"min": "max", "max": "min", "sin": "cos", "cos": "sin", "rows": "cols", "cols": "rows", "real": "imag",
         "imag": "real", "true": "false", "false": "true", "floor": "ceil", "ceil": "floor", "begin": "end"}
PATTERNS = [
    (re.compile(r"(?<= )(\+|-|\*|/|%|<=?|>=?|==|!=|&&|\|\||[-+*/]=)(?= |\n)"), lambda m: BINARY[m[0]], "operator"),
    (re.compile(r"(?<=[(\[,=?:{] )-(?=[\w(])|(?<=[(\[])-(?=[\w(])|(?<=return )-(?=[\w(])"), lambda m: "", "sign"),
    (re.compile(r"(?<![=!])!(?=[\w(])"), lambda m: "", "negation"),
    (re.compile(r"\+\+|--"), lambda m: "--" if m[0] == "++" else "++", "step"),
    (re.compile(r"(?<![\w.'])\d+(?![\w.'])"), lambda m: str(int(m[0]) + 1), "off by one"),
    (re.compile(r"(?<![\w.'])[1-9]\d*(?![\w.'])"), lambda m: str(int(m[0]) - 1), "off by one"),
    (re.compile(r"(?<![\w.'])\d+\.\d*(?![\w.'])|(?<![\w.'])0?\.\d+(?![\w.'])"), lambda m: f"({m[0]} + 1)", "constant"),
    (re.compile(r"\b(" + "|".join(NAMES) + r")\b(?=\)?[(;,)])"), lambda m: NAMES[m[0]], "name"),
    (re.compile(r"\bif \((?!constexpr)"), lambda m: "if (!", "condition"),
    (re.compile(r"\b(continue|break);"), lambda m: ";", "removed statement"),
]
# A whole statement in a line that declares nothing and returns nothing.
STATEMENT = re.compile(r"(?m)^ +(?!return|using|const|auto|static|template|typename|struct|class|case|default|else|"
                       r"if|for|while|do|throw|friend|explicit|public|private|break|continue|goto|static_assert|"
                       r"[\w:]+(<[^;=()]*>)?[&*]* \w+( =|;|\(|\{))[\w:(*][^;{}\n]*;$")
# What only the compiler sees.
COMPILE_TIME = re.compile(r"static_assert\s*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\s*;|^\s*#.*$|\btemplate <[^{;]*?>\n|"
                          r"\brequires\b[^{;]*|\boperator\S+|\bconcept\b[^;]*;|\busing\b[^;]*;", re.M)


def blank(text):
    """The text with comments, strings and what only the compiler sees as blanks of the same length."""
    hide = lambda m: re.sub(r"[^\n]", "\0", m[0])
    text = re.sub(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])'", hide, text, flags=re.S)
    return COMPILE_TIME.sub(hide, text)


def mutants_of(text):
    """All mutants: (offset, old, new, kind), in the order of the text."""
    code = blank(text)
    found = []
    for pattern, replace, kind in PATTERNS:
        for match in pattern.finditer(code):
            new = replace(match)
            if kind == "condition":
                # Up to the bracket that closes it.
                depth, end = 1, match.end()
                while depth > 0 and end < len(code):
                    depth += {"(": 1, ")": -1}.get(code[end], 0)
                    end += 1
                found.append((match.start(), text[match.start():end], f"if (!({text[match.end():end]})", kind))
            elif new != match[0]:
                found.append((match.start(), match[0], new, kind))
    for match in STATEMENT.finditer(code):
        if "\0" not in match[0] and match[0].count("(") == match[0].count(")"):
            start = match.start() + len(match[0]) - len(match[0].lstrip())
            found.append((start, text[start:match.end()], ";", "removed statement"))
    return sorted(set(found))


# --- Running them -------------------------------------------------------------------------------------------

def run(command, seconds, **options):
    """The exit status, None where it took too long. The whole group of processes ends with it."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                          **options) as process:
        try:
            return process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None


class Builder:
    """Compiles a program of tests, with one header replaced, and runs it."""

    def __init__(self, arguments, folder):
        self.arguments = arguments
        self.folder = folder
        self.flags = ["-std=c++20", "-w", *arguments.flags.split()]
        self.system = ["-isystem", arguments.eigen]
        prefix = folder / "prefix.hpp"
        prefix.write_text("#include <gtest/gtest.h>\n#include <Eigen/Core>\n")
        header = [arguments.compiler, *self.flags, *self.system, "-x", "c++-header", str(prefix), "-o",
                  str(folder / "prefix.hpp.gch")]
        if run(header, 600) != 0:
            sys.exit("mutate.py: cannot compile: " + " ".join(header))

    def outcome(self, programs, overlay, seconds):
        """'killed', 'timed out', 'survived' or 'invalid', by which program, and the longest run in seconds."""
        longest = 0.0
        for program in programs:
            sources = map(str, sources_of(program, self.arguments.root))
            binary = overlay / "program"
            # -include finds the precompiled header first; the overlay comes before the library.
            command = [self.arguments.compiler, *self.flags, "-include", str(self.folder / "prefix.hpp"), "-I",
                       str(overlay), "-I", str(self.arguments.root / "include"), "-I", str(self.arguments.root / "tests"),
                       *self.system, *sources,
                       "-o", str(binary), "-lgtest_main", "-lgtest", *self.arguments.libraries.split()]
            if run(command, 900) != 0:
                return "invalid", program, longest
            begin = time.monotonic()
            status = run([str(binary), "--gtest_fail_fast", "--gtest_brief=1", "--gtest_filter=-Slow*:*/Slow*"],
                         seconds, cwd=overlay)
            longest = max(longest, time.monotonic() - begin)
            if status != 0:
                return "timed out" if status is None else "killed", program, longest
        return "survived", "", longest


def overlay_with(folder, header, text):
    path = folder / "toeplitz" / header
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return folder


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def test_header(header, arguments, builder, pool):
    path = arguments.root / "include" / "toeplitz" / header
    text = path.read_text()
    programs = arguments.programs or programs_of(header, arguments.root)
    if not programs:
        sys.exit(f"mutate.py: no program covers {header}; name one with --programs")
    found = mutants_of(text)
    chosen = found
    if arguments.sample and arguments.sample < len(found):
        # One seed chooses the same in a header, whatever others there are.
        chosen = sorted(random.Random(f"{arguments.seed} {header}").sample(found, arguments.sample))
    print(f"{header}: {len(chosen)} of {len(found)} mutants", flush=True)
    if arguments.list:
        for offset, old, new, kind in chosen:
            print(f"  {line_of(text, offset)}: {kind}: {old.strip()!r} -> {new!r}")
        return None

    with tempfile.TemporaryDirectory(dir=builder.folder) as folder:
        outcome, program, seconds = builder.outcome(programs, overlay_with(Path(folder), header, text), 3600)
    if outcome != "survived":
        sys.exit(f"mutate.py: without a mutant, {program} is {outcome}")
    limit = arguments.timeout or 10 + 5 * seconds

    def one(mutant):
        offset, old, new, kind = mutant
        with tempfile.TemporaryDirectory(dir=builder.folder) as folder:
            mutated = text[:offset] + new + text[offset + len(old):]
            outcome, program, _ = builder.outcome(programs, overlay_with(Path(folder), header, mutated), limit)
        line = line_of(text, offset)
        print(f"  {outcome}: {header}:{line}: {kind}: {old.strip()!r} -> {new!r}", flush=True)
        return {"line": line, "kind": kind, "old": old, "new": new, "outcome": outcome, "by": program,
                "text": text.splitlines()[line - 1].strip()}

    results = list(pool.map(one, chosen))
    return {"header": header, "mutants": len(found), "results": results}


def rate(results):
    killed = sum(result["outcome"] in ("killed", "timed out") for result in results)
    survived = sum(result["outcome"] == "survived" for result in results)
    return killed, survived, 100 * killed / (killed + survived) if killed + survived else 100.0


def report(headers):
    rows, floors = [], {}
    for one in headers:
        floors.setdefault(one["header"].split("/")[0], []).extend(one["results"])
        rows.append((one["header"], one["results"]))
    rows += [(floor + "/", results) for floor, results in floors.items()]
    print(f"\n{'header':34} {'mutants':>8} {'invalid':>8} {'killed':>7} {'(timed out)':>12} {'survived':>9} {'rate':>7}")
    for name, results in rows:
        killed, survived, percent = rate(results)
        late = sum(result["outcome"] == "timed out" for result in results)
        print(f"{name:34} {len(results):8} {len(results) - killed - survived:8} {killed:7} {late:12} {survived:9} "
              f"{percent:6.1f}%")
    print()
    for one in headers:
        for result in one["results"]:
            if result["outcome"] == "survived":
                print(f"survived: {one['header']}:{result['line']}: {result['kind']}: {result['old'].strip()!r} -> "
                      f"{result['new']!r} in: {result['text']}")


def parse_arguments(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("headers", nargs="+", metavar="HEADER", help="below include/toeplitz: files or floors")
    parser.add_argument("--programs", nargs="+", help="sources in tests/ that cover the headers, instead of the table's")
    parser.add_argument("--sample", type=int, default=0, help="at most so many mutants of a header; 0: all")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=0, help="seconds of a run; 0: 10 and 5 times the usual")
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--flags", default="-O0", help="of the compiler")
    parser.add_argument("--libraries", default="-lfftw3 -lfftw3f")
    parser.add_argument("--eigen", default="/usr/include/eigen3", help="where Eigen is")
    parser.add_argument("--out", type=Path, help="JSON of all results")
    parser.add_argument("--fail-below", type=float, default=0, help="exit with 1 where a rate is below, in percent")
    parser.add_argument("--list", action="store_true", help="only say what would be changed")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main(words=None):
    arguments = parse_arguments(words)
    headers = []
    for name in arguments.headers:
        below = arguments.root / "include" / "toeplitz"
        inside = [str(one.relative_to(below)) for one in sorted((below / name).glob("*.hpp"))] or [name]
        bare = [] if arguments.programs or inside == [name] else [
            header for header in inside if not programs_of(header, arguments.root)]
        if bare:
            print("no program covers " + ", ".join(bare))
        headers += [header for header in inside if header not in bare]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, \
            concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        builder = None if arguments.list else Builder(arguments, Path(folder))
        done = []
        for header in headers:
            result = test_header(header, arguments, builder, pool)
            if result is None:
                continue
            done.append(result)
            if arguments.out:  # after each, for those who do not wait
                arguments.out.write_text(json.dumps({"seed": arguments.seed, "flags": arguments.flags,
                                                     "headers": done}, indent=1))
    if arguments.list:
        return 0
    report(done)
    return 0 if all(rate(one["results"])[2] >= arguments.fail_below for one in done) else 1


if __name__ == "__main__":
    sys.exit(main())
