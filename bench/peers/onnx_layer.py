#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A layer at inference beside ONNX Runtime and OpenVINO: both sides take turns, and ratios are printed.

    chrt -f 10 taskset -c 1 bench/peers/onnx_layer.py build/bench/bench --out onnx.json

The folder is the one that toeplitz_bench and toeplitz_peer_export were built in. The layer is that of
peers/block.py with `TnoBidirectional`, its kernel evaluated before: BlockForward/TnoBidirectional/.../weights:float.
It is exported in three forms, as ONNX has no Toeplitz product:

    rdft   real transforms of 2n points, one-sided, by the operator DFT
    dft    complex transforms of n points by the same operator, which the right-angle convolution needs
    conv   a depthwise convolution with all 2n - 1 lags, n² multiplications for each channel

Each product must agree with what this library computes on a small case, and each layer with the same formulas in
double precision, or it is not timed. All sides have one thread; a ratio is their time / ours, the median over the rounds
of the ratios within a round. Without these packages the script says so and stops with 0. Needs Python 3.9; ONNX and the
engines may be another Python's (PyPI: onnx, onnxruntime, openvino).
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from compare import Peer, allocator, find_python

NEEDED = "import numpy, onnx, importlib.util as u; print(all(map(u.find_spec, ('onnxruntime', 'openvino'))))"
FORMS = ["rdft", "dft", "conv"]
LARGEST_ERROR = 1e-4  # relative, in the 2-norm: their transforms of 200 points err by 2e-5, a wrong formula by 1e-2 at least


# --- The other side ----------------------------------------------------------------------------------------


