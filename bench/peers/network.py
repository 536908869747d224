# SPDX-License-Identifier: MIT
"""The networks of this library in PyTorch: embedding, layers, norm, head, with the names of their parameters.

A network is described by a dictionary, which training.cpp in tests/peers and lra.py beside this file make:

    mixer           tno, ski or fd
    length          time steps n; of images with their rows one after another
    image_width     0 for sequences; images have a mixer along rows and one along columns
    causal          of sequences, tno and fd alone
    vocabulary, width, layers, inner_width, glu_width, outputs
    per_token       one row of outputs per time step; otherwise of the mean over all of them
    pairs           0, or the classes of pairs of sequences, whose features the outputs are
    batch_norm      instead of a norm of every row
    dropout         of what embedding and units add; 0 where it is left out
    mlp_width, mlp_layers, activation    of the perceptrons of tno and fd
    decay           of tno and ski, λ of each axis: of sequences one, of images those of rows and of columns
    rank, taps, knots                    of ski
    log_input, scale, pole               of fd; without log_input cos ω alone is the input

Sequences that axes are made of are B × n × K × e: K copies that one kernel per channel serves, one for
sequences and rows of pixels, and for columns the pixels of a row.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

ACTIVATIONS = {"relu": torch.relu, "silu": F.silu}


def rms_norm(x):
    return x / (x.pow(2).mean(dim=-1, keepdim=True).sqrt() + 1e-8)


class Perceptron(nn.Module):
    """Positions to one value per channel: norm, activation, affine map, layer by layer."""

    def __init__(self, inputs, outputs, case):
        super().__init__()
        width = case["mlp_width"]
        self.activation = ACTIVATIONS[case["activation"]]
        self.pos_proj = nn.Linear(inputs, width)
        self.layers = nn.ModuleList(nn.ModuleDict({"2": nn.Linear(width, width)})
                                    for _ in range(case["mlp_layers"]))
        self.out = nn.ModuleDict({"2": nn.Linear(width, outputs)})

    def forward(self, positions):
        h = self.pos_proj(positions)
        for layer in [*self.layers, self.out]:
            h = layer["2"](self.activation(rms_norm(h)))
        return h


def smooth_size(least):
    """The smallest even number from `least` on whose only factors are 2, 3, 5 and 7."""
    size = least + least % 2
    while True:
        rest = size
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 2


def wrapped(kernel, n):
    """Lags 0..n-1, a free slot, then -(n-1)..-1."""
    return torch.cat([kernel[n - 1:], kernel.new_zeros(1, kernel.shape[1]), kernel[: n - 1]])


class Mixer(nn.Module):
    """y = T x along the second axis. At inference the spectrum of the kernel is kept."""

    def __init__(self):
        super().__init__()
        self.transposes = False  # the transforms' axis is made the last one, by copies
        self.kept = None

    def train(self, mode=True):
        self.kept = None
        return super().train(mode)

    def current(self, compute):
        """The spectrum, and other tensors of a kernel."""
        if self.training:
            return compute()
        if self.kept is None:
            self.kept = compute()
        return self.kept

    def multiply(self, spectrum, x, size):
        """The circular convolution of `size` points, of which the first n are wanted."""
        n = x.shape[1]
        if self.transposes:
            transform = torch.fft.rfft(x.permute(0, 2, 3, 1).contiguous(), n=size)
            return torch.fft.irfft(transform * spectrum.t(), n=size)[..., :n].permute(0, 3, 1, 2).contiguous()
        transform = torch.fft.rfft(x, n=size, dim=1)
        return torch.fft.irfft(transform * spectrum.unsqueeze(1), n=size, dim=1)[:, :n]


class Tno(Mixer):
    def __init__(self, case, length, decay):
        super().__init__()
        self.length, self.causal = length, case["causal"]
        self.rpe = Perceptron(1, case["inner_width"], case)
        lags = torch.arange(0 if self.causal else 1 - length, length).unsqueeze(1)
        self.register_buffer("lags", lags.float(), persistent=False)
        self.register_buffer("decay", torch.pow(decay, lags.abs().double()).float(), persistent=False)

    def kernel(self):
        return self.rpe(self.lags) * self.decay

    def spectrum(self):
        kernel = self.kernel()
        if not self.causal:
            kernel = wrapped(kernel, self.length)
        return torch.fft.rfft(kernel, n=2 * self.length, dim=0)

    def forward(self, x):
        return self.multiply(self.current(self.spectrum), x, 2 * self.length)


class Pole(nn.Module):
    """k(t) = (a + b sgn t) λ^|t|; causal: a λ^t."""

    LEAST, LIMIT = 0.9, 127 / 128

    def __init__(self, channels, causal):
        super().__init__()
        self.amplitude = nn.Parameter(0.4 * torch.randn(channels))
        self.gamma = nn.Parameter(torch.randn(channels))
        self.odd = None if causal else nn.Parameter(0.4 * torch.randn(channels))

    def forward(self, lags):
        rate = self.LEAST + (self.LIMIT - self.LEAST) * torch.sigmoid(self.gamma)
        sides = self.amplitude if self.odd is None else self.amplitude + self.odd * lags.sign()
        return sides * torch.exp(lags.abs() * torch.log(rate))


class FdTno(Mixer):
    def __init__(self, case, length, decay):
        del decay
        super().__init__()
        channels = case["inner_width"]
        self.causal, self.scale, self.log_input = case["causal"], case["scale"], case["log_input"]
        self.grid = smooth_size(2 * length)
        self.rpe = Perceptron(2 if self.log_input else 1, channels if self.causal else 2 * channels, case)
        self.pole = Pole(channels, self.causal) if case["pole"] else None
        omega = torch.arange(self.grid // 2 + 1).double().unsqueeze(1) * (2 * math.pi / self.grid)
        rho = 127 / 128
        size = 1 - 2 * rho * torch.cos(omega) + rho * rho
        logarithm = torch.log(size / (1 - rho * rho)) / math.log((1 + rho) / (1 - rho))
        positions = torch.cat([torch.cos(omega), logarithm], dim=1) if self.log_input else torch.cos(omega)
        sine = torch.sin(omega)
        sine[-1] = 0
        self.register_buffer("positions", positions.float(), persistent=False)
        self.register_buffer("sine", sine.float(), persistent=False)
        # Causal: lags 0..N/2-1. Otherwise lags as a transform has them, without N/2.
        half = self.grid // 2
        lags = torch.arange(half) if self.causal else torch.cat([torch.arange(half), torch.arange(-half, 0)])
        self.register_buffer("lags", lags.float().unsqueeze(1), persistent=False)
        inside = torch.ones(lags.shape[0], 1)
        if not self.causal:
            inside[half] = 0
        self.register_buffer("inside", inside, persistent=False)
        window = torch.full((half, 1), 2.0)
        window[0] = 1
        self.register_buffer("window", window, persistent=False)

    def spectrum(self):
        values = self.scale * self.rpe(self.positions)
        if self.causal:
            even = torch.fft.irfft(torch.complex(values, torch.zeros_like(values)), n=self.grid, dim=0)
            kernel = even[: self.grid // 2] * self.window
            if self.pole is not None:
                kernel = kernel + self.pole(self.lags)
            return torch.fft.rfft(kernel, n=self.grid, dim=0)
        real, imaginary = values.chunk(2, dim=1)
        response = torch.complex(real, imaginary * self.sine)
        if self.pole is not None:
            response = response + torch.fft.rfft(self.pole(self.lags) * self.inside, dim=0)
        return response

    def forward(self, x):
        return self.multiply(self.current(self.spectrum), x, self.grid)


class SkiTno(Mixer):
    """Band + W A Wᵀ with A from a table by an inverse time warp."""

    def __init__(self, case, length, decay):
        super().__init__()
        channels, knots = case["inner_width"], case["knots"]
        self.taps, self.rank = case["taps"], min(case["rank"], length)
        self.dense = False  # W as a matrix; otherwise by its two numbers in a row
        self.conv_kernel = nn.Parameter(torch.empty(channels, self.taps).uniform_(-1, 1) / math.sqrt(self.taps))
        self.alphas = nn.Parameter(torch.randn(channels, knots))  # at 1/R, 2/R … 1
        self.betas = nn.Parameter(torch.randn(channels, knots))   # at −1 … −1/R
        r = self.rank
        rows = torch.arange(length)
        cell = (rows * (r - 1) // (length - 1)).clamp(max=r - 2)
        upper = ((rows * (r - 1) - cell * (length - 1)).double() / (length - 1)).float()
        w = torch.zeros(length, r)
        w[rows, cell] = 1 - upper
        w[rows, cell + 1] = upper
        lags = torch.arange(1 - r, r).double() * ((length - 1) / (r - 1))
        warped = torch.where(lags < 0, -1.0, 1.0) * torch.pow(decay, lags.abs())
        place = (warped + 1) * knots
        lower = place.floor().clamp(0, 2 * knots - 1)
        for name, value in (("w", w), ("cell", cell), ("upper", upper[:, None, None]),
                            ("knot", lower.long()), ("fraction", (place - lower).float())):
            self.register_buffer(name, value, persistent=False)

    def spectrum(self):
        table = torch.cat([self.betas, torch.zeros_like(self.betas[:, :1]), self.alphas], dim=1)
        low, high = table[:, self.knot], table[:, self.knot + 1]
        kernel = (low + self.fraction * (high - low)).t()
        return torch.fft.rfft(wrapped(kernel, self.rank), dim=0)

    def band(self, x):
        # A picture with neighbouring channels: oneDNN's depthwise kernel needs no copy.
        weight = self.conv_kernel.unsqueeze(2).unsqueeze(1)
        picture = x.permute(0, 3, 1, 2)
        y = F.conv2d(picture, weight, padding=(self.taps // 2, 0), groups=x.shape[3])
        return y.permute(0, 2, 3, 1)

    def gather(self, x):
        if self.dense:
            return torch.matmul(self.w.t(), x.flatten(2)).view(x.shape[0], self.rank, *x.shape[2:])
        z = x.new_zeros(x.shape[0], self.rank, *x.shape[2:])
        return z.index_add(1, self.cell, x * (1 - self.upper)).index_add(1, self.cell + 1, x * self.upper)

    def spread(self, z):
        if self.dense:
            return torch.matmul(self.w, z.flatten(2)).view(z.shape[0], self.w.shape[0], *z.shape[2:])
        return z[:, self.cell] * (1 - self.upper) + z[:, self.cell + 1] * self.upper

    def forward(self, x):
        z = self.multiply(self.current(self.spectrum), self.gather(x), 2 * self.rank)
        return self.band(x) + self.spread(z.contiguous())


MIXERS = {"tno": Tno, "ski": SkiTno, "fd": FdTno}


class Images(nn.Module):
    """A mixer along the rows of pixels, and one along the columns."""

    def __init__(self, case):
        super().__init__()
        self.width = case["image_width"]
        self.height = case["length"] // self.width
        self.rows = MIXERS[case["mixer"]](case, self.width, case["decay"][0])
        self.columns = MIXERS[case["mixer"]](case, self.height, case["decay"][1])

    def forward(self, x):
        batch, channels = x.shape[0], x.shape[3]
        y = self.rows(x.reshape(batch * self.height, self.width, 1, channels))
        y = self.columns(y.reshape(batch, self.height, self.width, channels))
        return y.reshape(x.shape)


class Gtu(nn.Module):
    def __init__(self, case):
        super().__init__()
        width, inner = case["width"], case["inner_width"]
        self.v_proj, self.u_proj = nn.Linear(width, inner), nn.Linear(width, inner)
        self.o = nn.Linear(inner, width)
        self.toep = Images(case) if case["image_width"] else \
            MIXERS[case["mixer"]](case, case["length"], case["decay"][0])

    def forward(self, x):
        mixed = self.toep(F.silu(self.v_proj(x)).unsqueeze(2)).squeeze(2)
        return self.o(F.silu(self.u_proj(x)) * mixed)


class Glu(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.l1, self.l2, self.l3 = nn.Linear(width, inner), nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x):
        return self.l3(F.silu(self.l1(x)) * self.l2(x))


class BatchNorm(nn.BatchNorm1d):
    def forward(self, x):
        return super().forward(x.flatten(0, 1)).view(x.shape)


class RowNorm(nn.Module):
    def forward(self, x):
        return rms_norm(x)


class Layer(nn.Module):
    def __init__(self, case):
        super().__init__()
        norm = (lambda: BatchNorm(case["width"])) if case["batch_norm"] else RowNorm
        self.self_attn = nn.ModuleDict({"gtu": Gtu(case)})
        self.self_attn_layer_norm = norm()
        self.glu = Glu(case["width"], case["glu_width"])
        self.final_layer_norm = norm()
        self.dropout = nn.Dropout(case.get("dropout", 0))

    def forward(self, x):
        x = x + self.dropout(self.self_attn["gtu"](self.self_attn_layer_norm(x)))
        return x + self.dropout(self.glu(self.final_layer_norm(x)))


class Network(nn.Module):
    """Tokens, B × n, to rows of outputs: B × n, B, or B/2 of them."""

    def __init__(self, case):
        super().__init__()
        width = case["width"]
        self.per_token = case["per_token"]
        self.embed = nn.Embedding(case["vocabulary"], width)
        nn.init.normal_(self.embed.weight, std=width ** -0.5)
        self.layers = nn.ModuleList(Layer(case) for _ in range(case["layers"]))
        self.norm = BatchNorm(width) if case["batch_norm"] else RowNorm()
        self.out = nn.Linear(width, case["outputs"])
        self.dropout = nn.Dropout(case.get("dropout", 0))
        self.pairs = nn.Linear(4 * case["outputs"], case["pairs"]) if case["pairs"] else None

    def forward(self, tokens):
        x = self.dropout(self.embed(tokens))
        for layer in self.layers:
            x = layer(x)
        x = self.norm(x)
        if self.per_token:
            return self.out(x).flatten(0, 1)
        y = self.out(x.mean(dim=1))
        if self.pairs is None:
            return y
        a, b = y[0::2], y[1::2]
        return self.pairs(torch.cat([a, b, a * b, (a - b).abs()], dim=1))


def optimizer(network, rate, weight_decay, beta2):
    """AdamW whose weight decay is of matrices."""
    groups = [[], []]
    for parameter in network.parameters():
        groups[int(parameter.dim() == 2 and min(parameter.shape) > 1)].append(parameter)
    return torch.optim.AdamW([{"params": groups[0], "weight_decay": 0.0},
                              {"params": groups[1], "weight_decay": weight_decay}],
                             lr=rate, betas=(0.9, beta2))
