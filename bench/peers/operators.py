# SPDX-License-Identifier: MIT
"""Toeplitz operators in PyTorch, written for speed: what the C++ operators are compared with.

Sequences are n × d, row-major, in and out, as a layer has them. An operator knows several ways to the same
numbers, its `variants`; which is fastest depends on sizes, machine and PyTorch, so whoever measures tries them
all. Those in `rewritten` are formulations that the published code and most users would not think of: a depthwise
convolution of a picture one pixel wide, interpolation as the resizing of a picture. Kernels are lags × channels as in the C++ library: row t + n - 1 is
lag t; spectra have N/2 + 1 rows.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

TAPS, RANK, FEATURES = 33, 64, 64
DECAY = 0.99


def rms_norm(x):
    return x / (x.pow(2).mean(dim=-1, keepdim=True).sqrt() + 1e-8)


class Perceptron(nn.Module):
    """One position to one value per channel: norm, ReLU, affine map, layer by layer."""

    def __init__(self, channels, features=FEATURES, layers=3):
        super().__init__()
        self.first = nn.Linear(1, features)
        self.hidden = nn.ModuleList(nn.Linear(features, features) for _ in range(layers))
        self.last = nn.Linear(features, channels)

    def forward(self, positions):
        h = self.first(positions)
        for layer in self.hidden:
            h = layer(torch.relu(rms_norm(h)))
        return self.last(torch.relu(rms_norm(h)))


# --- Transforms along time ---------------------------------------------------------------------------------
# "rows" transforms the n × d matrix along its columns; "columns" transposes before and after.


def forward_transform(a, size, variant):
    return torch.fft.rfft(a.t(), n=size) if variant == "columns" else torch.fft.rfft(a, n=size, dim=0)


def inverse_transform(spectrum, size, rows, variant):
    if variant == "columns":
        return torch.fft.irfft(spectrum, n=size)[:, :rows].t().contiguous()
    return torch.fft.irfft(spectrum, n=size, dim=0)[:rows]


def multiply(spectrum, x, size, variant):
    """The circular convolution of `size` points, of which the first rows are wanted."""
    return inverse_transform(spectrum * forward_transform(x, size, variant), size, x.shape[0], variant)


def wrapped(kernel, n):
    """Lags 0..n-1, a free slot, then -(n-1)..-1."""
    return torch.cat([kernel[n - 1:], kernel.new_zeros(1, kernel.shape[1]), kernel[: n - 1]])


# --- Operators ---------------------------------------------------------------------------------------------


class Operator(nn.Module):
    """y = op(x); `variant` is one of `variants`, and `cache()` is called before it is used for inference."""

    variants = ["rows", "columns"]
    rewritten = []

    def __init__(self):
        super().__init__()
        self.variant = self.variants[0]

    def cache(self):
        """What inference keeps between calls."""


class Exact(Operator):
    """A kernel of any lags; for inference its spectrum is kept."""

    def __init__(self, channels, length, causal=False):
        super().__init__()
        self.length, self.causal = length, causal
        self.kernel = nn.Parameter(torch.randn(length if causal else 2 * length - 1, channels))
        self.kept = None

    def spectrum(self):
        kernel = self.kernel if self.causal else wrapped(self.kernel, self.length)
        return forward_transform(kernel, 2 * self.length, self.variant)

    def cache(self):
        self.kept = self.spectrum()

    def forward(self, x):
        spectrum = self.spectrum() if torch.is_grad_enabled() else self.kept
        return multiply(spectrum, x, 2 * self.length, self.variant)


class Tno(Operator):
    """The kernel comes from a position perceptron and a decay, at every call."""

    def __init__(self, channels, length, causal):
        super().__init__()
        self.length, self.causal = length, causal
        self.mlp = Perceptron(channels)
        lags = torch.arange(0 if causal else 1 - length, length).float().unsqueeze(1)
        self.register_buffer("lags", lags)
        self.register_buffer("decay", torch.pow(DECAY, lags.abs()))

    def forward(self, x):
        kernel = self.mlp(self.lags) * self.decay
        if not self.causal:
            kernel = wrapped(kernel, self.length)
        spectrum = forward_transform(kernel, 2 * self.length, self.variant)
        return multiply(spectrum, x, 2 * self.length, self.variant)


class Frequency(Operator):
    """The kernel is a frequency response: real and made causal by the Hilbert transform, or complex."""

    def __init__(self, channels, length, causal, grid=None):
        super().__init__()
        self.causal = causal
        self.grid = grid or 2 * length
        frequencies = self.grid // 2 + 1
        self.response = nn.Parameter(torch.randn(frequencies, channels) if causal else
                                     torch.randn(frequencies, channels, dtype=torch.complex64))
        # Lags 0..N/2; none is negative, and lag N/2 is beyond the sequence.
        window = torch.full((self.grid // 2, 1), 2.0)
        window[0] = 1
        self.register_buffer("window", window)

    def forward(self, x, response=None):
        response = self.response if response is None else response
        if self.variant == "columns":
            response = response.t()
        if self.causal:
            axis = 1 if self.variant == "columns" else 0
            # A real spectrum: irfft wants it complex.
            even = torch.fft.irfft(torch.complex(response, torch.zeros_like(response)), n=self.grid, dim=axis)
            half = even.narrow(axis, 0, self.grid // 2)
            window = self.window.t() if self.variant == "columns" else self.window
            response = torch.fft.rfft(half * window, n=self.grid, dim=axis)
        return multiply(response, x, self.grid, self.variant)


class FdTno(Operator):
    """A frequency response from a perceptron, at every call."""

    def __init__(self, channels, length, causal):
        super().__init__()
        self.causal = causal
        self.mlp = Perceptron(channels if causal else 2 * channels)
        self.product = Frequency(channels, length, causal)
        del self.product.response
        omega = torch.arange(0, length + 1).float() * (math.pi / length)
        self.register_buffer("position", torch.cos(omega).unsqueeze(1))
        self.register_buffer("sine", torch.sin(omega).unsqueeze(1))

    def forward(self, x):
        self.product.variant = self.variant
        response = self.mlp(self.position)
        if not self.causal:
            real, imaginary = response.chunk(2, dim=1)
            response = torch.complex(real, imaginary * self.sine)
        return self.product(x, response)


def image(x):
    """The n × d matrix as a picture of one column, channels last, without a copy."""
    return x.view(1, x.shape[0], 1, x.shape[1]).permute(0, 3, 1, 2)


def matrix(picture):
    return picture.permute(0, 2, 3, 1).reshape(picture.shape[2], picture.shape[1])


class Band(Operator):
    """A depthwise convolution around the diagonal. Its taps are those of a cross-correlation: m × d, row j is
    lag (m-1)/2 - j."""

    variants = ["conv1d", "conv1d_copy", "conv1d_native", "conv2d", "sum"]
    rewritten = ["conv2d", "sum"]

    def __init__(self, channels, length, taps=TAPS):
        super().__init__()
        self.taps = nn.Parameter(torch.randn(taps, channels))

    def forward(self, x):
        count, channels = self.taps.shape
        half = count // 2
        if self.variant == "sum":
            padded = F.pad(x, (0, 0, half, half))
            y = padded[: x.shape[0]] * self.taps[0]
            for j in range(1, count):
                y = torch.addcmul(y, padded[j: j + x.shape[0]], self.taps[j]) if torch.is_grad_enabled() \
                    else y.addcmul_(padded[j: j + x.shape[0]], self.taps[j])
            return y
        if self.variant == "conv2d":  # oneDNN has a depthwise kernel for channels that are neighbours
            weight = self.taps.view(count, 1, 1, channels).permute(3, 1, 0, 2)
            return matrix(F.conv2d(image(x), weight, padding=(half, 0), groups=channels))
        weight = self.taps.t().unsqueeze(1)
        signal = x.t().unsqueeze(0)
        if self.variant == "conv1d_copy":
            signal = signal.contiguous()
        with torch.backends.mkldnn.flags(enabled=self.variant != "conv1d_native"):
            return F.conv1d(signal, weight, padding=half, groups=channels).squeeze(0).t().contiguous()


class LowRank(Operator):
    """W A Wᵀ: linear interpolation from evenly spaced inducing points, and a Toeplitz matrix between them."""

    variants = ["sparse", "dense", "resize"]
    rewritten = ["resize"]

    def __init__(self, channels, length, rank=RANK):
        super().__init__()
        self.length, self.rank = length, min(rank, length)
        self.kernel = nn.Parameter(torch.randn(2 * self.rank - 1, channels))
        r = self.rank
        rows = torch.arange(length)
        cell = (rows * (r - 1) // (length - 1)).clamp(max=r - 2)
        weight = (rows * (r - 1) - cell * (length - 1)).double() / (length - 1)
        w = torch.zeros(length, r)
        w[rows, cell] = (1 - weight).float()
        w[rows, cell + 1] = weight.float()
        self.register_buffer("w", w)
        self.register_buffer("sparse", w.to_sparse().coalesce())
        self.register_buffer("sparse_transposed", w.t().contiguous().to_sparse().coalesce())
        self.kept = None

    def spectrum(self, kernel=None):
        return torch.fft.rfft(wrapped(self.kernel if kernel is None else kernel, self.rank), dim=0)

    def cache(self):
        self.kept = self.spectrum()

    def gather(self, x):
        if self.variant == "sparse":
            return torch.sparse.mm(self.sparse_transposed, x)
        if self.variant == "dense":
            return self.w.t() @ x
        # The gradient of linear interpolation, which is an operator like any other.
        sizes = [1, x.shape[1], self.rank, 1]
        return matrix(torch.ops.aten.upsample_bilinear2d_backward(image(x), [self.length, 1], sizes, True,
                                                                  None, None))

    def spread(self, z):
        if self.variant == "sparse":
            return torch.sparse.mm(self.sparse, z)
        if self.variant == "dense":
            return self.w @ z
        return matrix(F.interpolate(image(z), size=(self.length, 1), mode="bilinear", align_corners=True))

    def forward(self, x, spectrum=None):
        if spectrum is None:
            spectrum = self.spectrum() if torch.is_grad_enabled() else self.kept
        return self.spread(multiply(spectrum, self.gather(x), 2 * self.rank, "rows").contiguous())


class BandSki(Operator):
    """The paper's sparse plus low-rank operator, with the right W."""

    variants = [("conv1d", "sparse"), ("conv1d_native", "sparse"), ("conv2d", "sparse"), ("conv2d", "resize"),
                ("sum", "resize"), ("conv2d", "dense")]
    rewritten = variants[2:]

    def __init__(self, channels, length):
        super().__init__()
        self.band = Band(channels, length)
        self.low_rank = LowRank(channels, length)

    def cache(self):
        self.low_rank.cache()

    def forward(self, x, spectrum=None):
        self.band.variant, self.low_rank.variant = self.variant
        return self.band(x) + self.low_rank(x, spectrum)


