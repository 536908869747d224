# SPDX-License-Identifier: MIT
# Install rules: headers, the CMake package (with the FFTW module it needs) and the pkg-config file.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_DATADIR}/cmake/toeplitz")
set(pkgconfig_dir "${CMAKE_INSTALL_DATADIR}/pkgconfig")

install(TARGETS toeplitz EXPORT toeplitz-targets FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT toeplitz-targets NAMESPACE toeplitz:: DESTINATION "${package_dir}")
# A file of its own, so that only who asks for the component needs what it needs.
install(TARGETS toeplitz_io EXPORT toeplitz-io-targets FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT toeplitz-io-targets NAMESPACE toeplitz:: DESTINATION "${package_dir}")

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
    "${CMAKE_CURRENT_LIST_DIR}/FindFFTW3.cmake"
    DESTINATION "${package_dir}")

set(toeplitz_pc_fftw "")
if(TOEPLITZ_FFTW)
    set(toeplitz_pc_fftw " fftw3f fftw3")
endif()
# The .pc file finds its prefix from where it lies, so that an installed tree can be moved.
cmake_path(ABSOLUTE_PATH pkgconfig_dir BASE_DIRECTORY "/prefix" OUTPUT_VARIABLE absolute_pkgconfig_dir)
file(RELATIVE_PATH prefix_from_pkgconfig_dir "${absolute_pkgconfig_dir}" "/prefix")
configure_file("${CMAKE_CURRENT_LIST_DIR}/toeplitz.pc.in" "${PROJECT_BINARY_DIR}/toeplitz.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/toeplitz.pc" DESTINATION "${pkgconfig_dir}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/toeplitz")
