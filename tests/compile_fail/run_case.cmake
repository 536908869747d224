# SPDX-License-Identifier: MIT
# Runs one compile-fail case.
#
#   cmake -D CASE=<file> -D COMPILER=<c++> -D FLAGS=<flag|flag|...> -D INCLUDE_DIRS=<dir|dir|...> -P run_case.cmake

cmake_minimum_required(VERSION 3.24)

string(REPLACE "|" ";" INCLUDE_DIRS "${INCLUDE_DIRS}")
string(REPLACE "|" ";" FLAGS "${FLAGS}")
list(TRANSFORM INCLUDE_DIRS PREPEND "-I")
set(compile "${COMPILER}" -std=c++20 -fsyntax-only ${FLAGS} ${INCLUDE_DIRS})

file(STRINGS "${CASE}" expectations REGEX "^// expect: .+")
file(STRINGS "${CASE}" only_one REGEX "^// and no other error$")
if(NOT expectations)
    message(FATAL_ERROR "${CASE} has no line '// expect: <sentence>'")
endif()

execute_process(COMMAND ${compile} "${CASE}" RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT code EQUAL 0)
    message(FATAL_ERROR "harness: right_twin_fails\n${output}")
endif()

execute_process(COMMAND ${compile} -DTOEPLITZ_EXPECT_ERROR "${CASE}"
    RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(code EQUAL 0)
    message(FATAL_ERROR "harness: wrong_use_compiles")
endif()
string(REGEX MATCHALL "error: " errors "${output}")
list(LENGTH errors errors)
if(only_one AND errors GREATER 1)
    message(FATAL_ERROR "harness: other_errors\n${output}")
endif()
foreach(expected IN LISTS expectations)
    string(REPLACE "// expect: " "" expected "${expected}")
    string(FIND "${output}" "${expected}" position)
    if(position EQUAL -1)
        message(FATAL_ERROR "harness: other_message\nexpected: ${expected}\ngot:\n${output}")
    endif()
endforeach()
