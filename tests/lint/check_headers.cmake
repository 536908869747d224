# SPDX-License-Identifier: MIT
# Checks the rules that headers must keep and no compiler knows.
#
#   cmake -D INCLUDE_DIR=<dir that holds toeplitz/> -P check_headers.cmake

cmake_minimum_required(VERSION 3.24)

# A file includes only floors at or below its own.
set(floor_core 0)
set(floor_fft 1)
set(floor_dense 1)
set(floor_kernels 2)
set(floor_operators 3)
set(floor_approximation 4)
set(floor_nn 5)
set(floor_train 6)
set(floor_stream 6)
set(floor_io 7)
set(floor_adapt 7)
# The umbrella, and what instantiates it, show floors 0 to 5; the version is below everything.
set(floor_of_toeplitz.hpp 5)
set(floor_of_compiled.hpp 5)
set(floor_of_version.hpp 0)

# Costly to compile, or of no use in a numerical header.
set(costly_headers iostream ranges regex functional thread)
set(highest_lean_floor 5)

function(find_floor path result)
    string(REGEX MATCH "^[^/]+" first "${path}")
    if(DEFINED floor_of_${first})
        set(${result} ${floor_of_${first}} PARENT_SCOPE)
    elseif(DEFINED floor_${first})
        set(${result} ${floor_${first}} PARENT_SCOPE)
    else()
        set(${result} "" PARENT_SCOPE)
    endif()
endfunction()

set(violations 0)
macro(violation text)
    message("toeplitz/${header}: ${text}")
    math(EXPR violations "${violations} + 1")
endmacro()

# No line of the file may match.
macro(forbid regex text)
    file(STRINGS "${file}" matches REGEX "${regex}" LIMIT_COUNT 1)
    if(matches)
        violation("${text}: ${matches}")
    endif()
endmacro()

file(GLOB_RECURSE headers RELATIVE "${INCLUDE_DIR}/toeplitz" "${INCLUDE_DIR}/toeplitz/*")
list(LENGTH headers count)
if(count EQUAL 0)
    message(FATAL_ERROR "no header found in ${INCLUDE_DIR}/toeplitz")
endif()

foreach(header IN LISTS headers)
    set(file "${INCLUDE_DIR}/toeplitz/${header}")
    if(NOT header MATCHES "^[a-z0-9_/]+\\.hpp$")
        violation("a header's name is lower case and ends in .hpp")
    endif()
    find_floor("${header}" floor)
    if(floor STREQUAL "")
        violation("its folder has no floor; see check_headers.cmake")
        continue()
    endif()

    file(STRINGS "${file}" first_line LIMIT_COUNT 1)
    if(NOT first_line STREQUAL "// SPDX-License-Identifier: MIT")
        violation("the first line must be the licence identifier")
    endif()
    file(STRINGS "${file}" pragma REGEX "^#pragma once$")
    if(NOT pragma)
        violation("#pragma once is missing")
    endif()

    file(STRINGS "${file}" includes REGEX "^[ \t]*#[ \t]*include")
    foreach(line IN LISTS includes)
        if(NOT line MATCHES "<([^>]+)>")
            violation("includes are written with angle brackets and full paths: ${line}")
            continue()
        endif()
        set(included "${CMAKE_MATCH_1}")
        if(included MATCHES "^toeplitz/(.+)$")
            find_floor("${CMAKE_MATCH_1}" included_floor)
            if(included_floor STREQUAL "" OR included_floor GREATER floor)
                violation("floor ${floor} must not include <${included}>")
            endif()
            if(included MATCHES "^toeplitz/fft/fftw" AND NOT header STREQUAL "fft/fftw_convolution.hpp")
                violation("only fft/fftw_convolution.hpp includes what needs FFTW")
            endif()
        elseif(included STREQUAL "fftw3.h" AND NOT header STREQUAL "fft/fftw.hpp")
            violation("only fft/fftw.hpp includes <fftw3.h>")
        elseif(included MATCHES "Eigen/" AND NOT included STREQUAL "Eigen/Core"
               AND floor LESS_EQUAL highest_lean_floor
               AND NOT header STREQUAL "approximation/hankel.hpp")  # decompositions; not in the umbrella
            violation("of Eigen only <Eigen/Core>, not <${included}>")
        elseif(included IN_LIST costly_headers AND floor LESS_EQUAL highest_lean_floor)
            violation("<${included}> is too costly for floor ${floor}")
        endif()
    endforeach()

    # Files carry options by their visit.
    file(STRINGS "${file}" option_sets REGEX "^struct [A-Za-z]*Options {")
    file(STRINGS "${file}" visits REGEX "static constexpr void for_each_option")
    list(LENGTH option_sets option_sets)
    list(LENGTH visits visits)
    if(visits LESS option_sets)
        violation("options without for_each_option")
    endif()

    # Every translation unit would get a copy of its own, which inline functions must not name.
    forbid("^(static|const) " "internal linkage at namespace scope")
    forbid("^constexpr [^(]*=" "a constant without inline")
    forbid("^ *namespace *{" "anonymous namespace")
    forbid("^using namespace" "using-directive")
    forbid("^ *# *define +([^T]|T[^O]|TO[^E]|TOE[^P]|TOEP[^L])" "macro without the prefix TOEPLITZ_")
endforeach()

if(violations GREATER 0)
    message(FATAL_ERROR "${violations} violations in ${count} headers")
endif()
message(STATUS "${count} headers keep the rules")
