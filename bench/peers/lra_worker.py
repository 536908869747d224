#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The PyTorch side of lra.py: lra_worker.py --threads T [--compiled] reads a network's description, a line of
JSON, and answers with the variant it has chosen; then for every further line, {"steps": K}, with the median
times of K training steps and of as many batches of inference, and the largest memory of the process."""

import argparse
import json
import resource
import statistics
import sys
import time
import warnings

import torch

import network


def median_of_calls(call, count):
    """Milliseconds, after a call that takes the memory, and one that finds the spectra that inference keeps: both
    compile where that is wanted."""
    call()
    call()
    times = []
    for _ in range(count):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


class Case:
    def __init__(self, case, compiled):
        torch.manual_seed(1)
        self.at_rest = megabytes()
        self.network = network.Network(case)
        self.optimizer = network.optimizer(self.network, case["rate"], case["weight_decay"], case["beta2"])
        self.clip = case["clip"]
        parts = 2 if case["pairs"] else 1
        self.tokens = torch.randint(case["vocabulary"], (case["batch"] * parts, case["length"]))
        self.labels = torch.randint(case["pairs"] or case["outputs"], (case["batch"],))
        self.run = self.network
        self.variant = self.choose(case["mixer"])
        if compiled:
            self.run = torch.compile(self.network)

    def choose(self, mixer):
        """Of the ways to compute the same that the mixers have, the fastest."""
        def select(transposes, dense):
            for module in self.network.modules():
                if isinstance(module, network.Mixer):
                    module.transposes, module.dense = transposes, dense
        times = {}
        for transposes in (False, True):
            for dense in (False, True) if mixer == "ski" else (False,):
                select(transposes, dense)
                times[transposes, dense] = median_of_calls(self.step, 1)
        best = min(times, key=times.get)
        select(*best)
        return ("transposed" if best[0] else "in place") + (", dense W" if best[1] else "")

    def step(self):
        self.run.train()
        self.optimizer.zero_grad()
        torch.nn.functional.cross_entropy(self.run(self.tokens), self.labels).backward()
        if self.clip > 0:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.optimizer.step()

    def infer(self):
        with torch.inference_mode():
            self.run(self.tokens)

    def measure(self, steps):
        self.network.eval()
        answer = {"inference_ms": median_of_calls(self.infer, steps)}
        return answer | {"step_ms": median_of_calls(self.step, steps), "step_mb": megabytes(),
                         "at_rest_mb": self.at_rest}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compiled", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore", message="Torchinductor does not support code generation for complex")
    case = Case(json.loads(sys.stdin.readline()), options.compiled)
    print(json.dumps({"variant": case.variant, "version": torch.__version__}), flush=True)
    for line in sys.stdin:
        print(json.dumps(case.measure(json.loads(line)["steps"])), flush=True)


if __name__ == "__main__":
    main()
