# SPDX-License-Identifier: MIT
# Installs into a staging prefix, moves that, and looks for paths of this machine in what was installed.
#
#   cmake -D BUILD_DIR=... -D SOURCE_DIR=... -D PREFIX=<dir> -P install_and_move.cmake

cmake_minimum_required(VERSION 3.24)

file(REMOVE_RECURSE "${PREFIX}" "${PREFIX}-before-move")
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD_DIR}" --prefix "${PREFIX}-before-move"
    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
file(RENAME "${PREFIX}-before-move" "${PREFIX}")

# Programs may have assertions, which name their sources.
file(GLOB_RECURSE installed "${PREFIX}/include/*" "${PREFIX}/lib/*" "${PREFIX}/share/*")
foreach(file IN LISTS installed)
    file(READ "${file}" content)
    foreach(path IN ITEMS "${SOURCE_DIR}" "${BUILD_DIR}" "${PREFIX}")
        string(FIND "${content}" "${path}" position)
        if(NOT position EQUAL -1)
            message(SEND_ERROR "${file} names ${path}")
        endif()
    endforeach()
endforeach()
