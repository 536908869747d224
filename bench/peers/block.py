#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A TNN layer in PyTorch, written for speed, and the time of its passes.

    block.py --mixer fd_causal --length 2048 --width 512 --threads 1 --passes forward step

Prints a line of JSON per pass: {"pass": …, "milliseconds": [one number per repetition], …}.
The mathematics is that of the C++ layer: pre-norm, gated Toeplitz unit of three times the width, gated linear
unit of the same width, a position perceptron of 3 layers of 64 features.
"""

import argparse
import json
import math
import sys
import time

try:
    import torch
    from torch import nn
    from torch.nn import functional as F
except ImportError:
    sys.exit("PyTorch is not installed (Debian: python3-torch)")


def rms_norm(x):
    return x / (x.pow(2).mean(dim=-1, keepdim=True).sqrt() + 1e-8)


class Perceptron(nn.Module):
    """One position to one value per channel: norm, ReLU, affine map, three times."""

    def __init__(self, channels, features=64, layers=3):
        super().__init__()
        self.first = nn.Linear(1, features)
        self.hidden = nn.ModuleList(nn.Linear(features, features) for _ in range(layers))
        self.last = nn.Linear(features, channels)

    def forward(self, positions):
        h = self.first(positions)
        for layer in self.hidden:
            h = layer(torch.relu(rms_norm(h)))
        return self.last(torch.relu(rms_norm(h)))


def convolve(kernel_spectrum, x, size):
    """Along dimension 0; x is n × d."""
    return torch.fft.irfft(kernel_spectrum * torch.fft.rfft(x, n=size, dim=0), n=size, dim=0)[: x.shape[0]]


class Tno(nn.Module):
    def __init__(self, channels, length, causal):
        super().__init__()
        self.mlp = Perceptron(channels)
        self.size = 2 * length
        lags = torch.arange(0, length) if causal else torch.arange(-(length - 1), length)
        self.register_buffer("lags", lags.float().unsqueeze(1))
        self.register_buffer("decay", torch.pow(0.99, lags.abs().float()).unsqueeze(1))
        self.causal = causal

    def forward(self, x):
        n = x.shape[0]
        kernel = self.mlp(self.lags) * self.decay
        if not self.causal:  # lags 0..n-1, a free slot, then -(n-1)..-1
            kernel = torch.cat([kernel[n - 1 :], kernel.new_zeros(1, kernel.shape[1]), kernel[: n - 1]])
        return convolve(torch.fft.rfft(kernel, n=self.size, dim=0), x, self.size)


class FdTno(nn.Module):
    def __init__(self, channels, length, causal):
        super().__init__()
        self.mlp = Perceptron(channels if causal else 2 * channels)
        self.size = 2 * length
        omega = torch.arange(0, length + 1).float() * (math.pi / length)
        self.register_buffer("position", torch.cos(omega).unsqueeze(1))
        self.register_buffer("sine", torch.sin(omega).unsqueeze(1))
        window = torch.zeros(self.size, 1)
        window[0] = 1
        window[1:length] = 2
        self.register_buffer("window", window)
        self.causal = causal

    def forward(self, x):
        response = self.mlp(self.position)
        if self.causal:
            even = torch.fft.irfft(torch.complex(response, torch.zeros_like(response)), n=self.size, dim=0)
            spectrum = torch.fft.rfft(even * self.window, dim=0)
        else:
            real, imaginary = response.chunk(2, dim=1)
            spectrum = torch.complex(real, imaginary * self.sine)
        return convolve(spectrum, x, self.size)


class Ski(nn.Module):
    """Band of 33 taps and 64 inducing points of an inverse time warp: W A Wᵀ with W as a sparse matrix."""

    def __init__(self, channels, length, rank=64, taps=33):
        super().__init__()
        self.taps = nn.Conv1d(channels, channels, taps, padding=taps // 2, groups=channels, bias=False)
        self.table = nn.Parameter(torch.randn(2 * rank + 1, channels))
        rank = min(rank, length)
        self.size = 2 * rank
        self.rank = rank
        spacing = (length - 1) / (rank - 1)
        lags = torch.arange(-(rank - 1), rank) * spacing
        warped = torch.where(lags < 0, -1.0, 1.0) * torch.pow(torch.tensor(0.99), lags.abs())
        knots = (self.table.shape[0] - 1) // 2
        u = (warped + 1) * knots
        lower = u.floor().clamp(0, 2 * knots - 1)
        self.register_buffer("knot", lower.long())
        self.register_buffer("fraction", (u - lower).unsqueeze(1))
        rows = torch.arange(length)
        cell = (rows * (rank - 1) // (length - 1)).clamp(max=rank - 2)
        weight = (rows * (rank - 1) - cell * (length - 1)).float() / (length - 1)
        interpolation = torch.zeros(length, rank)
        interpolation[rows, cell] = 1 - weight
        interpolation[rows, cell + 1] = weight
        self.register_buffer("w", interpolation.to_sparse().coalesce())
        self.register_buffer("wt", interpolation.t().contiguous().to_sparse().coalesce())

    def forward(self, x):
        band = self.taps(x.t().unsqueeze(0)).squeeze(0).t()
        low, high = self.table[self.knot], self.table[self.knot + 1]
        kernel = low + self.fraction * (high - low)
        r = self.rank
        kernel = torch.cat([kernel[r - 1 :], kernel.new_zeros(1, kernel.shape[1]), kernel[: r - 1]])
        z = torch.sparse.mm(self.wt, x)
        z = convolve(torch.fft.rfft(kernel, dim=0), z, self.size)
        return band + torch.sparse.mm(self.w, z)


MIXERS = {
    "tno_bidirectional": lambda d, n: Tno(d, n, causal=False),
    "tno_causal": lambda d, n: Tno(d, n, causal=True),
    "fd_causal": lambda d, n: FdTno(d, n, causal=True),
    "fd_bidirectional": lambda d, n: FdTno(d, n, causal=False),
    "ski": Ski,
}


class Block(nn.Module):
    def __init__(self, width, length, mixer):
        super().__init__()
        inner = 3 * width
        self.u = nn.Linear(width, inner)
        self.v = nn.Linear(width, inner)
        self.o = nn.Linear(inner, width)
        self.l1 = nn.Linear(width, width)
        self.l2 = nn.Linear(width, width)
        self.l3 = nn.Linear(width, width)
        self.mixer = MIXERS[mixer](inner, length)

    def forward(self, x):
        a = rms_norm(x)
        x = x + self.o(F.silu(self.u(a)) * self.mixer(F.silu(self.v(a))))
        a = rms_norm(x)
        return x + self.l3(F.silu(self.l1(a)) * self.l2(a))


def measure(run, repetitions, seconds):
    run()
    times = []
    begin = time.perf_counter()
    while len(times) < repetitions or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mixer", choices=MIXERS, required=True)
    parser.add_argument("--length", type=int, default=2048)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--passes", nargs="+", choices=["forward", "step"], default=["forward", "step"])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--describe", action="store_true", help="print how PyTorch was built, and stop")
    options = parser.parse_args()
    if options.describe:
        print(torch.__version__)
        print(torch.__config__.show())
        return
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    block = Block(options.width, options.length, options.mixer)
    x = torch.randn(options.length, options.width)
    g = torch.randn(options.length, options.width)

    def forward():
        with torch.no_grad():
            block(x)

    x_leaf = x.clone().requires_grad_()

    def step():
        for parameter in block.parameters():
            parameter.grad = None
        x_leaf.grad = None
        block(x_leaf).backward(g)

    for name in options.passes:
        times = measure(forward if name == "forward" else step, options.repetitions, options.seconds)
        print(json.dumps({"pass": name, "mixer": options.mixer, "milliseconds": times}), flush=True)


if __name__ == "__main__":
    main()
