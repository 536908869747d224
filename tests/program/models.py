#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The commands that take models, on those of model_files: models.py PROGRAM DIRECTORY"""
import json
import math
import pathlib
import struct
import subprocess
import sys

program, directory = sys.argv[1], pathlib.Path(sys.argv[2])


def write(path, name, dtype, shape, code, numbers):
    content = struct.pack(f"<{len(numbers)}{code}", *numbers)
    header = json.dumps({name: {"dtype": dtype, "shape": shape, "data_offsets": [0, len(content)]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + content)


def read(path):
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    entry = json.loads(content[8:8 + size])["y"]
    begin, end = entry["data_offsets"]
    code, width = {"F32": ("f", 4), "F64": ("d", 8)}[entry["dtype"]]
    return entry["shape"], struct.unpack(f"<{(end - begin) // width}{code}", content[8 + size + begin:8 + size + end])


def run(*words, code=0):
    done = subprocess.run([program, *map(str, words), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert done.returncode == code, (words, done.returncode, done.stderr)
    return json.loads(done.stdout) if done.stdout else {}


def outputs(model, inputs):
    run("run", directory / model, "--input", directory / inputs, "--out", directory / "y")
    return read(directory / "y")


def expect_same(a, b, allowed):
    (shape, y), (other_shape, z) = a, b
    assert shape == other_shape, (shape, other_shape)
    size = math.sqrt(sum(v * v for v in y))
    distance = math.sqrt(sum((v - w) ** 2 for v, w in zip(y, z)))
    assert size > 0 and distance <= allowed * size, (distance, size)


write(directory / "tokens", "tokens", "I32", [2, 24], "i", [(7 * i) % 256 for i in range(48)])
write(directory / "x", "x", "F32", [32, 3], "f", [math.sin(i) for i in range(96)])
text = directory / "text"
text.write_bytes(b"A rose is a rose. " * 20)

facts = run("info", directory / "language")
assert facts["kind"] == "model" and facts["options"]["width"] == 16 and facts["metadata"] == {"about": "nothing"}, facts

facts = run("run", directory / "language", "--text", text, "--length", 64)
assert facts["bytes"] == 360 and facts["window"] == 64 and 5 < facts["bits_per_byte"] < 20, facts
written = [subprocess.run([program, "run", directory / "language", "--text", text, "--generate", "30", "--seed", seed],
                          check=True, stdout=subprocess.PIPE).stdout for seed in ("1", "1", "2")]
assert len(written[0]) == 31 and written[0] == written[1] != written[2], written
assert "generated" in run("run", directory / "language", "--text", text, "--generate", 5, "--temperature", 0)
run("run", directory / "language", "--generate", 5, code=2)
assert "--text" in run("run", directory / "language", code=2)["error"]
assert "required" in run("info", code=2)["error"] and "sing" in run("sing", code=2)["error"]
assert "no model" in run("run", directory / "decoder", "--text", text, code=1)["error"]
assert "features" in run("run", directory / "classifier", "--text", text, code=1)["error"]

language = outputs("language", "tokens")
assert language[0] == [48, 256], language[0]
facts = run("import", directory / "decoder", "--guess", "--out", directory / "imported")
assert facts["prefix"] == "decoder." and facts["layers"] == 2 and facts["guessed"]["use_decay"], facts
expect_same(outputs("imported", "tokens"), language, 1e-5)
assert "already" in run("import", directory / "language", "--guess", "--out", directory / "no", code=1)["error"]
run("import", directory / "decoder", "--out", directory / "no", code=2)

# Doubles all the way: float models agree with them to the rounding of float, and doubles with themselves better.
double = outputs("language_double", "tokens")
expect_same(double, language, 1e-3)
facts = run("import", directory / "decoder_double", "--guess", "--out", directory / "imported_double")
assert facts["scalar"] == "F64", facts
expect_same(outputs("imported_double", "tokens"), double, 1e-6)  # the decay is a float in the file
assert run("run", directory / "language_double", "--text", text, "--length", 64)["bits_per_byte"] > 5

# What is written is what the evaluation of all that was written before finds likeliest.
for model in ("language", "language_double"):
    done = subprocess.run([program, "run", directory / model, "--text", text, "--generate", "4", "--temperature", "0"],
                          check=True, stdout=subprocess.PIPE).stdout[:4]
    so_far = list(text.read_bytes())
    for byte in done:
        write(directory / "so_far", "tokens", "I32", [len(so_far)], "i", so_far)
        _, scores = outputs(model, "so_far")
        last = scores[-256:]
        assert last[byte] >= max(last) - 1e-4, (model, byte)
        so_far.append(byte)

classifier = outputs("classifier", "x")
assert classifier[0] == [1, 4], classifier[0]
(directory / "config").write_text('{"causal": false, "final_norm_type": "simplermsnorm", "pool": "mean"}')
facts = run("import", directory / "dict", "--config", directory / "config", "--out", directory / "imported_classifier")
assert facts["outputs"] == 4 and "causal" not in facts["guessed"], facts
expect_same(outputs("imported_classifier", "x"), classifier, 1e-5)
assert "not JSON" in run("import", directory / "dict", "--config", text, "--out", directory / "no", code=1)["error"]
assert "920" in run("import", directory / "x", "--guess", "--out", directory / "no", code=1)["error"]

for suffix, length in ("", 128), ("_double", 32):
    facts = run("compress", directory / ("classifier" + suffix), "--tolerance", "0.01", "--length", length,
                "--out", directory / "compressed")
    assert facts["length"] == length and len(facts["layers"]) == 1, facts
    assert all(group["bound_relative_to_tolerance"] <= 1 for layer in facts["layers"] for group in layer["groups"]), facts
    assert any(group["method"] != "fft" for layer in facts["layers"] for group in layer["groups"]), facts
    assert 0 < facts["output_change"] < 0.05, facts
    made = run("info", directory / "compressed")
    assert made["kind"] == "model" and made["scalar"] == ("F64" if suffix else "F32"), made
assert "distill" in run("compress", directory / "language_double", "--tolerance", "0.01", "--out", directory / "no", code=1)["error"]

# State spaces in place of the mixers: outputs change by little, and the new model is one.
for model, allowed in (("language", 1e-2), ("language_double", 1e-2)):
    facts = run("distill", directory / model, "--tolerance", "1e-4", "--length", 64, "--text", text, "--out", directory / "distilled")
    assert len(facts["layers"]) == 2 and all(layer["mixer"] == "state_space" for layer in facts["layers"]), facts
    assert all(0 < layer["bound_relative_to_tolerance"] <= 1 for layer in facts["layers"]), facts
    assert 0 < facts["output_change"]["relative"] < allowed and facts["output_change"]["largest"] > 0, facts
    bits = facts["bits_per_byte"]
    assert bits["exact"] == run("run", directory / model, "--text", text, "--length", 64)["bits_per_byte"], bits
    assert bits["distilled"] == run("run", directory / "distilled", "--text", text, "--length", 64)["bits_per_byte"], bits
    assert facts["operations_of_a_step"]["distilled"] < facts["operations_of_a_step"]["exact"], facts
    expect_same(outputs("distilled", "tokens"), outputs(model, "tokens"), allowed)
    assert run("info", directory / "distilled")["metadata"] == {"about": "nothing"}
facts = run("distill", directory / "distilled", "--tolerance", "0.1", "--input", directory / "tokens", "--out", directory / "again")
assert str(directory / "tokens") == facts["output_change"]["on"], facts
facts = run("distill", directory / "language", "--tolerance", "1e-9", "--most-modes", 1, "--out", directory / "again")
assert {layer["mixer"] for layer in facts["layers"]} == {"over_tolerance"} and facts["output_change"]["largest"] == 0, facts
assert "compress" in run("distill", directory / "classifier", "--tolerance", "1e-3", "--out", directory / "no", code=1)["error"]
run("distill", directory / "language", "--tolerance", "1e-3", "--text", text, "--input", directory / "x", "--out", directory / "no", code=2)

assert "distill" in run("compress", directory / "language", "--tolerance", "0.01", "--out", directory / "no", code=1)["error"]

for name, kind in ("language", "tokens"), ("classifier", "x"):
    for weights, dtype in ("bf16", "BF16"), ("int8", "I8"), ("exact", "F32"):
        facts = run("convert", directory / name, "--weights", weights, "--out", directory / weights)
        assert (facts["bytes"] < facts["bytes_before"]) == (weights != "exact"), facts
        assert (facts["output_change"] == 0) == (weights == "exact") and facts["output_change"] < 0.1, facts
        tensors = run("info", directory / weights)["tensors"]
        assert tensors["layers.0.glu.l1.weight"]["type"] == dtype and tensors["layers.0.glu.l1.bias"]["type"] == "F32"
        assert outputs(weights, kind)[0] == outputs(name, kind)[0]
run("convert", directory / "int8", "--weights", "exact", "--out", directory / "back")
run("convert", directory / "language", "--weights", "int4", "--out", directory / "no", code=2)
print("right")