class SkiTno(Operator):
    """Band + W A Wᵀ with A from a table by an inverse time warp: the mixer of a layer."""

    variants, rewritten = BandSki.variants, BandSki.rewritten

    def __init__(self, channels, length):
        super().__init__()
        self.product = BandSki(channels, length)
        del self.product.low_rank.kernel
        self.table = nn.Parameter(torch.randn(2 * RANK + 1, channels))
        r = self.product.low_rank.rank
        lags = torch.arange(1 - r, r) * ((length - 1) / (r - 1))
        warped = torch.where(lags < 0, -1.0, 1.0) * torch.pow(torch.tensor(DECAY), lags.abs())
        u = (warped + 1) * RANK
        lower = u.floor().clamp(0, 2 * RANK - 1)
        self.register_buffer("knot", lower.long())
        self.register_buffer("fraction", (u - lower).unsqueeze(1))

    def forward(self, x):
        self.product.variant = self.variant
        low, high = self.table[self.knot], self.table[self.knot + 1]
        kernel = low + self.fraction * (high - low)
        return self.product(x, self.product.low_rank.spectrum(kernel))


# By the path of the benchmark of the same name.
OPERATORS = {
    "Fft": Exact,
    "TnoBidirectional": lambda d, n: Tno(d, n, causal=False),
    "TnoCausal": lambda d, n: Tno(d, n, causal=True),
    "Hilbert": lambda d, n: Frequency(d, n, causal=True),
    "SpectralBidirectional": lambda d, n: Frequency(d, n, causal=False),
    "Band": Band,
    "BandSki": BandSki,
}


