// SPDX-License-Identifier: MIT
// Every operator compiles without exceptions; errors terminate there.
#include <toeplitz/toeplitz.hpp>

template class toeplitz::Band<float>;
template class toeplitz::Fft<float>;
template class toeplitz::Ski<float>;
template class toeplitz::Spectral<float, toeplitz::Causality::bidirectional>;
template class toeplitz::Spectral<float, toeplitz::Causality::causal>;
template class toeplitz::Sum<toeplitz::Band<float>, toeplitz::Ski<float>>;
