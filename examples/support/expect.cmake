# SPDX-License-Identifier: MIT
# Runs PROGRAM with ARGUMENTS (separated by commas) and fails unless it exits with CODE and what it prints matches
# REGEX, and is the content of the file SHOWN, where there is one.
cmake_minimum_required(VERSION 3.24)

string(REPLACE "," ";" arguments "${ARGUMENTS}")
execute_process(COMMAND "${PROGRAM}" ${arguments}
                RESULT_VARIABLE code OUTPUT_VARIABLE printed ERROR_VARIABLE printed)
message("${printed}")
if(NOT code STREQUAL CODE)
    message(FATAL_ERROR "expected exit code ${CODE}, got ${code}")
endif()
if(NOT printed MATCHES "${REGEX}")
    message(FATAL_ERROR "expected output that matches '${REGEX}'")
endif()
if(EXISTS "${SHOWN}")
    file(READ "${SHOWN}" shown)
    if(NOT printed STREQUAL shown)
        message(FATAL_ERROR "the documentation shows:\n${shown}")
    endif()
endif()
