# SPDX-License-Identifier: MIT
# toeplitz::compiled: the usual instantiations (include/toeplitz/compiled.hpp), compiled in the project that links
# them. Its compiler and flags are those of this directory and of what is linked to toeplitz_compiled: a program
# that uses OpenMP says
#
#   target_link_libraries(toeplitz_compiled PUBLIC OpenMP::OpenMP_CXX)
#
# TOEPLITZ_COMPILED_SCALARS, "float;double" unless it is set, says for which numbers.

function(toeplitz_add_compiled)
    set(sources "")
    if(NOT DEFINED TOEPLITZ_COMPILED_SCALARS)
        set(TOEPLITZ_COMPILED_SCALARS float double)
    endif()
    # What instantiates the same of Eigen stands together, for unity builds.
    set(instances "")
    foreach(scalar IN LISTS TOEPLITZ_COMPILED_SCALARS)
        list(APPEND instances "PARTS(, ${scalar})" "APPROXIMATION(, ${scalar})" "FIT(, ${scalar})")
    endforeach()
    foreach(scalar IN LISTS TOEPLITZ_COMPILED_SCALARS)
        list(APPEND instances "STREAM(, ${scalar})")
        foreach(mixer IN ITEMS Tno SkiTno FdTno)
            foreach(causality IN ITEMS bidirectional causal)
                list(APPEND instances "MIXER(, ${mixer}<${scalar}, Causality::${causality}>)")
            endforeach()
        endforeach()
    endforeach()
    set(has_json OFF)
    if(TARGET nlohmann_json::nlohmann_json)
        set(has_json ON)
        list(APPEND instances "JSON()")
        foreach(scalar IN LISTS TOEPLITZ_COMPILED_SCALARS)
            list(APPEND instances "ANY_MODEL(, ${scalar})")
        endforeach()
    endif()
    foreach(instance IN LISTS instances)
        set(headers approximation/compiled compiled stream/compiled)
        if(instance MATCHES "^(JSON|ANY_MODEL)")
            set(headers io/any_model)
        endif()
        list(TRANSFORM headers REPLACE "(.+)" "#include <toeplitz/\\1.hpp>\n")
        list(JOIN headers "" includes)
        string(REGEX REPLACE "[^A-Za-z]+" "_" name "${instance}")
        set(source "${CMAKE_CURRENT_BINARY_DIR}/toeplitz_compiled/${name}.cpp")
        file(CONFIGURE OUTPUT "${source}" CONTENT "${includes}\
namespace toeplitz::inline TOEPLITZ_ABI {\n\
TOEPLITZ_INSTANTIATE_${instance}\n\
}\n")
        list(APPEND sources "${source}")
    endforeach()
    add_library(toeplitz_compiled STATIC EXCLUDE_FROM_ALL ${sources})
    add_library(toeplitz::compiled ALIAS toeplitz_compiled)
    target_link_libraries(toeplitz_compiled PUBLIC toeplitz::toeplitz)
    list(TRANSFORM TOEPLITZ_COMPILED_SCALARS REPLACE "(.+)" "TOEPLITZ_COMPILED_\\1" OUTPUT_VARIABLE definitions)
    target_compile_definitions(toeplitz_compiled PUBLIC TOEPLITZ_COMPILED ${definitions})
    if(has_json)
        target_compile_definitions(toeplitz_compiled PUBLIC TOEPLITZ_COMPILED_IO)
        target_link_libraries(toeplitz_compiled PRIVATE nlohmann_json::nlohmann_json)
    endif()
    set_target_properties(toeplitz_compiled PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
endfunction()

if(NOT TARGET toeplitz_compiled)
    toeplitz_add_compiled()
endif()