class Graph:
    """An ONNX graph that is written operator by operator. Values are names."""

    def __init__(self):
        import onnx
        self.onnx, self.nodes, self.constants = onnx, [], []

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def op(self, kind, *inputs, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def model(self, x, y, shape):
        make = self.onnx.helper
        self.nodes.append(make.make_node("Identity", [y], ["y"]))
        values = [make.make_tensor_value_info(name, self.onnx.TensorProto.FLOAT, shape) for name in (x, "y")]
        graph = make.make_graph(self.nodes, "layer", values[:1], values[1:], self.constants)
        model = make.make_model(graph, opset_imports=[make.make_opsetid("", 20)], ir_version=9)
        self.onnx.checker.check_model(model)
        return model.SerializeToString()


def toeplitz(graph, form, x, kernel):
    """y = T x of n × d values; row t + n - 1 of the kernel is lag t."""
    import numpy
    n, d = (kernel.shape[0] + 1) // 2, kernel.shape[1]
    f32, whole = numpy.float32, numpy.int64
    rows = graph.op("Transpose", x, perm=[1, 0])
    if form == "conv":
        weight = graph.constant(numpy.ascontiguousarray(kernel[::-1].T[:, None]).astype(f32))
        picture = graph.op("Unsqueeze", rows, graph.constant(numpy.array([0], whole)))
        result = graph.op("Conv", picture, weight, group=d, pads=[n - 1, n - 1])
        return graph.op("Transpose", graph.op("Squeeze", result, graph.constant(numpy.array([0], whole))), perm=[1, 0])
    last, axis = graph.constant(numpy.array([2], whole)), graph.constant(numpy.array(1, whole))
    lags = kernel.T.astype(numpy.float64)
    if form == "rdft":
        padded = graph.op("Pad", rows, graph.constant(numpy.array([0, 0, 0, n], whole)))
        rows = graph.op("Unsqueeze", padded, last)
        spectrum = numpy.fft.rfft(numpy.concatenate([lags[:, n - 1:], numpy.zeros((d, 1)), lags[:, : n - 1]], axis=1))
    else:
        # The coefficients k(t) - i k(t - n) modulo z^n - i: weighted by powers of the root, a cyclic product.
        turn = numpy.exp(0.5j * numpy.pi * numpy.arange(n) / n)
        past = numpy.concatenate([numpy.zeros((d, 1)), lags[:, : n - 1]], axis=1)
        spectrum = numpy.fft.fft((lags[:, n - 1:] - 1j * past) * turn)
        turns = graph.constant(numpy.stack([turn.real, turn.imag], axis=-1)[None].astype(f32))
        rows = graph.op("Mul", graph.op("Unsqueeze", rows, last), turns)
    one_sided = int(form == "rdft")
    points = graph.op("DFT", rows, "", axis, onesided=one_sided)
    # (re, im) (a + bi) = (re, im) a + (im, re) (-b, b)
    swapped = graph.op("Gather", points, graph.constant(numpy.array([1, 0], whole)), axis=2)
    real = graph.constant(spectrum.real[:, :, None].astype(f32))
    imaginary = graph.constant(numpy.stack([-spectrum.imag, spectrum.imag], axis=-1).astype(f32))
    product = graph.op("Add", graph.op("Mul", points, real), graph.op("Mul", swapped, imaginary))
    back = graph.op("DFT", product, "", axis, onesided=one_sided, inverse=1)
    if form == "rdft":
        begin, end, of = (graph.constant(numpy.array([v], whole)) for v in (0, n, 1))
        result = graph.op("Squeeze", graph.op("Slice", back, begin, end, of), last)
    else:
        result = graph.op("ReduceSum", graph.op("Mul", back, turns), last, keepdims=0)
    return graph.op("Transpose", result, perm=[1, 0])


def weights(n, d):
    import numpy
    random = numpy.random.default_rng(1)
    sizes = {"u": (d, 3 * d), "v": (d, 3 * d), "o": (3 * d, d), "l1": (d, d), "l2": (d, d), "l3": (d, d)}
    values = {name: (random.uniform(-1, 1, size) / size[0] ** 0.5, random.uniform(-1, 1, size[1]) / size[0] ** 0.5)
              for name, size in sizes.items()}
    decay = 0.99 ** numpy.abs(numpy.arange(1 - n, n))[:, None]
    return values, random.standard_normal((2 * n - 1, 3 * d)) * decay, random.standard_normal((n, d))


def layer(n, form, values, kernel):
    """As ONNX."""
    import numpy
    graph = Graph()
    d = values["u"][0].shape[0]

    def linear(x, name):
        weight, bias = (graph.constant(value.astype(numpy.float32)) for value in values[name])
        return graph.op("Gemm", x, weight, bias)

    def silu(x):
        return graph.op("Mul", x, graph.op("Sigmoid", x))

    def norm(x):
        axis = graph.constant(numpy.array([1], numpy.int64))
        root = graph.op("Sqrt", graph.op("ReduceMean", graph.op("Mul", x, x), axis, keepdims=1))
        return graph.op("Div", x, graph.op("Add", root, graph.constant(numpy.float32(1e-8).reshape(1, 1))))

    a = norm("x")
    mixed = toeplitz(graph, form, silu(linear(a, "v")), kernel)
    x = graph.op("Add", "x", linear(graph.op("Mul", silu(linear(a, "u")), mixed), "o"))
    a = norm(x)
    gated = graph.op("Mul", silu(linear(a, "l1")), linear(a, "l2"))
    return graph.model("x", graph.op("Add", x, linear(gated, "l3")), [n, d])


def layer_in_double(values, kernel, x):
    import numpy
    n = x.shape[0]

    def linear(a, name):
        return a @ values[name][0] + values[name][1]

    def silu(a):
        return a / (1 + numpy.exp(-a))

    def norm(a):
        return a / (numpy.sqrt((a * a).mean(axis=1, keepdims=True)) + 1e-8)

    a = norm(x)
    wrapped = numpy.concatenate([kernel[n - 1:], numpy.zeros_like(kernel[:1]), kernel[: n - 1]])
    mixed = numpy.fft.irfft(numpy.fft.rfft(wrapped, axis=0) * numpy.fft.rfft(silu(linear(a, "v")), 2 * n, axis=0), 2 * n,
                            axis=0)[:n]
    x = x + linear(silu(linear(a, "u")) * mixed, "o")
    a = norm(x)
    return x + linear(silu(linear(a, "l1")) * linear(a, "l2"), "l3")


def runner(engine, model):
    """A function from x to y, with one thread and in float."""
    if engine == "ONNX Runtime":
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return lambda x: session.run(None, {"x": x})[0]
    import openvino
    compiled = openvino.Core().compile_model(openvino.Core().read_model(model), "CPU", {
        "INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"})
    request = compiled.create_infer_request()
    return lambda x: request.infer({0: x}, share_inputs=True, share_outputs=True)[0]


def relative_error(y, wanted):
    import numpy
    return float(numpy.linalg.norm(y - wanted) / numpy.linalg.norm(wanted))


def versions():
    found = {}
    for engine, module in (("ONNX Runtime", "onnxruntime"), ("OpenVINO", "openvino")):
        try:
            found[engine] = __import__(module).__version__.split("-")[0]
        except ImportError:
            pass
    return found


def check(request):
    """Relative error of the product against this library's, on its own case."""
    import numpy
    x, y, kernel = (numpy.array(request[name]["values"]).reshape(request[name]["shape"]) for name in ("x", "y", "kernel"))
    graph = Graph()
    model = graph.model("x", toeplitz(graph, request["form"], "x", kernel), list(x.shape))
    return {"error": relative_error(runner(request["engine"], model)(x.astype(numpy.float32)), y)}


class Timed:
    """The layer of the last request, kept so that two sides can take turns."""

    def __init__(self):
        self.key = None

    def __call__(self, request):
        import numpy
        key = [request[name] for name in ("engine", "form", "n", "d")]
        if key != self.key:
            engine, form, n, d = key
            self.key = None
            values, kernel, x = weights(n, d)
            self.run, self.x = runner(engine, layer(n, form, values, kernel)), x.astype(numpy.float32)
            self.error = relative_error(self.run(self.x), layer_in_double(values, kernel, x))
            self.key = key
        best, begin = float("inf"), time.perf_counter()
        while best == float("inf") or time.perf_counter() - begin < request["seconds"]:
            start = time.perf_counter()
            self.run(self.x)
            best = min(best, time.perf_counter() - start)
        return {"ms": 1e3 * best, "error": self.error}


def serve():
    timed = Timed()
    answers = {"versions": lambda request: versions(), "check": check, "time": timed}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = answers[request["do"]](request)
        except Exception as failure:  # whatever an engine raises is its answer; the reason is at the end
            answer = {"failed": "failed: ... " + " ".join(str(failure).split())[-100:]}
        print(json.dumps(answer), flush=True)


# --- This side ---------------------------------------------------------------------------------------------


def own(options, n):
    """Milliseconds of this library's layer."""
    name = f"BlockForward/TnoBidirectional/n:{n}/d:{options.width}/weights:float/threads:1"
    command = [options.folder / "toeplitz_bench", f"--benchmark_filter=^{name}$", "--benchmark_format=json",
               f"--benchmark_min_time={options.seconds / 3}", "--benchmark_repetitions=3"]
    run = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False)
    times = [entry["ns_per_element"] * n * options.width * 1e-6
             for entry in (json.loads(run.stdout)["benchmarks"] if run.returncode == 0 and run.stdout else [])
             if entry.get("run_type") == "iteration"]
    if not times:
        sys.exit(f"toeplitz_bench has no row {name}:\n{run.stderr}")
    return min(times)


