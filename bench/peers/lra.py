#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Long Range Arena's official networks beside the same in PyTorch: times of a training step and of inference.

    bench/peers/lra.py build/bench/examples --out lra.json
    bench/peers/lra.py build/bench/examples --tasks listops text --mixers ski fd --threads 1 --rounds 1

The folder is the one that train_lra was built in. Each cell is one task with one mixer: `train_lra --preset
official --time-steps` and two PyTorch processes, one that interprets its network and one that compiles it
(torch.compile), take turns, --rounds times. A ratio is PyTorch's time / ours, the median over the rounds. All
read noise of the same shape and do a step of AdamW. Batches are smaller than the official ones, so that a step
takes about a second; time is in proportion to them. PyTorch has the better of two ways to lay out its
transforms, of two to interpolate, and an allocator that keeps its memory. That both sides compute the same is
what tests/peers/same_training.py checks. Memory is the largest of a whole process, PyTorch's less what it has
before there is a network.
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

HERE = pathlib.Path(__file__).resolve().parent
BATCHES = {"listops": 4, "text": 2, "retrieval": 8, "image": 2, "pathfinder": 8, "pathx": 1}
MIXERS = ["tno", "ski", "fd"]
SIDES = ["eager", "compiled"]


def start_torch(python, case, threads, compiled):
    """A process with one network in PyTorch, and what it says of it."""
    environment, _ = allocator("best")
    peer = Peer([python, HERE / "lra_worker.py", "--threads", threads, *(["--compiled"] if compiled else [])],
                {**environment, "OMP_NUM_THREADS": str(threads)})
    return peer, peer.ask(case)


def own(options, task, mixer, batch, threads, steps):
    command = [options.folder / "train_lra", "--task", task, "--mixer", mixer, "--preset", "official", "--batch",
               str(batch), "--time-steps", str(steps), "--threads", str(threads), "--shards", str(threads),
               "--out", options.folder / "lra_times"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{run.stderr}")
    return json.loads(run.stdout)


def compare(options, task, mixer, threads, sides):
    batch = max(threads, options.batch or BATCHES[task])
    case = own(options, task, mixer, batch, threads, 1)
    started = {side: start_torch(options.python, case, threads, side == "compiled") for side in sides}
    peers = {side: peer for side, (peer, _) in started.items()}
    network = started["eager"][1]
    rounds = [{"own": own(options, task, mixer, batch, threads, options.steps),
               **{side: peer.ask({"steps": options.steps}) for side, peer in peers.items()}}
              for _ in range(options.rounds)]
    row = {"task": task, "mixer": mixer, "threads": threads, "n": case["length"], "batch": batch,
           "variant": network["variant"], "version": network["version"]}
    for peer in peers.values():
        peer.close()
    for what in ("step", "inference"):
        for side in ("own", *sides):
            row[f"{side}_{what}_ms"] = statistics.median(r[side][f"{what}_ms"] for r in rounds)
        for side in sides:
            row[f"{side}_{what}_ratio"] = statistics.median(r[side][f"{what}_ms"] / r["own"][f"{what}_ms"]
                                                            for r in rounds)
    row["own_mb"] = max(r["own"]["step_mb"] for r in rounds)
    for side in sides:
        row[f"{side}_mb"] = max(r[side]["step_mb"] - r[side]["at_rest_mb"] for r in rounds)
    return row


def print_row(row, sides):
    cells = [f"`{row['task']}`", f"`{row['mixer']}`", row["threads"], row["batch"]]
    for what in ("step", "inference"):
        cells.append(f"{row[f'own_{what}_ms']:.0f}")
        for side in sides:
            cells += [f"{row[f'{side}_{what}_ms']:.0f}", f"**{row[f'{side}_{what}_ratio']:.1f}**"]
    cells.append(" / ".join(f"{row[f'{side}_mb']:.0f}" for side in ("own", *sides)))
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="where train_lra is")
    parser.add_argument("--tasks", nargs="+", choices=BATCHES, default=list(BATCHES), help="default: all")
    parser.add_argument("--mixers", nargs="+", choices=MIXERS, default=MIXERS, help="default: all")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], help="default: 1 2")
    parser.add_argument("--batch", type=int, default=0, help="of every task; default: " +
                        ", ".join(f"{task} {batch}" for task, batch in BATCHES.items()))
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=3, help="timed per round, after one more; default: %(default)s")
    parser.add_argument("--no-compiled", action="store_true", help="leave torch.compile out, which takes minutes")
    parser.add_argument("--python", help="one with PyTorch; default: looks for one, with MKL where possible")
    parser.add_argument("--out", type=pathlib.Path, help="all figures as JSON")
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    if not (options.folder / "train_lra").is_file():
        sys.exit(f"{options.folder} has no train_lra: cmake --preset bench && cmake --build --preset bench --target train_lra")
    options.python = find_python(options.python)
    if options.python is None:
        print("There is no PyTorch here (Debian: python3-torch; PyPI: torch): nothing to compare with.")
        return
    sides = SIDES[:1] if options.no_compiled else SIDES
    document = {"date": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "rounds": options.rounds, "steps": options.steps,
                "rows": []}
    titles = ["task", "mixer", "threads", "batch"]
    for what in ("step", "inference"):
        titles.append(f"{what}, ms")
        for side in sides:
            titles += [f"PyTorch, {side}", "ratio"]
    titles.append("MB: ours / PyTorch's")
    print("|", " | ".join(titles), "|")
    print("|---|---|" + "---:|" * (len(titles) - 2), flush=True)
    for threads in options.threads:
        for task in options.tasks:
            for mixer in options.mixers:
                row = compare(options, task, mixer, threads, sides)
                document["rows"].append(row)
                print_row(row, sides)
                if options.out:  # what was measured survives an interruption
                    options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
