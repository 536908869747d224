#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs commands with --json and reads what they print: json_output.py PROGRAM KERNELS STREAMS"""
import json
import subprocess
import sys

program, kernels, streams = sys.argv[1:]


def run(*words):
    done = subprocess.run([program, *words, "--json"], stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout), done.returncode


facts, code = run("certify", f"{kernels}/float", "--tolerance", "0.01", "--relative")
assert code == 0 and [c["method"] for c in facts["channels"]] == ["ski", "band+ski", "fft"], facts
assert all(c["true_estimate"] <= c["bound"] for c in facts["channels"]), facts

facts, code = run("distill", f"{kernels}/causal", "--tolerance", "1e-4", "--relative", "--most-modes", "8",
                  "--out", f"{kernels}/json_distilled")
assert code == 1 and [c["within_tolerance"] for c in facts["channels"]] == [True, True, False], facts

facts, code = run("stream", f"{streams}/lags_float", "--input", f"{streams}/x_float", "--out", f"{streams}/json_y")
assert code == 0 and facts["steps"] == 2000 and facts["ns_per_call"]["mean"] > 0, facts

facts, code = run("info", f"{streams}/json_y")
assert code == 0 and facts["tensors"]["y"] == {"type": "F32", "shape": [2000, 3]}, facts

facts, code = run("doctor")
assert code == 0 and facts["product_ns"] > 0 and isinstance(facts["advice"], list), facts

for command in (["man"], ["completion", "bash"]):
    facts, code = run(*command)
    assert code == 0 and facts, command

facts, code = run("info", f"{kernels}/nowhere")
assert code == 1 and "toeplitz.io.901" in facts["error"], facts
print("all JSON")
