# SPDX-License-Identifier: MIT
#[[
Finds FFTW 3, one component per precision: float, double, longdouble.

    find_package(FFTW3 REQUIRED COMPONENTS float double)
    target_link_libraries(app PRIVATE FFTW3::float FFTW3::double)

Sets FFTW3_FOUND, FFTW3_VERSION (where pkg-config knows it), FFTW3_INCLUDE_DIR and, for each component,
FFTW3_<component>_FOUND and FFTW3_<component>_LIBRARY. Looks where FFTW3_ROOT, CMAKE_PREFIX_PATH and
pkg-config point. Serves installations without a CMake package, such as Debian's, and those whose package
lacks its targets.
]]

if(NOT FFTW3_FIND_COMPONENTS)
    set(FFTW3_FIND_COMPONENTS double)
endif()

set(_fftw3_name_float fftw3f)
set(_fftw3_name_double fftw3)
set(_fftw3_name_longdouble fftw3l)

find_package(PkgConfig MODULE QUIET)
foreach(_component IN LISTS FFTW3_FIND_COMPONENTS)
    if(NOT DEFINED _fftw3_name_${_component})
        if(FFTW3_FIND_REQUIRED_${_component})
            string(APPEND _fftw3_reason "unknown component ${_component} (known: float, double, longdouble). ")
        endif()
        continue()
    endif()
    set(_name ${_fftw3_name_${_component}})
    if(PkgConfig_FOUND)
        pkg_check_modules(PC_${_name} QUIET ${_name})
        if(PC_${_name}_VERSION)
            set(FFTW3_VERSION "${PC_${_name}_VERSION}")
        endif()
    endif()
    find_path(FFTW3_INCLUDE_DIR fftw3.h HINTS ${PC_${_name}_INCLUDE_DIRS} ${PC_${_name}_INCLUDEDIR})
    find_library(FFTW3_${_component}_LIBRARY ${_name} HINTS ${PC_${_name}_LIBRARY_DIRS} ${PC_${_name}_LIBDIR})
    mark_as_advanced(FFTW3_INCLUDE_DIR FFTW3_${_component}_LIBRARY)
    if(FFTW3_INCLUDE_DIR AND FFTW3_${_component}_LIBRARY)
        set(FFTW3_${_component}_FOUND TRUE)
    endif()
endforeach()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(FFTW3
    REQUIRED_VARS FFTW3_INCLUDE_DIR
    VERSION_VAR FFTW3_VERSION
    HANDLE_COMPONENTS
    REASON_FAILURE_MESSAGE "${_fftw3_reason}On Debian: apt-get install libfftw3-dev")

if(FFTW3_FOUND)
    foreach(_component IN LISTS FFTW3_FIND_COMPONENTS)
        if(FFTW3_${_component}_FOUND AND NOT TARGET FFTW3::${_component})
            add_library(FFTW3::${_component} UNKNOWN IMPORTED)
            set_target_properties(FFTW3::${_component} PROPERTIES
                IMPORTED_LOCATION "${FFTW3_${_component}_LIBRARY}"
                INTERFACE_INCLUDE_DIRECTORIES "${FFTW3_INCLUDE_DIR}")
            if(UNIX AND FFTW3_${_component}_LIBRARY MATCHES "\\.a$")
                set_property(TARGET FFTW3::${_component} PROPERTY INTERFACE_LINK_LIBRARIES m)
            endif()
        endif()
    endforeach()
endif()

unset(_fftw3_name_float)
unset(_fftw3_name_double)
unset(_fftw3_name_longdouble)
unset(_fftw3_reason)
unset(_component)
unset(_name)
