#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# From a bare Debian 12 to the comparison of all paths on a real text: installs what is missing, builds release,
# runs examples/compare_paths.
#
#   bash cmake/quickstart.sh [arguments of compare_paths]
set -euo pipefail
invoked_from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."

echo "== 1/3 Packages: compiler, CMake, Eigen, CLI11, gnuplot, a text"
bash cmake/install_packages.sh g++ cmake make pkg-config libeigen3-dev \
    libcli11-dev gnuplot-nox wordnet-base

build=build/quickstart
echo "== 2/3 Building release in $build"
# It runs where it is built, so it may use every instruction of this machine.
cmake --preset release -B "$build" -D TOEPLITZ_BUILD_TESTS=OFF -D TOEPLITZ_BUILD_BENCH=OFF \
    -D CMAKE_CXX_FLAGS=-march=native
cmake --build "$build" --parallel "$(nproc)" --target compare_paths

program=$PWD/$build/examples/compare_paths
if [ $# -eq 0 ]; then
    # The text is examples/compare_paths' own choice: 15 MB of English from the package wordnet-base.
    set -- --out "$PWD/$build/compare_paths"
fi
echo "== 3/3 Running examples/compare_paths $*"
cd "$invoked_from"
export LC_ALL=C.UTF-8  # gnuplot's labels are UTF-8, and a bare system's locale is not
exec "$program" "$@"
