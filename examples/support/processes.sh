#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A training program in 1 and in 3 processes: the same model and checkpoint, byte for byte, and what is printed once.
# Stopped in 2 processes it goes on with 3.
#
#   processes.sh <program> <folder> <mpiexec> <flag of the number of processes> <mixer> <options>...
set -euo pipefail
program=$1 folder=$2
mpiexec=("$3" "$4")
mixer=$5
options=("${@:6}" --quick --shards 4 --threads 1)
# OpenMPI's: more processes than cores, perhaps by root, perhaps in a container.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_btl_vader_single_copy_mechanism=none
export ASAN_OPTIONS=detect_leaks=0

rm -rf "$folder"
mkdir -p "$folder"
"$program" "${options[@]}" --out "$folder/1" >"$folder/1.txt"
"${mpiexec[@]}" 3 "$program" "${options[@]}" --out "$folder/3" >"$folder/3.txt"
# Stops in time, whatever step that is.
"${mpiexec[@]}" 2 "$program" "${options[@]}" --minutes 0.00001 --out "$folder/2" >"$folder/2.txt"
"${mpiexec[@]}" 3 "$program" "${options[@]}" --resume "$folder/2/$mixer.checkpoint.safetensors" \
    --out "$folder/2" >"$folder/2.txt"
for file in "$mixer.safetensors" "$mixer.checkpoint.safetensors"; do
    cmp "$folder/1/$file" "$folder/3/$file"
    cmp "$folder/1/$file" "$folder/2/$file"
done
cmp "$folder/1/${mixer}_validation.csv" "$folder/3/${mixer}_validation.csv"
diff <(ls "$folder/1") <(ls "$folder/3")
diff <(grep -oE '[0-9.]+ %' "$folder/1.txt") <(grep -oE '[0-9.]+ %' "$folder/3.txt")
[ "$(grep -c ^Model "$folder/3.txt")" -eq 1 ]
echo "the same files"
