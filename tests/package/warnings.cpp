// SPDX-License-Identifier: MIT
// Every header, and every class with what it is made of, for a consumer whose warnings are errors.
#include TOEPLITZ_ALL_HEADERS

namespace toeplitz::inline TOEPLITZ_ABI {

template class Dense<double>;
template class Band<float>;
template class Fft<double>;
template class Ski<float>;
template class Spectral<float, Causality::bidirectional>;
template class Spectral<double, Causality::causal>;
template class Sum<Band<float>, Ski<float>>;
template class Transpose<Fft<float>>;

template class Model<Tno<float, Causality::bidirectional>, BatchNorm<float>, Linear<float>>;
template class Model<SkiTno<double, Causality::bidirectional>, BatchNorm<double>, Linear<double>>;
template class Model<FdTno<float, Causality::causal>>;
template class Model<SkiTno<float, Causality::causal, PositionKernel<float, Causality::causal>>>;
template class KernelStream<double>;
template class ModelStream<Model<Tno<float, Causality::causal>, BatchNorm<float>, Linear<float>>::Prepared>;
template class Trainer<Model<Tno<float, Causality::causal>>::Parameters>;

}  // namespace toeplitz::inline TOEPLITZ_ABI
