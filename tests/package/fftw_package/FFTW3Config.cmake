# SPDX-License-Identifier: MIT
# Stands for FFTW's own CMake package, which names its targets differently from our module.
set(FFTW3_FOUND TRUE)
add_library(FFTW3::fftw3 INTERFACE IMPORTED)
