#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Trains small networks in PyTorch from the same start, on the same batches, as the C++ library does, and
compares the losses of all steps: same_training.py PROGRAM, which is train_small; 77 without PyTorch."""
import json
import math
import pathlib
import subprocess
import sys

try:
    import torch
except ImportError:
    print("skipped: no PyTorch")
    sys.exit(77)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "peers"))
import network  # noqa: E402

ALLOWED = 1e-4
# The loss must have moved: a network that is not trained would agree as well.
LEARNT = 0.05


def rate(case, step, steps):
    """A linear warm-up from 0, and a cosine to 0."""
    if step < case["warmup"]:
        return case["rate"] * step / case["warmup"]
    return case["rate"] * (1 + math.cos(math.pi * (step - case["warmup"]) / (steps - case["warmup"]))) / 2


def losses(case):
    net = network.Network(case)
    tensors = {name: torch.tensor(tensor["values"]).view(tensor["shape"])
               for name, tensor in case["parameters"].items()}
    for name in tensors:
        if name.endswith("num_batches_tracked"):
            tensors[name] = tensors[name].view([])
    net.load_state_dict(tensors)
    optimizer = network.optimizer(net, case["rate"], case["weight_decay"], case["beta2"])
    for i, batch in enumerate(case["steps"]):
        for group in optimizer.param_groups:
            group["lr"] = rate(case, i, len(case["steps"]))
        optimizer.zero_grad()
        output = net(torch.tensor(batch["tokens"], dtype=torch.long).view(-1, case["length"]))
        loss = torch.nn.functional.cross_entropy(output, torch.tensor(batch["labels"], dtype=torch.long))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), case["clip"])
        optimizer.step()
        yield loss.item()


def main():
    torch.set_num_threads(1)
    cases = json.loads(subprocess.run([sys.argv[1]], check=True, capture_output=True, text=True).stdout)
    assert len(cases) == 7, len(cases)
    failed = False
    for case in cases:
        theirs, ours = list(losses(case)), case["losses"]
        assert len(ours) == len(theirs) == 200, (len(ours), len(theirs))
        apart = max(abs(a - b) for a, b in zip(ours, theirs))
        first, last = sum(ours[:20]) / 20, sum(ours[-20:]) / 20
        print(f"{case['name']}: loss {first:.4f} to {last:.4f}; the two differ by up to {apart:.1e} in 200 steps")
        failed |= not apart <= ALLOWED or not last < first - LEARNT
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
