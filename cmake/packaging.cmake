# SPDX-License-Identifier: MIT
# Debian packages by CPack: libtoeplitz-dev, the headers, and toeplitz-tools, the program where it was built.
#
#   cmake --build build && cd build && cpack -G DEB

# What is not built is not packed: nobody compiles for the headers.
set(CPACK_PACKAGE_NAME toeplitz)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_CONTACT "The toeplitz authors")
set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
set(CPACK_PACKAGING_INSTALL_PREFIX "/usr")
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL dev)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)

set(CPACK_DEBIAN_DEV_PACKAGE_NAME libtoeplitz-dev)
set(CPACK_DEBIAN_DEV_FILE_NAME "libtoeplitz-dev_${PROJECT_VERSION}_all.deb")
set(CPACK_DEBIAN_DEV_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libeigen3-dev (>= 3.4)")
# What a program with model files takes to compile; apt brings it along unless it is told not to.
set(CPACK_DEBIAN_DEV_PACKAGE_RECOMMENDS
    "g++ (>= 4:12) | clang (>= 1:14), pkg-config | cmake (>= 3.24), nlohmann-json3-dev (>= 3.11)")
set(CPACK_DEBIAN_DEV_PACKAGE_SUGGESTS "libfftw3-dev, libopenmpi-dev, toeplitz-tools")
# The first line is the synopsis, as there is no other.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")
set(about "Products with Toeplitz matrices in n log n or n operations, long filters and
systems of equations; Toeplitz neural networks, trained, run on whole
sequences or step by step, and approximated within proven bounds.")
set(CPACK_COMPONENT_DEV_DESCRIPTION "Toeplitz matrices and neural networks, C++ headers\n${about}")
# Debian's place for it, in the packages alone.
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/libtoeplitz-dev" RENAME copyright
    COMPONENT dev EXCLUDE_FROM_ALL)

if(TARGET toeplitz_program)
    list(APPEND CPACK_COMPONENTS_ALL tools)
    set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME toeplitz-tools)
    set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION science)
    set(CPACK_DEBIAN_TOOLS_PACKAGE_SHLIBDEPS ON)
    set(CPACK_DEBIAN_TOOLS_PACKAGE_SUGGESTS "gnuplot-nox | gnuplot, libtoeplitz-dev")
    set(CPACK_COMPONENT_TOOLS_DESCRIPTION "Toeplitz matrices and neural networks, the program toeplitz\n${about}")
    install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/toeplitz-tools" RENAME copyright
        COMPONENT tools EXCLUDE_FROM_ALL)
    # Read by cpack: without the program there is no package of it.
    file(GENERATE OUTPUT "${PROJECT_BINARY_DIR}/cpack-components.cmake" CONTENT
        "if(NOT EXISTS \"$<TARGET_FILE:toeplitz_program>\")\n    set(CPACK_COMPONENTS_ALL dev)\nendif()\n")
    set(CPACK_PROJECT_CONFIG_FILE "${PROJECT_BINARY_DIR}/cpack-components.cmake")
endif()
include(CPack)
