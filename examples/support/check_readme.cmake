# SPDX-License-Identifier: MIT
# Fails unless README contains the program SOURCE, without its licence line, and all that PROGRAM prints.
cmake_minimum_required(VERSION 3.24)

file(READ "${README}" readme)
file(READ "${SOURCE}" source)
string(REGEX REPLACE "^// SPDX[^\n]*\n+" "" source "${source}")
execute_process(COMMAND "${PROGRAM}" OUTPUT_VARIABLE printed COMMAND_ERROR_IS_FATAL ANY)

foreach(part IN ITEMS source printed)
    string(FIND "${readme}" "\n${${part}}```" position)
    if(position EQUAL -1)
        message(SEND_ERROR "the README lacks this block:\n${${part}}")
    endif()
endforeach()
