# SPDX-License-Identifier: MIT
# An overlay port: vcpkg install toeplitz --overlay-ports=cmake/packages/vcpkg, in a checkout of the sources.

cmake_path(SET SOURCE_PATH NORMALIZE "${CMAKE_CURRENT_LIST_DIR}/../../../..")

vcpkg_check_features(OUT_FEATURE_OPTIONS FEATURE_OPTIONS FEATURES fftw TOEPLITZ_FFTW)
vcpkg_cmake_configure(
    SOURCE_PATH "${SOURCE_PATH}"
    OPTIONS
        -DTOEPLITZ_BUILD_TESTS=OFF
        -DTOEPLITZ_BUILD_BENCH=OFF
        -DTOEPLITZ_BUILD_EXAMPLES=OFF
        -DTOEPLITZ_BUILD_PROGRAM=OFF
        ${FEATURE_OPTIONS})
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/toeplitz)
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug" "${CURRENT_PACKAGES_DIR}/lib")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
