#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Instructions per element of small products, counted by valgrind: the same number on a busy machine.

    bench/instructions.py build/bench/bench --out instructions.json
    bench/instructions.py build/bench/bench --against instructions.json --fail-above 0.01

The folder is the one that toeplitz_instructions was built in; it has portable flags, as valgrind does not know
AVX-512, so counts compare versions of this library and not machines. Every product is counted --runs times, and
counts that differ are an error. A change of compiler, Eigen or FFTW changes them, too: --against says so.
Needs Python 3.9 with nothing but its standard library, and valgrind.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

# Elements of the result.
CASES = {
    "exact_product": 1024 * 16,
    "band_ski_product": 1024 * 16,
    "hilbert_kernel_and_product": 1024 * 16,
    "stream_of_steps": 1024 * 16,
    "stream_of_512_steps": 1024 * 16,
    "linear_unpacked_1_row": 1536,
    "linear_packed_1_row": 1536,
    "linear_unpacked_16_rows": 16 * 1536,
    "linear_packed_16_rows": 16 * 1536,
    "layer_1_row": 512,
    "layer_16_rows": 16 * 512,
}


def count(program, case):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "callgrind.out"
        command = ["valgrind", "--tool=callgrind", "--toggle-collect=counted_call",
                   f"--callgrind-out-file={out}", str(program), case]
        try:
            run = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            sys.exit("valgrind is not installed (Debian: valgrind)")
        if run.returncode != 0:
            sys.exit(f"{' '.join(command)} failed:\n{run.stderr}")
        total = re.search(r"^(?:summary|totals): (\d+)", out.read_text(encoding="utf-8"), re.MULTILINE)
    if not total or int(total[1]) == 0:
        sys.exit(f"callgrind counted nothing in {case}: was the function counted_call inlined?")
    return int(total[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="where toeplitz_instructions is")
    parser.add_argument("--runs", type=int, default=2, help="of every product; default: %(default)s")
    parser.add_argument("--out", type=pathlib.Path, help="the counts as JSON")
    parser.add_argument("--against", type=pathlib.Path, help="counts of another build")
    parser.add_argument("--fail-above", type=float, metavar="FRACTION",
                        help="with --against: exit with 1 where a count grew by more, such as 0.01")
    arguments = parser.parse_args()
    program = arguments.folder.resolve() / "toeplitz_instructions"
    if not program.is_file():
        sys.exit(f"{arguments.folder} has no toeplitz_instructions: "
                 "cmake --preset bench && cmake --build --preset bench --target toeplitz_instructions")
    before = {}
    if arguments.against:
        try:
            before = json.loads(arguments.against.read_text(encoding="utf-8"))["instructions"]
        except (OSError, ValueError, KeyError) as failure:
            sys.exit(f"{arguments.against}: not written by this script: {failure!r}")

    counts, grown = {}, []
    print("| product | instructions | per element |" + (" before | ratio |" if before else ""))
    print("|---|---:|---:|" + ("---:|---:|" if before else ""))
    for case, elements in CASES.items():
        runs = {count(program, case) for _ in range(arguments.runs)}
        if len(runs) > 1:
            sys.exit(f"{case}: counts differ from run to run: {', '.join(map(str, sorted(runs)))}")
        counts[case] = runs.pop()
        row = f"| {case} | {counts[case]} | {counts[case] / elements:.2f} |"
        if before:
            ratio = counts[case] / before[case] if case in before else float("nan")
            row += f" {before.get(case, '?')} | {ratio:.4f} |"
            if arguments.fail_above is not None and ratio > 1 + arguments.fail_above:
                grown.append(case)
        print(row, flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps({"elements": CASES, "instructions": counts}, indent=1) + "\n",
                                 encoding="utf-8")
    if grown:
        print(f"\nMore instructions than before: {', '.join(grown)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
