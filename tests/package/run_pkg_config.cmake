# SPDX-License-Identifier: MIT
# Builds a program with pkg-config and the compiler alone, and runs it.

cmake_minimum_required(VERSION 3.24)

set(ENV{PKG_CONFIG_PATH} "${PKG_CONFIG_DIR}")
function(pkg_config option package result)
    execute_process(COMMAND "${PKG_CONFIG}" ${option} ${package}
        OUTPUT_VARIABLE output OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    set(${result} "${output}" PARENT_SCOPE)
endfunction()

pkg_config(--modversion ${PACKAGE} version)
if(NOT version STREQUAL EXPECTED_VERSION)
    message(FATAL_ERROR "${PACKAGE}.pc says ${version}, expected ${EXPECTED_VERSION}")
endif()
pkg_config(--libs toeplitz libs)
if(libs)
    message(FATAL_ERROR "toeplitz.pc links ${libs}")
endif()

pkg_config(--cflags ${PACKAGE} cflags)
pkg_config(--libs ${PACKAGE} libs)
if(PACKAGE MATCHES "fftw" AND NOT libs MATCHES "-lfftw3f ")
    message(FATAL_ERROR "${PACKAGE}.pc links '${libs}', not FFTW")
endif()
separate_arguments(cflags UNIX_COMMAND "${cflags}")
separate_arguments(libs UNIX_COMMAND "${libs}")
execute_process(COMMAND "${COMPILER}" -std=c++20 ${cflags} "${SOURCE}" -o "${PROGRAM}" ${libs}
    COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${PROGRAM}" COMMAND_ERROR_IS_FATAL ANY)
