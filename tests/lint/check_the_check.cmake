# SPDX-License-Identifier: MIT
# Shows check_headers.cmake one file for each rule, and expects it to complain.
#
#   cmake -D WORK_DIR=<scratch dir> -P check_the_check.cmake

cmake_minimum_required(VERSION 3.24)

set(start "// SPDX-License-Identifier: MIT\n#pragma once\n")

# What the check says of one file; empty when it is content.
function(check path content result)
    file(REMOVE_RECURSE "${WORK_DIR}")
    file(WRITE "${WORK_DIR}/toeplitz/${path}" "${content}")
    execute_process(
        COMMAND "${CMAKE_COMMAND}" -D "INCLUDE_DIR=${WORK_DIR}" -P "${CMAKE_CURRENT_LIST_DIR}/check_headers.cmake"
        RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(code EQUAL 0)
        set(output "")
    endif()
    set(${result} "${output}" PARENT_SCOPE)
endfunction()

function(accept path content)
    check("${path}" "${content}" output)
    if(output)
        message(SEND_ERROR "${path} should pass:\n${output}")
    endif()
endfunction()

function(reject path content expected)
    check("${path}" "${content}" output)
    string(FIND "${output}" "${expected}" position)
    if(position EQUAL -1)
        message(SEND_ERROR "${path} should fail with '${expected}', got: ${output}")
    endif()
endfunction()

accept(operators/good.hpp "${start}#include <vector>\n#include <toeplitz/fft/tree.hpp>\ninline constexpr int x = 1;\n")
accept(adapt/good.hpp "${start}#include <unsupported/Eigen/IterativeSolvers>\n")
reject(core/bad.hpp "${start}#include <toeplitz/fft/tree.hpp>\n" "floor 0 must not include")
reject(operators/bad.hpp "${start}#include <toeplitz/nn/layer.hpp>\n" "floor 3 must not include")
reject(operators/bad.hpp "${start}#include <toeplitz/toeplitz.hpp>\n" "floor 3 must not include")
reject(dense/bad.hpp "${start}#include <toeplitz/kernels/decay.hpp>\n" "floor 1 must not include")
reject(operators/bad.hpp "${start}#include <toeplitz/approximation/choose.hpp>\n" "floor 3 must not include")
reject(toeplitz.hpp "${start}#include <toeplitz/io/checkpoint.hpp>\n" "floor 5 must not include")
accept(fft/fftw_convolution.hpp "${start}#include <toeplitz/fft/fftw.hpp>\n")
reject(operators/bad.hpp "${start}#include <toeplitz/fft/fftw_convolution.hpp>\n" "only fft/fftw_convolution.hpp")
reject(fft/bad.hpp "${start}#include <fftw3.h>\n" "only fft/fftw.hpp")
reject(core/bad.hpp "${start}#include <Eigen/Dense>\n" "of Eigen only")
accept(approximation/hankel.hpp "${start}#include <Eigen/QR>\n")
reject(approximation/bad.hpp "${start}#include <Eigen/QR>\n" "of Eigen only")
reject(core/bad.hpp "${start}#  include <iostream>\n" "too costly")
reject(core/bad.hpp "${start}#include \"types.hpp\"\n" "angle brackets")
reject(core/bad.hpp "#pragma once\n" "licence identifier")
reject(core/bad.hpp "// SPDX-License-Identifier: MIT\n" "#pragma once")
reject(core/Bad.hpp "${start}" "lower case")
reject(attic/bad.hpp "${start}" "has no floor")
reject(core/bad.hpp "${start}static int x = 1;\n" "internal linkage")
reject(core/bad.hpp "${start}constexpr int x = 1;\n" "without inline")
reject(core/bad.hpp "${start}namespace {\n" "anonymous")
reject(core/bad.hpp "${start}using namespace std;\n" "using-directive")
reject(core/bad.hpp "${start}#define SHORT 1\n" "without the prefix")
reject(core/bad.hpp "${start}struct BadOptions {\n" "without for_each_option")
file(REMOVE_RECURSE "${WORK_DIR}")
