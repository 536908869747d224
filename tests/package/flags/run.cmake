# SPDX-License-Identifier: MIT
# Compiles the unit with FIRST and with SECOND, looks for functions of the library that both have, and runs the
# second one in programs linked in both orders; under EMULATOR if that is given.

cmake_minimum_required(VERSION 3.24)
separate_arguments(FIRST)
separate_arguments(SECOND)
separate_arguments(EMULATOR)
string(REPLACE "|" ";" COMPILE "${COMPILE}")
file(MAKE_DIRECTORY "${BINARY_DIR}")

function(run)
    execute_process(COMMAND ${ARGN} WORKING_DIRECTORY "${BINARY_DIR}" COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# Names of what the linker would merge: all but the errors, which live outside of the inline namespace.
function(shareable object result)
    execute_process(COMMAND "${NM}" -C --defined-only "${object}" WORKING_DIRECTORY "${BINARY_DIR}"
        OUTPUT_VARIABLE names COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX REPLACE "[][;]" "_" names "${names}")
    string(REGEX MATCHALL "[0-9a-f]+ [WVui] [^\n]*toeplitz::[^\n]*" names "${names}")
    list(TRANSFORM names REPLACE "^[0-9a-f]+ . " "")
    list(FILTER names EXCLUDE REGEX "^((vtable|typeinfo|typeinfo name) for )?toeplitz::[a-z_]*error(::~[a-z_]*error\\(\\))?$")
    list(LENGTH names count)
    if(count LESS 10)
        message(FATAL_ERROR "${object} has ${count} functions of the library: is this the right file?")
    endif()
    set(${result} "${names}" PARENT_SCOPE)
endfunction()

run(${COMPILE} ${FIRST} -DUNIT=first_unit -c "${SOURCE_DIR}/unit.cpp" -o first.o)
run(${COMPILE} ${SECOND} -DUNIT=second_unit -c "${SOURCE_DIR}/unit.cpp" -o second.o)
run(${COMPILE} "-DNEEDS=\"${NEEDS}\"" -c "${SOURCE_DIR}/main.cpp" -o main.o)

shareable(first.o first_names)
shareable(second.o second_names)
set(shared)
foreach(name IN LISTS first_names)
    if(name IN_LIST second_names)
        string(APPEND shared "\n  ${name}")
    endif()
endforeach()
if(shared)
    message(FATAL_ERROR "Units compiled with '${FIRST}' and '${SECOND}' share${shared}")
endif()

foreach(objects "first.o;second.o" "second.o;first.o")
    run(${COMPILE} -fopenmp main.o ${objects} -o program)
    execute_process(COMMAND ${EMULATOR} ./program WORKING_DIRECTORY "${BINARY_DIR}" RESULT_VARIABLE status)
    if(status EQUAL 77)
        message("skipped: this processor lacks ${NEEDS}")
    elseif(NOT status EQUAL 0)
        message(FATAL_ERROR "The unit compiled with '${SECOND}' failed with ${status}, linked as ${objects}")
    endif()
endforeach()
