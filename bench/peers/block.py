# SPDX-License-Identifier: MIT
"""A TNN layer in PyTorch, written for speed, with the mathematics of the C++ layer: pre-norm, gated Toeplitz
unit of three times the width, gated linear unit of the same width."""

from torch import nn
from torch.nn import functional as F

import operators

# By the name of the benchmark of the same layer.
MIXERS = {
    "TnoBidirectional": lambda d, n: operators.Tno(d, n, causal=False),
    "TnoCausal": lambda d, n: operators.Tno(d, n, causal=True),
    "FdCausal": lambda d, n: operators.FdTno(d, n, causal=True),
    "FdBidirectional": lambda d, n: operators.FdTno(d, n, causal=False),
    "Ski": operators.SkiTno,
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

    @property
    def variants(self):
        return self.mixer.variants

    @property
    def rewritten(self):
        return self.mixer.rewritten

    @property
    def variant(self):
        return self.mixer.variant

    @variant.setter
    def variant(self, value):
        self.mixer.variant = value

    def cache(self):
        self.mixer.cache()

    def forward(self, x):
        a = operators.rms_norm(x)
        x = x + self.o(F.silu(self.u(a)) * self.mixer(F.silu(self.v(a))))
        a = operators.rms_norm(x)
        return x + self.l3(F.silu(self.l1(a)) * self.l2(a))
