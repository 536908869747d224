#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# From a bare Debian 12 to the summary of the default test suite: installs what is missing, builds the tests,
# runs them.
#
#   bash cmake/test.sh [arguments of ctest]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

echo "== 1/3 Packages: compilers, CMake, Eigen, FFTW, GoogleTest, CLI11, JSON, sound, pictures, MPI, gnuplot"
bash cmake/install_packages.sh clang libomp-dev g++ cmake make ninja-build pkg-config libeigen3-dev libfftw3-dev \
    libgtest-dev libcli11-dev nlohmann-json3-dev libsndfile1-dev libpng-dev zlib1g-dev libopenmpi-dev openmpi-bin \
    gnuplot-nox

echo "== 2/3 Building the tests in build/test"
cmake --preset test -D TOEPLITZ_BUILD_BENCH=OFF -D TOEPLITZ_BUILD_EXAMPLES=OFF -D TOEPLITZ_BUILD_PROGRAM=OFF
cmake --build --preset test --parallel "$(nproc)"

echo "== 3/3 Running all tests but the slow ones"
# They share the cores side by side: threads that wait sleep.
export OMP_WAIT_POLICY=passive
exec ctest --test-dir build/test --output-on-failure --no-tests=error --parallel "$(nproc)" -LE slow "$@"
