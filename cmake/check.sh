#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds and tests in many ways; prints one table, and the sum in the words of ctest.
#
#   bash cmake/check.sh          all rows
#   bash cmake/check.sh ROW...   some of them
#
#   test            the test command of the README
#   rest            what the test command has no time for: programs of an installed package, units of other
#                   instructions, no exceptions, macros named min and max, functions that are not inline, the cost of
#                   setting up, the tool that makes mutants
#   examples        the example programs, what the guide says that they print, and the program toeplitz
#   gcc             the floors that use vectors and gradients with g++, for this processor; units of other flags
#   asan            unit and allocation tests with clang++'s address and undefined-behaviour sanitizers
#   tsan            tests of what threads share with its thread sanitizer, in OpenMP's threads
#   realtime        streams under the real-time sanitizer of clang++, from version 20 on
#   fuzz            the fuzz targets with libFuzzer, for FUZZ_SECONDS each (10)
#   sse2, avx2, avx512   the floors that use vectors, with these
#   ofast           the same with -Ofast
#   no-exceptions   headers without exceptions
#   no-openmp, no-fftw   without what is optional
#   index           headers under clang++'s warnings of lost bits, 64 to 32 above all
#   strict          headers under the warnings of careful projects, g++ and clang++
#   aarch64         the floors that use vectors, cross-compiled, under qemu
#
# A row builds in build/check/ROW (test: build/test), prints to build/check/ROW.log too, and installs what it needs.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

all_rows=(test rest examples gcc asan tsan realtime fuzz sse2 avx2 avx512 ofast no-exceptions no-openmp no-fftw index strict aarch64)
mapfile -t unit < <(cd tests/unit && printf 'unit_%s\n' *)
vectors=(unit_core unit_fft unit_dense unit_operators)
jobs=$(nproc)
# Tests that run side by side share the cores: threads that wait sleep.
export OMP_WAIT_POLICY=passive

need() { bash cmake/install_packages.sh cmake make ninja-build pkg-config libeigen3-dev libfftw3-dev libgtest-dev nlohmann-json3-dev "$@"; }

# configure [ARGUMENT OF CMAKE...]: with the preset $preset, or that of the tests with g++.
configure() {
    cmake --preset "${preset:-gcc}" -B "build/check/$row" \
        -D TOEPLITZ_BUILD_BENCH=OFF -D TOEPLITZ_BUILD_EXAMPLES=OFF -D TOEPLITZ_BUILD_PROGRAM=OFF "$@"
}

# run REGEX [ARGUMENT OF CTEST...]: the tests whose names match.
run() {
    ctest --test-dir "build/check/$row" --output-on-failure --no-tests=error --parallel "$jobs" -R "$@"
}

# suites PROGRAM...: builds these programs of tests and runs them.
suites() {
    cmake --build "build/check/$row" --parallel "$jobs" --target "$@"
    run "^($(IFS='|' && echo "$*"))[.]" -LE slow
}

row_test() { bash cmake/test.sh; }

row_rest() {
    need clang libomp-dev valgrind
    preset=test configure
    ctest --test-dir "build/check/$row" --output-on-failure --no-tests=error --parallel "$jobs" -L '^rest-slow$'
}

row_examples() {
    need clang libomp-dev libcli11-dev libsndfile1-dev libpng-dev zlib1g-dev libopenmpi-dev openmpi-bin gnuplot-nox
    # In the build of the tests, which has what both instantiate.
    cmake --preset test -D TOEPLITZ_BUILD_BENCH=OFF -D TOEPLITZ_BUILD_EXAMPLES=ON -D TOEPLITZ_BUILD_PROGRAM=ON
    cmake --build --preset test --parallel "$jobs"
    ctest --test-dir build/test --output-on-failure --no-tests=error --parallel "$jobs" -R '^(example|program)_' -LE slow
}

row_gcc() {
    need g++
    preset=native configure
    suites "${vectors[@]}" gradient
    run "^package_flags_"
}

row_asan() {
    need clang libomp-dev
    preset=asan-ubsan configure
    ASAN_OPTIONS=allocator_may_return_null=1 LSAN_OPTIONS="suppressions=$PWD/tests/leak_suppressions.txt" \
        suites "${unit[@]}" alloc fftw_cleanup
}

row_tsan() {
    need clang libomp-dev
    preset=tsan configure
    # OpenMP's runtime is not instrumented; its tool Archer tells the sanitizer what it orders.
    OMP_NUM_THREADS=2 TSAN_OPTIONS=allocator_may_return_null=1:ignore_noninstrumented_modules=1 \
        suites unit_core unit_operators unit_nn unit_stream unit_train unit_io concurrency
}

row_realtime() {
    need clang
    local newest
    newest=$(compgen -c clang++ | grep --extended-regexp '^clang[+][+](-[0-9]+)?$' |
        while read -r compiler; do echo "$("$compiler" -dumpversion) $compiler"; done | sort --version-sort | tail -1)
    if [ "${newest%%.*}" -lt 20 ]; then
        echo "skipped: the newest clang++ here is $newest"
        return
    fi
    preset=test configure -D CMAKE_CXX_COMPILER="${newest#* }"
    run '^realtime_'
}

row_fuzz() {
    need clang libomp-dev libcli11-dev libsndfile1-dev libpng-dev zlib1g-dev
    preset=fuzz configure -D TOEPLITZ_FUZZ_SECONDS="${FUZZ_SECONDS:-10}"
    local targets=(tests/fuzz/*.cpp)
    targets=("${targets[@]##*/}")
    targets=("${targets[@]%.cpp}")
    mapfile -t targets < <(printf 'fuzz_%s\n' "${targets[@]}" | grep --invert-match -E '_(replay|libfuzzer)$')
    cmake --build "build/check/$row" --parallel "$jobs" --target "${targets[@]}"
    run '^fuzz[.]'
}