def compare(options, peer, engine, form, n):
    """One row of the result."""
    row = {"engine": engine, "form": form, "n": n, "d": options.width}
    request = {"do": "time", **row, "seconds": options.seconds}
    rounds = []
    for _ in range(options.rounds):
        answer = peer.ask(request)
        if "failed" not in answer and not answer["error"] <= LARGEST_ERROR:
            answer = {"failed": f"the layer differs by {answer['error']:.1e}"}
        if "failed" in answer:
            return {**row, **answer}
        rounds.append((own(options, n), answer["ms"]))
    ours, theirs = (min(times) for times in zip(*rounds))
    return {**row, "own_ms": ours, "peer_ms": theirs, "ratio": statistics.median(b / a for a, b in rounds)}


def main():
    if sys.argv[1:] == ["--serve"]:
        serve()
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="where toeplitz_bench is")
    parser.add_argument("--lengths", nargs="+", type=int, metavar="N", default=[512, 2048],
                        help="that toeplitz_bench has; default: %(default)s")
    parser.add_argument("--width", type=int, default=512, help="default: %(default)s")
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=FORMS, help="default: all")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each side in a round; default: %(default)s")
    parser.add_argument("--python", help="one with ONNX; default: looks for one")
    parser.add_argument("--out", type=pathlib.Path, help="all figures as JSON")
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    for program in ("toeplitz_bench", "toeplitz_peer_export"):
        if not (options.folder / program).is_file():
            sys.exit(f"{options.folder} has no {program}: cmake --preset bench && cmake --build --preset bench")
    python = find_python(options.python, NEEDED)
    if python is None:
        print("There is no ONNX here (PyPI: onnx, onnxruntime, openvino): nothing to compare with.")
        return
    environment, _ = allocator("best")
    peer = Peer([python, pathlib.Path(__file__).resolve(), "--serve"], {**environment, "OMP_NUM_THREADS": "1"})
    found = peer.ask({"do": "versions"})
    cases = json.loads(subprocess.run([options.folder / "toeplitz_peer_export"], check=True, capture_output=True,
                                      text=True).stdout)
    small = next(case["tensors"] for case in cases if case["path"] == "Fft")
    document = {"versions": found, "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "rounds": options.rounds,
                "seconds": options.seconds, "rows": []}
    print(f"{', '.join(' '.join(pair) for pair in found.items())}. Milliseconds of a layer, the least of {options.rounds} "
          "rounds; ratio: their time / ours.\n")
    print("| engine | form | n | toeplitz | engine | ratio |")
    print("|---|---|---:|---:|---:|---:|", flush=True)
    for engine in found:
        for form in options.forms:
            answer = peer.ask({"do": "check", "engine": engine, "form": form, **small})
            if "failed" not in answer and not answer["error"] <= LARGEST_ERROR:
                answer = {"failed": f"the product differs by {answer['error']:.1e}"}
            for n in options.lengths if "failed" not in answer else [0]:
                row = {"engine": engine, "form": form, **answer} if n == 0 else compare(options, peer, engine, form, n)
                document["rows"].append(row)
                print(f"| {engine} | {form} | {row.get('n', '')} |", row["failed"] + " | | |" if "failed" in row else
                      f"{row['own_ms']:.1f} | {row['peer_ms']:.1f} | **{row['ratio']:.1f}** |", flush=True)
                if options.out:  # what was measured survives an interruption
                    options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    peer.close()


if __name__ == "__main__":
    main()
