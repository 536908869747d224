// SPDX-License-Identifier: MIT
#include <support/nn_impl.hpp>

namespace toeplitz::test {

Matrix<double> values_at(const PositionKernel<double>& kernel,
                         const PositionKernelParameters<double>& parameters, const Vector<double>& lags) {
    Matrix<double> values(lags.size(), kernel.channels());
    Workspace ws;
    kernel.evaluate(parameters, lags, values, ws);
    return values;
}

Matrix<double> values_at(const TimeWarp<double>& kernel, const TimeWarpParameters<double>& parameters,
                         const Vector<double>& lags) {
    Matrix<double> values(lags.size(), kernel.channels());
    Workspace ws;
    kernel.evaluate(parameters, lags, values, ws);
    return values;
}

template struct Calls<DoubleSkiTno<Causality::causal>>;
template struct Calls<DoubleSkiTno<Causality::bidirectional>>;
template struct Calls<DoubleMlpSkiTno<Causality::causal>>;
template struct Calls<DoubleMlpSkiTno<Causality::bidirectional>>;
template struct KernelCalls<TimeWarp<double>>;

}  // namespace toeplitz::test
