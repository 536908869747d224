# SPDX-License-Identifier: MIT
# What our own tests, benchmarks and examples are built with. Nothing of it reaches a consumer.

if(TOEPLITZ_OPENMP)
    find_package(OpenMP MODULE COMPONENTS CXX)
endif()

if(TOEPLITZ_BLAS)
    find_package(BLAS MODULE REQUIRED)
endif()

# Sound files: for the speech denoiser, and for the fuzz target of what it reads.
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
    pkg_check_modules(SNDFILE QUIET IMPORTED_TARGET sndfile)
endif()

# Images and compressed pages: for the tasks of Long Range Arena, and for the fuzz target of what they read.
find_package(PNG MODULE QUIET)
find_package(ZLIB MODULE QUIET)

# FFTW's engine is tested, and its transforms are a floor of the benchmarks, where FFTW is found.
set(TOEPLITZ_HAS_FFTW OFF)
if(TARGET toeplitz::fftw AND TARGET FFTW3::float AND TARGET FFTW3::double)
    set(TOEPLITZ_HAS_FFTW ON)
endif()

# The AVX-512 intrinsics of g++ 12 use a variable that they leave uninitialised on purpose, and it warns of them
# wherever Eigen inlines them.
include(CheckCXXSourceCompiles)
string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
set(CMAKE_REQUIRED_FLAGS "${CMAKE_CXX_FLAGS_${build_type}}")
check_cxx_source_compiles("
    #if defined(__clang__) || __GNUC__ > 12 || !defined(__AVX512F__)
    #error these intrinsics are silent, or not used
    #endif
    int main() {}"
    TOEPLITZ_INTRINSICS_WARN)
unset(CMAKE_REQUIRED_FLAGS)

# Linking takes its part of a build that is not optimised; this linker takes half of it. It warns of sanitizers.
if("${CMAKE_CXX_FLAGS_${build_type}}" MATCHES "-O0" AND NOT "${CMAKE_CXX_FLAGS_${build_type}}" MATCHES "-fsanitize")
    include(CheckLinkerFlag)
    check_linker_flag(CXX -fuse-ld=gold TOEPLITZ_HAS_GOLD)
    if(TOEPLITZ_HAS_GOLD)
        add_link_options(-fuse-ld=gold)
    endif()
endif()

# Warnings for one of our own targets.
function(toeplitz_warnings target)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion
        $<$<BOOL:${TOEPLITZ_INTRINSICS_WARN}>:-Wno-maybe-uninitialized>)
    if(TOEPLITZ_WERROR)
        target_compile_options(${target} PRIVATE -Werror)
    endif()
endfunction()

# Warnings and, where found, OpenMP for one of our own targets.
function(toeplitz_development_target target)
    toeplitz_warnings(${target})
    target_link_libraries(${target} PRIVATE toeplitz::toeplitz)
    if(TARGET OpenMP::OpenMP_CXX)
        target_link_libraries(${target} PRIVATE OpenMP::OpenMP_CXX)
    endif()
    if(TOEPLITZ_BLAS)
        target_compile_definitions(${target} PRIVATE EIGEN_USE_BLAS)
        target_link_libraries(${target} PRIVATE BLAS::BLAS)
    endif()
    set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
endfunction()

# Compiling takes longer than running in builds that are not optimised, but for these targets. What has to be inlined
# says so; clang++ takes a third of its time to inline the rest, the registration of tests above all.
function(toeplitz_computes_much)
    if("${CMAKE_CXX_FLAGS_${build_type}}" MATCHES "-O0")
        foreach(target IN LISTS ARGN)
            target_compile_options(${target} PRIVATE -O1
                $<$<CXX_COMPILER_ID:Clang>:SHELL:-mllvm -inline-threshold=0>)
        endforeach()
    endif()
endfunction()

# Instantiations that many of them need are compiled once, as they are. Those of layers compute little themselves:
# their parts do.
get_target_property(sources toeplitz_compiled SOURCES)
set(layers "${sources}")
list(FILTER layers INCLUDE REGEX "/(MIXER|ANY_MODEL)_")
list(FILTER sources EXCLUDE REGEX "/(MIXER|ANY_MODEL)_")
add_library(toeplitz_compiled_layers OBJECT EXCLUDE_FROM_ALL ${layers})
set_target_properties(toeplitz_compiled PROPERTIES SOURCES "${sources}")
target_sources(toeplitz_compiled PRIVATE $<TARGET_OBJECTS:toeplitz_compiled_layers>)
target_compile_definitions(toeplitz_compiled_layers PRIVATE
    $<TARGET_PROPERTY:toeplitz_compiled,INTERFACE_COMPILE_DEFINITIONS>)
toeplitz_computes_much(toeplitz_compiled)
foreach(target IN ITEMS toeplitz_compiled toeplitz_compiled_layers)
    toeplitz_development_target(${target})
    target_compile_options(${target} PRIVATE ${TOEPLITZ_COMPILED_FLAGS})
    set_target_properties(${target} PROPERTIES
        POSITION_INDEPENDENT_CODE ON UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
endforeach()
