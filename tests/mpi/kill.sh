#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Kills a process of a run again and again: the run ends, its checkpoint stays, and what comes out at last has the bits
# of a run that never stopped.
#
#   kill.sh <program> <folder> <kills> <mpiexec> <flag of the number of processes>
set -euo pipefail
program=$1 folder=$2 kills=$3
mpiexec=("$4" "$5")
RANDOM=11

rm -rf "$folder"
mkdir -p "$folder"
saved() { tail -n 1 "$folder/steps" 2>/dev/null || echo 0; }
for ((kill = 1; kill <= kills; ++kill)); do
    processes=$((2 + kill % 3))
    rm -f "$folder"/process_*
    timeout 100 "${mpiexec[@]}" "$processes" "$program" run "$folder" 1000000 >"$folder/output" 2>&1 &
    run=$!
    for ((look = 0; look < 500; ++look)); do
        [ "$(cat "$folder"/process_* 2>/dev/null | wc -l)" -eq "$processes" ] && break
        sleep 0.05
    done
    sleep "0.$(printf %03d $((RANDOM % 500)))"
    victim=$(cat "$folder/process_$((RANDOM % processes))")
    kill -KILL "$victim"
    status=0
    wait "$run" || status=$?
    if [ "$status" -eq 0 ] || [ "$status" -eq 124 ]; then
        echo "kill $kill: the run ended with $status, 124 being a hang"
        exit 1
    fi
done
last=$(saved)
rm -f "$folder"/process_*
# Loads the checkpoint, goes on for a little, and compares.
timeout 100 "${mpiexec[@]}" 2 "$program" run "$folder" $((last + 7))
echo "$kills kills: no hang, $last steps saved, and the bits of a run that never stopped"
