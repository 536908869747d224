#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the blocks of shell and CMake in Markdown files name has to be there: presets, targets, options of CMake and of programs,
# scripts. Nothing is run.
#
#   check_shell.sh PAGE.md...      in the root of the repository
set -euo pipefail

failed=0
fail() {
    echo "$place: $1" >&2
    failed=1
}

# A program's sources, empty where there is none of this name.
sources_of() {
    local name=$1
    find examples -maxdepth 1 -name "$name.cpp" -o -maxdepth 1 -name "[0-9]*_$name.cpp"
    case $name in
        fuzz_*) find tests/fuzz -name "${name#fuzz_}.cpp" ;;
        unit_*) find tests/unit -name "${name#unit_}" ;;
        *) find bench tests -name "${name#toeplitz_}.cpp" ;;
    esac
    { grep -rlw --include=CMakeLists.txt --include=*.cmake -e "$name" CMakeLists.txt bench cmake examples tests || true; } | head -1
}

# Options of a program or script are named in its folder.
check_options() {
    local folder=$1
    shift
    local word
    for word in "$@"; do
        word=${word%%=*}
        [[ $word == --?* && $word != --benchmark_* && $word != --help && $word != --gtest* ]] || continue
        grep -rqF -e "\"$word\"" -e "\"$word," -e "'$word'" -e "$word)" "$folder" || fail "no option $word in $folder"
    done
}

check_cmake() {
    local words=("$@") i
    for ((i = 0; i < ${#words[@]}; ++i)); do
        case ${words[i]} in
            --preset)
                grep -q "\"name\": \"${words[i + 1]}\"" CMakePresets.json || fail "no preset ${words[i + 1]}" ;;
            --target)
                while [[ ${words[i + 1]:--} != -* ]]; do
                    ((++i))
                    [ -n "$(sources_of "${words[i]}")" ] || fail "no target ${words[i]}"
                done ;;
            -D) [[ ${words[i + 1]} != TOEPLITZ_* ]] || grep -rq "${words[i + 1]%%=*}" CMakeLists.txt cmake ||
                    fail "no option ${words[i + 1]}" ;;
        esac
    done
}

while IFS=$'\t' read -r place line; do
    line=${line%% \#*}
    read -ra words <<< "$line"
    while [[ ${words[0]:-} == [A-Z_]*=* ]]; do words=("${words[@]:1}"); done
    [ ${#words[@]} -gt 0 ] || continue
    # What comes after && is a command, too.
    for ((i = 1; i < ${#words[@]}; ++i)); do
        if [ "${words[i]}" = "&&" ]; then
            rest=("${words[@]:i+1}")
            words=("${words[@]:0:i}")
            [ "${rest[0]}" != cmake ] || check_cmake "${rest[@]}"
        fi
    done
    case ${words[0]} in
        cmake) check_cmake "${words[@]}" ;;
        bash) [ -f "${words[1]}" ] || [[ ${words[1]} == -* ]] || fail "no script ${words[1]}" ;;
        build/*)
            name=${words[0]##*/}
            sources=$(sources_of "$name")
            if [ -z "$sources" ]; then
                fail "no program $name"
            elif [[ $sources == examples/* ]]; then
                check_options examples "${words[@]:1}"
            else
                check_options "${sources%%/*}" "${words[@]:1}"
            fi ;;
        toeplitz)
            [[ ${words[1]} == -* ]] || [ -f "examples/program/${words[1]}.cpp" ] || fail "no command ${words[1]}"
            check_options examples/program "${words[@]:2}" ;;
        bench/* | tests/*)
            if [ -f "${words[0]}" ]; then
                check_options "${words[0]%/*}" "${words[@]:1}"
            else
                fail "no script ${words[0]}"
            fi ;;
        *)
            if [ -f "examples/${words[0]}.cpp" ]; then check_options examples "${words[@]:1}"; fi ;;
    esac
done < <(awk '
    /^```sh$/ { in_shell = 1; next }
    /^```/ { in_shell = 0 }
    in_shell && /\\$/ { line = line substr($0, 1, length($0) - 1); next }
    in_shell && $0 != "" { print FILENAME ":" FNR "\t" line $0; line = "" }
' "$@")

# So have targets in the blocks of CMake.
while IFS=$'\t' read -r place target; do
    grep -rqF "add_library($target ALIAS" CMakeLists.txt cmake || fail "no target $target"
done < <(awk '
    /^```cmake$/ { in_cmake = 1; next }
    /^```/ { in_cmake = 0 }
    in_cmake { while (match($0, /toeplitz::[a-z]+/)) { print FILENAME ":" FNR "\t" substr($0, RSTART, RLENGTH)
                                                       $0 = substr($0, RSTART + RLENGTH) } }
' "$@")
exit "$failed"
