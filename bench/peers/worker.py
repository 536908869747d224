#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The PyTorch side of compare.py: reads requests, one JSON object per line, and answers each with one line.

    {"do": "describe"}                         → versions, instruction set, libraries
    {"do": "check", "cases": [...]}            → relative errors against the C++ library
    {"do": "time", "what": "operator" or "block", "path": …, "pass": "forward" or "step", "n": …, "d": …,
     "seconds": …, "limit": …}                 → milliseconds of the plain and of the fastest variant

The operator of the last request is kept, so that two sides can take turns. Started by compare.py, which sets
threads and allocator. A step is forward and backward, to the input and to all parameters.
"""

import argparse
import gc
import json
import resource
import statistics
import sys
import time

import torch

import block
import operators


def describe():
    config = torch.__config__.show()
    with open("/proc/self/maps", encoding="utf-8") as maps:
        libraries = sorted({line.split("/")[-1].strip() for line in maps
                            if any(name in line for name in ("blas", "mkl_", "malloc", "libgomp", "libiomp"))})
    capability = next((line.split(":")[1].strip() for line in config.splitlines() if "CPU capability" in line),
                      "unknown")
    onednn = next((line.strip(" -") for line in config.splitlines() if "MKL-DNN" in line), "no oneDNN")
    return {"version": torch.__version__, "mkl": torch.backends.mkl.is_available(), "isa": capability,
            "onednn": onednn, "libraries": libraries, "threads": torch.get_num_threads(), "config": config}


def milliseconds(run):
    start = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - start)


def label(variant):
    return variant if isinstance(variant, str) else "+".join(variant)


class Case:
    """One operator or layer and one pass of it, with the fastest of its plain variants and the fastest of all."""

    def __init__(self, what, path, which, n, d, limit):
        torch.manual_seed(1)
        self.which = which
        self.module = block.Block(d, n, path) if what == "block" else operators.OPERATORS[path](d, n)
        self.x = torch.randn(n, d)
        self.g = torch.randn(n, d)
        self.leaf = self.x.clone().requires_grad_()
        times, slowest = {}, 0.0
        for variant in self.module.variants:
            try:
                self.select(variant)
                once = milliseconds(self.run)
                slowest = max(slowest, once)
                if once > 1e3 * limit:
                    continue
                if once < 8 * min(times.values(), default=once):
                    once = min(milliseconds(self.run) for _ in range(3 if once < 1000 else 1))
                times[variant] = once
            except (RuntimeError, NotImplementedError) as failure:
                if "memory" in str(failure):
                    raise
                print(f"{path}, {label(variant)}: this PyTorch cannot: {failure}", file=sys.stderr)
        plain = [variant for variant in times if variant not in self.module.rewritten]
        if not plain:
            raise TimeoutError(f"a call of PyTorch takes {slowest / 1e3:.0f} s")
        self.plain = min(plain, key=times.get)
        self.best = min(times, key=times.get)

    def select(self, variant):
        self.module.variant = variant
        if self.which == "forward":
            with torch.inference_mode():
                self.module.cache()

    def run(self):
        if self.which == "forward":
            with torch.inference_mode():
                self.module(self.x)
            return
        for parameter in self.module.parameters():
            parameter.grad = None
        self.leaf.grad = None
        self.module(self.leaf).backward(self.g)

    def time(self, variant, seconds):
        self.select(variant)
        self.run()
        times = []
        begin = time.perf_counter()
        while len(times) < 1 or time.perf_counter() - begin < seconds:
            times.append(milliseconds(self.run))
        return statistics.median(times)

    def measure(self, seconds):
        best = self.time(self.best, seconds)
        plain = best if self.best == self.plain else self.time(self.plain, seconds)
        return {"plain": plain, "best": min(best, plain), "plain_variant": label(self.plain), "variant": label(self.best)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory", type=float, default=20, help="GB of address space; default: %(default)s")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    limit = int(options.memory * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    key, case = None, None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "describe":
                answer = describe()
            elif request["do"] == "check":
                answer = {"errors": [[c["path"], *error] for c in request["cases"]
                                     for error in operators.check(c["path"], c["tensors"])]}
            else:
                wanted = [request[k] for k in ("what", "path", "pass", "n", "d")]
                if wanted != key:
                    key, case = None, None
                    gc.collect()
                    case = Case(*wanted, request["limit"])
                    key = wanted
                answer = case.measure(request["seconds"])
        except TimeoutError as reason:
            answer = {"skipped": str(reason)}
        except (RuntimeError, MemoryError) as failure:
            case = None
            memory = isinstance(failure, MemoryError) or "memory" in str(failure)
            answer = {"skipped": f"PyTorch needs more than {options.memory:g} GB"} if memory \
                else {"failed": f"{type(failure).__name__}: {failure}".split("\n")[0]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
