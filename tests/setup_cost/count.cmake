# SPDX-License-Identifier: MIT
# To construct an operator and to set its kernel takes no more instructions than three products, as valgrind counts
# them; the byte that a string instruction fills counts as one.

foreach(case IN ITEMS "fft;5000;1" "fft;16384;1" "fft;5000;3" "fft;5000;20" "ski;5000;1" "causal_spectral;5000;16"
                      "bidirectional_spectral;5000;16" "causal_spectral;5000;20")
    list(POP_FRONT case name)
    foreach(step IN ITEMS construct set_kernel apply)
        execute_process(
            COMMAND "${VALGRIND}" --tool=callgrind "--toggle-collect=*counted_call*"
                    "--callgrind-out-file=${OUT}" "${PROGRAM}" ${name} ${step} ${case}
            ERROR_VARIABLE report RESULT_VARIABLE status)
        if(NOT status EQUAL 0 OR NOT report MATCHES "Collected : ([1-9][0-9]*)")
            message(FATAL_ERROR "valgrind counted nothing for ${name} ${step} ${case}:\n${report}")
        endif()
        set(${step} ${CMAKE_MATCH_1})
    endforeach()
    math(EXPR setup "${construct} + ${set_kernel}")
    math(EXPR most "3 * ${apply}")
    message(STATUS "${name} ${case}: construct ${construct}, set_kernel ${set_kernel}, product ${apply}")
    if(setup GREATER most)
        message(SEND_ERROR "${name} ${case}: setting up takes ${setup} instructions, three products ${most}")
    endif()
endforeach()