# --- Agreement with the C++ library ------------------------------------------------------------------------


def tensors_of(path, op, given):
    """(parameter, value given by the C++ side, how it is turned into the parameter) of an operator."""
    if path == "Fft":
        return [(op.kernel, given["kernel"], lambda t: t)]
    if path in ("Hilbert", "SpectralBidirectional"):
        def response(t):
            return t if path == "Hilbert" else torch.view_as_complex(t.view(t.shape[0], -1, 2).contiguous())
        return [(op.response, given["kernel"], response)]
    if path == "Band":
        return [(op.taps, given["kernel"], lambda t: t.flip(0))]
    if path == "BandSki":
        return [(op.band.taps, given["kernel"], lambda t: t.flip(0)),
                (op.low_rank.kernel, given["inducing"], lambda t: t)]
    layers = [("pos_proj", op.mlp.first), *((f"layers.{i}.2", h) for i, h in enumerate(op.mlp.hidden)),
              ("out.2", op.mlp.last)]
    return [(getattr(layer, part), given[f"rpe.{name}.{part}"], lambda t, s=getattr(layer, part): t.view_as(s))
            for name, layer in layers for part in ("weight", "bias")]


def check(path, given):
    """Relative 2-norm errors of y, dx and the gradients, [(variant, quantity, error)], of all variants.

    given: {name: {"shape": [rows, cols], "values": [...]}} with x, g, y, dx, parameters by name, and the
    gradient of parameter p as "d" + p.
    """
    values = {k: torch.tensor(v["values"]).view(v["shape"]) for k, v in given.items()}
    n, d = values["x"].shape
    if path in ("Hilbert", "SpectralBidirectional"):
        op = Frequency(d, n, path == "Hilbert", grid=2 * (values["kernel"].shape[0] - 1))
    else:
        op = OPERATORS[path](d, n)
    names = {id(v): k for k, v in values.items()}
    found = []
    for variant in op.variants:
        op.variant = variant
        parameters = tensors_of(path, op, values)
        with torch.no_grad():
            for parameter, value, convert in parameters:
                parameter.copy_(convert(value))
                parameter.grad = None
        x = values["x"].clone().requires_grad_()
        y = op(x)
        y.backward(values["g"])
        with torch.inference_mode():
            op.cache()
            inference = op(values["x"])
        pairs = [("y", y, values["y"]), ("inference", inference, values["y"]), ("dx", x.grad, values["dx"])]
        pairs += [("d" + names[id(value)], parameter.grad, convert(values["d" + names[id(value)]]))
                  for parameter, value, convert in parameters]
        name = variant if isinstance(variant, str) else "+".join(variant)
        found += [(name, what, float((a - b).norm() / b.norm())) for what, a, b in pairs]
    return found
