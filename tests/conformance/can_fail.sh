#!/bin/sh
# SPDX-License-Identifier: MIT
# can_fail.sh PROGRAM GOLDEN_DIR WORK_DIR: the program's exit status on files that must not pass.
set -u
program=$1
golden=$2/glu_6_8_silu_none.safetensors
bad=$3/bad.safetensors

expect() {
    wanted=$1
    shift
    "$@" >/dev/null 2>&1
    status=$?
    if [ "$status" -ne "$wanted" ]; then
        echo "exit status $status, not $wanted: $*" >&2
        exit 1
    fi
}

expect 0 "$program" "$golden"
expect 2 "$program"
expect 1 "$program" "$3/no_such_file.safetensors"

# One byte of the last tensor.
cp "$golden" "$bad"
size=$(wc -c <"$bad")
printf '\101' | dd of="$bad" bs=1 seek=$((size - 2)) conv=notrunc 2>/dev/null
expect 1 "$program" "$bad"

# A module that nobody knows.
sed 's/"module": *"GLU"/"module":"GLV"/' "$golden" >"$bad"
cmp -s "$golden" "$bad" && { echo "the module's name was not found" >&2; exit 1; }
expect 1 "$program" "$bad"

# An option that is not supported; JSON within JSON has escaped quotes.
sed 's/\\"silu\\"/\\"exp\\" /' "$golden" >"$bad"
cmp -s "$golden" "$bad" && { echo "the activation was not found" >&2; exit 1; }
expect 3 "$program" "$bad"

# A result that is missing counts as wrong, a good file beside a bad one does not help.
head -c 100 "$golden" >"$bad"
expect 1 "$program" "$golden" "$bad"
echo "all statuses as expected"
