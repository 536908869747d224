#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares solutions with those of SciPy's solve_toeplitz: solve_toeplitz.py PROGRAM; 77 without SciPy"""
import subprocess
import sys

try:
    import numpy
    from scipy.linalg import norm, solve_toeplitz, toeplitz
except ImportError:
    print("skipped: no SciPy")
    sys.exit(77)

lines = subprocess.run([sys.argv[1]], check=True, capture_output=True, text=True).stdout.splitlines()
assert len(lines) == 15, len(lines)
for i in range(0, len(lines), 5):
    column, row, b, x = (numpy.array(line.split(), dtype=float) for line in lines[i + 1:i + 5])
    theirs = solve_toeplitz((column, row), b)
    matrix = toeplitz(column, row)
    # Both are off by some roundings times the condition.
    allowed = 1e3 * 2**-53 * numpy.linalg.cond(matrix)
    error = norm(x - theirs) / norm(theirs)
    print(f"{lines[i]}: n = {len(b)}, difference {error:.1e}, allowed {allowed:.1e}; residuals "
          f"{norm(matrix @ x - b) / norm(b):.1e} and {norm(matrix @ theirs - b) / norm(b):.1e}")
    assert error <= allowed, lines[i]
