// SPDX-License-Identifier: MIT
#include <support/nn_impl.hpp>

namespace toeplitz::test {

Matrix<double> response_of(const FrequencyKernel<double, Causality::causal>& kernel,
                           const FrequencyKernelParameters<double>& parameters, Index grid) {
    Matrix<double> response(kernel.frequencies(grid), kernel.channels());
    Workspace ws;
    kernel.evaluate(parameters, grid, response, ws);
    return response;
}

Matrix<double> response_of(const FrequencyKernel<double, Causality::bidirectional>& kernel,
                           const FrequencyKernelParameters<double>& parameters, Index grid) {
    const Index rows = kernel.frequencies(grid);
    Matrix<std::complex<double>> response(rows, kernel.channels());
    Workspace ws;
    kernel.evaluate(parameters, grid, response, ws);
    Matrix<double> stacked(2 * rows, kernel.channels());
    stacked.topRows(rows) = response.real();
    stacked.bottomRows(rows) = response.imag();
    return stacked;
}

Matrix<double> lags_of(const DoubleFdTno<Causality::bidirectional>& mixer,
                       const FrequencyKernelParameters<double>& parameters, Index length) {
    return mixer.kernel_lags(parameters, length);
}
Matrix<double> lags_of(const DoubleFdTno<Causality::causal>& mixer,
                       const FrequencyKernelParameters<double>& parameters, Index length) {
    return mixer.kernel_lags(parameters, length);
}

template struct Calls<DoubleFdTno<Causality::causal>>;
template struct Calls<DoubleFdTno<Causality::bidirectional>>;
template struct KernelCalls<FrequencyKernel<double, Causality::causal>>;
template struct KernelCalls<FrequencyKernel<double, Causality::bidirectional>, std::complex<double>>;

}  // namespace toeplitz::test
