// expect: Causality
// A bool would say nothing at the call; the enumeration names what it means.
#include <toeplitz/operators/fft.hpp>

#if defined(TOEPLITZ_EXPECT_ERROR)
toeplitz::FftOptions options{.length = 4, .channels = 2, .causality = true};
#else
toeplitz::FftOptions options{.length = 4, .channels = 2, .causality = toeplitz::Causality::causal};
#endif
