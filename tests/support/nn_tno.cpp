// SPDX-License-Identifier: MIT
#include <support/nn_impl.hpp>

namespace toeplitz::test {

template <Causality kind>
Matrix<double> values_of(const PositionKernel<double, kind>& kernel,
                         const PositionKernelParameters<double>& parameters, Index length) {
    Matrix<double> values(lag_count(length, kind), kernel.channels());
    Workspace ws;
    kernel.evaluate(parameters, length, values, ws);
    return values;
}
template Matrix<double> values_of(const PositionKernel<double, Causality::causal>&,
                                  const PositionKernelParameters<double>&, Index);
template Matrix<double> values_of(const PositionKernel<double, Causality::bidirectional>&,
                                  const PositionKernelParameters<double>&, Index);

Matrix<double> lags_of(const DoubleTno<Causality::bidirectional>& mixer,
                       const PositionKernelParameters<double>& parameters, Index length) {
    return mixer.kernel_lags(parameters, length);
}

template struct Calls<DoubleTno<Causality::causal>>;
template struct Calls<DoubleTno<Causality::bidirectional>>;
template struct Calls<NormalizedTno>;
template struct KernelCalls<PositionKernel<double>>;

}  // namespace toeplitz::test
