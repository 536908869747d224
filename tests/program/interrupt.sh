#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Ctrl-C to a command that works for long, and what it ends with.
#
#   interrupt.sh PROGRAM
set -u
"$1" bench --max-n 1000000 --channels 4 >/dev/null 2>&1 &
program=$!
sleep 1
kill -INT "$program"
wait "$program"
echo "exit code $?"
