#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Would a pole help Tno, as it helps FdTno? A small language model in PyTorch, with and without.

    bench/peers/pole.py /usr/share/perl --steps 400 --seeds 1 2

Trains on the bytes of all .pod files but the last twentieth of each, and prints the mean bits per byte of the
rest. Windows of 256 bytes, 4 a step, 2 causal layers of width 32, mixers of 64 channels, AdamW as the training
programs have it. The networks are those of network.py; `tno + pole` adds a λᵗ to the kernel of every channel,
with the start that FdTno's pole has.
"""

import argparse
import math
import pathlib
import sys

import torch

import network

LENGTH, BATCH = 256, 4
CASE = {"length": LENGTH, "image_width": 0, "causal": True, "vocabulary": 256, "width": 32, "layers": 2,
        "inner_width": 64, "glu_width": 32, "outputs": 256, "per_token": True, "pairs": 0, "batch_norm": False,
        "mlp_width": 32, "mlp_layers": 3, "decay": [0.99], "log_input": True, "scale": 4}


class LearnedDecay(network.Tno):
    """λ_c = 0.9 + 0.1 σ(γ_c), as the language model's; and a pole, where wanted."""

    def __init__(self, case, length, decay):
        super().__init__(case, length, decay)
        self.gamma = torch.nn.Parameter(torch.randn(case["inner_width"]))
        self.pole = network.Pole(case["inner_width"], causal=True) if case["pole"] else None

    def kernel(self):
        kernel = self.rpe(self.lags) * torch.pow(0.9 + 0.1 * torch.sigmoid(self.gamma), self.lags)
        return kernel if self.pole is None else kernel + self.pole(self.lags)


VARIANTS = {"tno": ("tno", False, "relu"), "tno + pole": ("tno", True, "relu"),
            "fd": ("fd", True, "silu"), "fd without the pole": ("fd", False, "silu")}


def read(directory):
    """What to train on, and what is kept back."""
    parts = [[], []]
    for file in sorted(directory.rglob("*.pod")):
        text = file.read_bytes()
        cut = len(text) * 19 // 20
        parts[0].append(text[:cut])
        parts[1].append(text[cut:])
    return [torch.frombuffer(bytearray(b"".join(part)), dtype=torch.uint8).long() for part in parts]


def windows(text, starts):
    rows = torch.stack([text[int(start): int(start) + LENGTH + 1] for start in starts])
    return rows[:, :-1], rows[:, 1:].flatten()


def train(variant, seed, steps, text):
    torch.manual_seed(seed)
    mixer, pole, activation = VARIANTS[variant]
    net = network.Network({**CASE, "mixer": mixer, "pole": pole, "activation": activation})
    optimizer = network.optimizer(net, 3e-3, 0.05, 0.98)
    for step in range(steps):
        warmup = min(100, steps // 10)
        rate = step / warmup if step < warmup else (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * rate
        tokens, targets = windows(text, torch.randint(len(text) - LENGTH - 1, (BATCH,)))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(tokens), targets).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1)
        optimizer.step()
    return net.eval()


def bits_per_byte(net, text, count):
    """Of windows that are spread over the text."""
    with torch.inference_mode():
        nats = [torch.nn.functional.cross_entropy(net(tokens), targets).item()
                for tokens, targets in (windows(text, [start])
                                        for start in torch.linspace(0, len(text) - LENGTH - 1, count).long())]
    return sum(nats) / len(nats) / math.log(2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path, help="with .pod files, at any depth")
    parser.add_argument("--steps", type=int, default=400, help="default: %(default)s")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2], help="default: 1 2")
    options = parser.parse_args()
    torch.set_num_threads(1)
    network.MIXERS["tno"] = LearnedDecay
    text, held_back = read(options.directory)
    if len(held_back) <= LENGTH:
        sys.exit(f"too little text in {options.directory}: {len(text) + len(held_back)} bytes of .pod files")
    print(f"{len(text)} bytes to train on, {len(held_back)} kept back; {options.steps} steps of {BATCH} × {LENGTH}")
    for variant in VARIANTS:
        bits = [bits_per_byte(train(variant, seed, options.steps, text), held_back, 200) for seed in options.seeds]
        print(f"{variant}: {' / '.join(f'{b:.3f}' for b in bits)} bits per byte", flush=True)


if __name__ == "__main__":
    main()
