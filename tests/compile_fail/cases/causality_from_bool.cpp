// expect: Causality
// A bool would say nothing at the call; the enumeration names what it means.
#include <toeplitz/operators/fft.hpp>

#if defined(TOEPLITZ_EXPECT_ERROR)
using Operator = toeplitz::Fft<float, true>;
#else
using Operator = toeplitz::Fft<float, toeplitz::Causality::causal>;
#endif
const Operator op({.length = 4, .channels = 2});
