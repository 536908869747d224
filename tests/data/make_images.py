#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes images.safetensors: what the authors' gated unit for images computes, from its formulas and nothing of
this library, in float64, with gradients by PyTorch's differentiation.

    python3 tests/data/make_images.py tests/data/images.safetensors

o = W_o (silu(W_u x) ⊙ (o1 + o2)), v = silu(W_v x), o1 the mixer toep1 along the rows of v and then toep2 along
the columns, o2 the same in the other order. Toeplitz matrices are filled entry by entry. Tensors x, g, y, dx,
parameters.* and gradients.*, which are those of sum(y g), under `tno.` and `fd.`, the two kinds of both mixers.
"""
import json
import math
import struct
import sys

import torch

HEIGHT, WIDTH, CHANNELS, INNER, FEATURES, BATCH, GAMMA = 6, 5, 3, 4, 5, 2, 0.95
torch.set_default_dtype(torch.float64)


def linear(x, p, name):
    return x @ p[name + ".weight"].T + p[name + ".bias"]


def rpe(t, p, name):
    h = linear(t, p, name + ".pos_proj")
    for layer in ("layers.0", "layers.1", "out"):
        h = linear(torch.relu(h / (h.pow(2).mean(1, keepdim=True).sqrt() + 1e-8)), p, f"{name}.{layer}.2")
    return h


def tno_lags(n, p, name):
    """The kernel at lags −(n−1)..n−1."""
    t = torch.arange(1 - n, n, dtype=torch.float64)[:, None]
    return rpe(t, p, name + ".rpe") * GAMMA ** t.abs()


def fd_lags(n, p, name):
    """The inverse transform, as a sum, of a response on N = 2^⌈log₂ 2n⌉ points; odd parts end at ω = 0 and π."""
    size = 1 << math.ceil(math.log2(2 * n))
    omega = torch.arange(size // 2 + 1, dtype=torch.float64)[:, None] * (2 * math.pi / size)
    real, imaginary = rpe(omega, p, name + ".rpe").chunk(2, dim=1)
    t = torch.arange(1 - n, n, dtype=torch.float64)[:, None, None]
    weight = torch.full((size // 2 + 1, 1), 2.0)
    weight[0] = weight[-1] = 1
    inside = torch.ones(size // 2 + 1, 1)
    inside[0] = inside[-1] = 0
    parts = real * torch.cos(omega * t) - inside * imaginary * torch.sin(omega * t)
    return (weight * parts).sum(1) / size


def toeplitz(lags, n):
    """T[i, j, channel] = k(i − j)."""
    return torch.stack([torch.stack([lags[i - j + n - 1] for j in range(n)]) for i in range(n)])


def unit(x, p, kernel):
    u, v = (torch.nn.functional.silu(linear(x, p, f"{name}_proj")) for name in "uv")
    rows = toeplitz(kernel(WIDTH, p, "toep1"), WIDTH)
    columns = toeplitz(kernel(HEIGHT, p, "toep2"), HEIGHT)

    def along_rows(a):
        return torch.einsum("wvc,bhvc->bhwc", rows, a)

    def along_columns(a):
        return torch.einsum("hgc,bgwc->bhwc", columns, a)

    return linear(u * (along_columns(along_rows(v)) + along_rows(along_columns(v))), p, "o")


def parameters(kernel):
    def of(name, outputs, inputs):
        bound = inputs ** -0.5
        return {f"{name}.weight": torch.empty(outputs, inputs).uniform_(-bound, bound),
                f"{name}.bias": torch.empty(outputs).uniform_(-bound, bound)}

    p = {**of("v_proj", INNER, CHANNELS), **of("u_proj", INNER, CHANNELS), **of("o", CHANNELS, INNER)}
    for name in ("toep1.rpe", "toep2.rpe"):
        p |= of(name + ".pos_proj", FEATURES, 1)
        for layer in ("layers.0.2", "layers.1.2"):
            p |= of(f"{name}.{layer}", FEATURES, FEATURES)
        p |= of(name + ".out.2", INNER if kernel is tno_lags else 2 * INNER, FEATURES)
    return p


def main():
    tensors = {}
    for kind, kernel in (("tno", tno_lags), ("fd", fd_lags)):
        torch.manual_seed(20)
        p = {name: value.requires_grad_() for name, value in parameters(kernel).items()}
        x = torch.randn(BATCH, HEIGHT, WIDTH, CHANNELS).requires_grad_()
        g = torch.randn(BATCH, HEIGHT, WIDTH, CHANNELS)
        y = unit(x, p, kernel)
        (y * g).sum().backward()
        found = {"x": x, "g": g, "y": y, "dx": x.grad, **{f"parameters.{name}": t for name, t in p.items()},
                 **{f"gradients.{name}": t.grad for name, t in p.items()}}
        tensors |= {f"{kind}.{name}": tensor.detach() for name, tensor in found.items()}
    header, offset = {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F64", "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + 8 * tensor.numel()]}
        offset += 8 * tensor.numel()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(sys.argv[1], "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(struct.pack(f"<{tensor.numel()}d", *tensor.flatten().tolist()))


if __name__ == "__main__":
    main()
