# SPDX-License-Identifier: MIT
# The warnings that careful projects switch on, with which our headers must compile.

set(TOEPLITZ_STRICT_WARNINGS -Wall -Wextra -Wpedantic)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    list(APPEND TOEPLITZ_STRICT_WARNINGS
        -Wconversion -Wsign-conversion -Warith-conversion -Wdouble-promotion -Wold-style-cast -Wuseless-cast
        -Wcast-qual -Wcast-align -Wshadow -Wnull-dereference -Wduplicated-cond -Wduplicated-branches -Wlogical-op
        -Wnon-virtual-dtor -Woverloaded-virtual -Wsuggest-override -Wctor-dtor-privacy -Wdeprecated-copy-dtor
        -Wextra-semi -Wzero-as-null-pointer-constant -Wredundant-decls -Wredundant-tags -Wmismatched-tags
        -Wmissing-declarations -Wundef -Wunused -Wformat=2 -Wimplicit-fallthrough -Wvla -Wcomma-subscript)
else()
    list(APPEND TOEPLITZ_STRICT_WARNINGS -Weverything
        # Older standards.
        -Wno-c++98-compat -Wno-c++98-compat-pedantic -Wno-c++98-compat-local-type-template-args
        -Wno-pre-c++14-compat -Wno-pre-c++17-compat -Wno-pre-c++17-compat-pedantic
        -Wno-pre-c++20-compat -Wno-pre-c++20-compat-pedantic -Wno-c++20-compat
        # A header has no other place for the error classes' tables.
        -Wno-weak-vtables
        # Comparisons with 0 and 1 are meant to be exact.
        -Wno-float-equal
        # Vectors alias their scalars by an attribute that the warning does not know.
        -Wno-undefined-reinterpret-cast
        # A default that stands for all the others; missing cases without one are -Wswitch.
        -Wno-switch-enum
        # Layout, not a fault.
        -Wno-padded)
endif()
