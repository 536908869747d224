#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Ctrl-C to a training program after its first checkpoint, and what it ends with.
#
#   interrupt.sh TRAIN_LRA DIRECTORY
set -u
rm -rf "$2"
"$1" --task listops --min-length 8 --max-length 96 --threads 1 --width 8 --layers 1 --inner-width 8 \
    --batch 2 --samples 500 --test 50 --steps 1000000 --out "$2" &
program=$!
until [ -e "$2/tno.checkpoint.safetensors" ]; do
    kill -0 "$program" || exit 1
    sleep 0.1
done
kill -INT "$program"
wait "$program"
echo "exit code $?"