# width NAME [FLAG OF THE CPU]: for the instructions of the level NAME.
width() {
    need g++
    if [ $# -eq 2 ] && ! grep --quiet --word-regexp "$2" /proc/cpuinfo; then
        echo "skipped: this processor lacks $2"
        return
    fi
    configure -D CMAKE_CXX_FLAGS="-march=$1"
    suites "${vectors[@]}"
}
row_sse2() { width x86-64; }
row_avx2() { width x86-64-v3 avx2; }
row_avx512() { width x86-64-v4 avx512vl; }

row_ofast() {
    need g++
    configure -D CMAKE_CXX_FLAGS_RELEASE=-Ofast
    suites "${vectors[@]}" fast_math
}

row_no-exceptions() {
    need g++
    configure
    run "^package_no_exceptions"
}

row_no-openmp() {
    need g++
    configure -D TOEPLITZ_OPENMP=OFF
    suites "${vectors[@]}" concurrency
}

row_no-fftw() {
    need g++
    configure -D TOEPLITZ_FFTW=OFF -D TOEPLITZ_MPI=OFF
    suites "${vectors[@]}"
}

row_index() {
    need clang
    preset=test configure
    # shellcheck disable=SC2046  # several words
    clang++ -std=c++20 -fsyntax-only -Wshorten-64-to-32 -Wimplicit-int-conversion -Wsign-conversion -Werror \
        -I include $(pkg-config --cflags-only-I eigen3 | sed 's/-I/-isystem /g') \
        -D TOEPLITZ_ALL_HEADERS="\"$PWD/build/check/$row/tests/all_headers.cpp\"" tests/package/warnings.cpp
}

row_strict() {
    need g++ clang
    # What clang++ warns of it knows without optimising.
    configure --fresh -D CMAKE_CXX_COMPILER=clang++ -D CMAKE_CXX_FLAGS_RELEASE=-O0
    run "^package_no_warnings$"
    configure --fresh -D CMAKE_CXX_COMPILER=g++ -D CMAKE_CXX_FLAGS_RELEASE=-O2
    run "^package_no_warnings$"
}

row_aarch64() {
    need g++-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user googletest
    local cross=(-D CMAKE_SYSTEM_NAME=Linux -D CMAKE_SYSTEM_PROCESSOR=aarch64
        -D CMAKE_C_COMPILER=aarch64-linux-gnu-gcc -D CMAKE_CXX_COMPILER=aarch64-linux-gnu-g++
        -D "CMAKE_CROSSCOMPILING_EMULATOR=qemu-aarch64;-L;/usr/aarch64-linux-gnu")
    local gtest=$PWD/build/check/googletest-aarch64
    cmake -S /usr/src/googletest -B "$gtest" -D BUILD_GMOCK=OFF -D CMAKE_INSTALL_PREFIX="$gtest/installed" "${cross[@]}"
    cmake --build "$gtest" --parallel "$jobs" --target install
    # Of this machine's /usr/include nothing may be seen: it is another architecture's. Eigen is not free of
    # warnings there.
    configure "${cross[@]}" -D GTest_ROOT="$gtest/installed" -D TOEPLITZ_FFTW=OFF -D TOEPLITZ_MPI=OFF \
        -D TOEPLITZ_WERROR=OFF \
        -D CMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON
    suites "${vectors[@]}"
}

rows=("$@")
[ $# -gt 0 ] || rows=("${all_rows[@]}")
for row in "${rows[@]}"; do
    if ! declare -F "row_$row" >/dev/null; then
        echo "check.sh: no row '$row'; there are ${all_rows[*]}" >&2
        exit 2
    fi
done

mkdir -p build/check
table=""
total=0
total_failed=0
failed_rows=()
for row in "${rows[@]}"; do
    echo "==== $row"
    log=build/check/$row.log
    begin=$SECONDS
    (set -e && "row_$row") 2>&1 | tee "$log"
    code=${PIPESTATUS[0]}
    read -r tests failed < <(sed -nE 's/.* tests passed, ([0-9]+) tests? failed out of ([0-9]+)/\1 \2/p' "$log" |
        awk '{failed += $1; tests += $2} END {print tests + 0, failed + 0}')
    # What is no test of ctest's, such as compiling, counts as one.
    if [ "$tests" -eq 0 ] || { [ "$code" -ne 0 ] && [ "$failed" -eq 0 ]; }; then
        tests=$((tests + 1))
        [ "$code" -eq 0 ] || failed=$((failed + 1))
    fi
    result=passed
    [ "$code" -ne 0 ] && result=FAILED && failed_rows+=("$row")
    grep --quiet '^skipped: ' "$log" && result=skipped && tests=0
    table+=$(printf '%-14s %-8s %6d %6d %8d' "$row" "$result" "$tests" "$failed" $((SECONDS - begin)))$'\n'
    total=$((total + tests))
    total_failed=$((total_failed + failed))
done

printf '\n%-14s %-8s %6s %6s %8s\n%s' row result tests failed seconds "$table"
percent=100
[ "$total" -eq 0 ] || percent=$(((total - total_failed) * 100 / total))
printf '\n%d%% tests passed, %d tests failed out of %d\n' "$percent" "$total_failed" "$total"
printf '\nTotal Test time (real) = %d.00 sec\n' "$SECONDS"
if [ ${#failed_rows[@]} -gt 0 ]; then
    echo "Failed rows: ${failed_rows[*]}; see build/check/ROW.log"
    exit 1
fi
