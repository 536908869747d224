# SPDX-License-Identifier: MIT
# Install rules: headers, the CMake package (with the FFTW module it needs), the pkg-config files, documents and
# examples. Directories may be absolute; with relative ones an installed tree can be moved.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME dev)

set(package_dir "${CMAKE_INSTALL_DATADIR}/cmake/toeplitz")
set(pkgconfig_dir "${CMAKE_INSTALL_DATADIR}/pkgconfig")

set(not_offered "")
if(NOT TOEPLITZ_FFTW)
    set(not_offered PATTERN "fftw*.hpp" EXCLUDE)
endif()
if(NOT TOEPLITZ_MPI)
    list(APPEND not_offered PATTERN "mpi.hpp" EXCLUDE)
endif()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/toeplitz" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" ${not_offered})

install(TARGETS toeplitz EXPORT toeplitz-targets INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT toeplitz-targets NAMESPACE toeplitz:: DESTINATION "${package_dir}")
# A file for each component, so that only who asks for it needs what it needs.
foreach(component IN ITEMS io fftw mpi)
    if(TARGET toeplitz_${component})
        install(TARGETS toeplitz_${component} EXPORT toeplitz-${component}-targets)
        install(EXPORT toeplitz-${component}-targets NAMESPACE toeplitz:: DESTINATION "${package_dir}")
    endif()
endforeach()

configure_package_config_file(
    "${CMAKE_CURRENT_LIST_DIR}/toeplitz-config.cmake.in" "${PROJECT_BINARY_DIR}/toeplitz-config.cmake"
    INSTALL_DESTINATION "${package_dir}"
    NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/toeplitz-config-version.cmake"
    COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES
    "${PROJECT_BINARY_DIR}/toeplitz-config.cmake"
    "${PROJECT_BINARY_DIR}/toeplitz-config-version.cmake"
    "${CMAKE_CURRENT_LIST_DIR}/toeplitz-compiled.cmake"
    DESTINATION "${package_dir}")

# The .pc files find their prefix from where they lie, if they lie below it. pkg-config wants blanks escaped, and
# does so itself in pcfiledir.
if(IS_ABSOLUTE "${pkgconfig_dir}")
    set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
else()
    cmake_path(ABSOLUTE_PATH pkgconfig_dir BASE_DIRECTORY "/prefix" OUTPUT_VARIABLE absolute_pkgconfig_dir)
    file(RELATIVE_PATH pc_prefix "${absolute_pkgconfig_dir}" "/prefix")
    string(REGEX REPLACE "(.*)/$" "\${pcfiledir}/\\1" pc_prefix "${pc_prefix}")
endif()
set(pc_includedir "${CMAKE_INSTALL_INCLUDEDIR}")
if(NOT IS_ABSOLUTE "${pc_includedir}")
    string(PREPEND pc_includedir "\${prefix}/")
endif()
string(REPLACE " " "\\ " pc_prefix "${pc_prefix}")
string(REPLACE " " "\\ " pc_includedir "${pc_includedir}")
configure_file("${CMAKE_CURRENT_LIST_DIR}/toeplitz.pc.in" "${PROJECT_BINARY_DIR}/toeplitz.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/toeplitz.pc" DESTINATION "${pkgconfig_dir}")

if(TOEPLITZ_FFTW)
    install(FILES "${CMAKE_CURRENT_LIST_DIR}/FindFFTW3.cmake" DESTINATION "${package_dir}")
    configure_file("${CMAKE_CURRENT_LIST_DIR}/toeplitz-fftw.pc.in" "${PROJECT_BINARY_DIR}/toeplitz-fftw.pc" @ONLY)
    install(FILES "${PROJECT_BINARY_DIR}/toeplitz-fftw.pc" DESTINATION "${pkgconfig_dir}")
endif()
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/toeplitz")
foreach(directory IN ITEMS docs examples)
    install(DIRECTORY "${PROJECT_SOURCE_DIR}/${directory}" DESTINATION "${CMAKE_INSTALL_DOCDIR}" PATTERN CMakeLists.txt EXCLUDE)
endforeach()
install(FILES "${PROJECT_SOURCE_DIR}/README.md" "${PROJECT_SOURCE_DIR}/CHANGELOG.md" DESTINATION "${CMAKE_INSTALL_DOCDIR}")

if(PROJECT_IS_TOP_LEVEL)
    include("${CMAKE_CURRENT_LIST_DIR}/packaging.cmake")
endif()
