# SPDX-License-Identifier: MIT
# Configures with absolute directories of installation, as Nix does, and installs there.
#
#   cmake -D SOURCE_DIR=... -D BUILD_DIR=<scratch dir> -D PREFIX=<dir> -D COMPILER=... -D GENERATOR=...
#         -D TOEPLITZ_FFTW=... -P install_absolute.cmake

cmake_minimum_required(VERSION 3.24)

file(REMOVE_RECURSE "${BUILD_DIR}" "${PREFIX}")
execute_process(
    COMMAND "${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${SOURCE_DIR}" -B "${BUILD_DIR}"
        -D "CMAKE_CXX_COMPILER=${COMPILER}" -D "TOEPLITZ_FFTW=${TOEPLITZ_FFTW}" -D TOEPLITZ_BUILD_TESTS=OFF
        -D TOEPLITZ_BUILD_BENCH=OFF -D TOEPLITZ_BUILD_EXAMPLES=OFF -D "CMAKE_INSTALL_PREFIX=${PREFIX}"
        -D "CMAKE_INSTALL_INCLUDEDIR=${PREFIX}/headers" -D "CMAKE_INSTALL_DATADIR=${PREFIX}/share"
    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD_DIR}" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
