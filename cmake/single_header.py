#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes one header of the library, for projects that copy a file and have no build to speak of.

    python3 cmake/single_header.py [--out toeplitz_single.hpp] [HEADER...]

Without names it holds every header that needs nothing but Eigen: all but toeplitz/io and FFTW's engine. What is
included for toeplitz::compiled is left out. The result is the same for the same sources.
"""
import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent / "include"
OWN = re.compile(r'#include <(toeplitz/[^>]+)>')
OTHER = re.compile(r'#include [<"]')
COMPILED = "#if defined(TOEPLITZ_COMPILED)"


def default_headers():
    names = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("toeplitz/**/*.hpp"))
    return [name for name in names
            if not name.startswith(("toeplitz/io/", "toeplitz/fft/fftw")) and not name.endswith(("compiled.hpp", "compiled_fit.hpp"))]


class Single:
    def __init__(self):
        self.taken = set()
        self.includes = []  # of others, in the order of their first use
        self.lines = []

    def add(self, name):
        if name in self.taken:
            return
        self.taken.add(name)
        source = (ROOT / name).read_text().splitlines()
        self.lines.append(f"// --- {name}")
        at = 0
        depth = 0
        while at < len(source):
            line = source[at]
            at += 1
            if line == COMPILED and source[at:at + 1] and OWN.match(source[at]):
                at += 2  # the include and #endif
                continue
            depth += line.startswith("#if") - line.startswith("#endif")
            own = OWN.match(line)
            if own:
                if depth > 0:
                    sys.exit(f"{name}: '{line}' depends on a condition")
                self.add(own.group(1))
            elif OTHER.match(line) and depth == 0:
                if line not in self.includes:
                    self.includes.append(line)
            elif line != "#pragma once" and not line.startswith("// SPDX"):
                self.lines.append(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="toeplitz_single.hpp")
    parser.add_argument("headers", nargs="*", help="as toeplitz/operators/fft.hpp")
    arguments = parser.parse_args()
    single = Single()
    for name in arguments.headers or default_headers():
        single.add(name)
    licence = (ROOT.parent / "LICENSE").read_text().rstrip().splitlines()
    text = ["// SPDX-License-Identifier: MIT", "//"] + [("// " + line).rstrip() for line in licence]
    text += ["//", "// toeplitz in one header, made by cmake/single_header.py from its sources: change those.", "#pragma once", ""]
    text += sorted(single.includes) + [""] + single.lines
    compact = re.sub(r"\n{3,}", "\n\n", "\n".join(text)) + "\n"
    pathlib.Path(arguments.out).write_text(compact)


if __name__ == "__main__":
    main()
