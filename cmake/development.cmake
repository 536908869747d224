# SPDX-License-Identifier: MIT
# What our own tests, benchmarks and examples are built with. Nothing of it reaches a consumer.

if(TOEPLITZ_OPENMP)
    find_package(OpenMP COMPONENTS CXX)
endif()

if(TOEPLITZ_BLAS)
    find_package(BLAS REQUIRED)
endif()

# FFTW's engine is tested, and its transforms are a floor of the benchmarks, where FFTW is found.
set(TOEPLITZ_HAS_FFTW OFF)
if(TARGET toeplitz::fftw AND TARGET FFTW3::float AND TARGET FFTW3::double)
    set(TOEPLITZ_HAS_FFTW ON)
endif()

# Warnings and, where found, OpenMP for one of our own targets.
function(toeplitz_development_target target)
    target_link_libraries(${target} PRIVATE toeplitz::toeplitz)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion)
    if(TOEPLITZ_WERROR)
        target_compile_options(${target} PRIVATE -Werror)
    endif()
    if(TARGET OpenMP::OpenMP_CXX)
        target_link_libraries(${target} PRIVATE OpenMP::OpenMP_CXX)
    endif()
    if(TOEPLITZ_BLAS)
        target_compile_definitions(${target} PRIVATE EIGEN_USE_BLAS)
        target_link_libraries(${target} PRIVATE BLAS::BLAS)
    endif()
    set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
endfunction()
