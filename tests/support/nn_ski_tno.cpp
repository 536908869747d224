// SPDX-License-Identifier: MIT
#include <support/nn_impl.hpp>

namespace toeplitz::test {

template <class Kernel>
Matrix<double> values_at(const Kernel& kernel, const typename Kernel::Parameters& parameters,
                         const Vector<double>& lags) {
    Matrix<double> values(lags.size(), kernel.channels());
    Workspace ws;
    kernel.evaluate(parameters, lags, values, ws);
    return values;
}
#define TOEPLITZ_TEST_VALUES_AT(Kernel)                                                          \
    template Matrix<double> values_at<Kernel>(const Kernel&, const typename Kernel::Parameters&, \
                                              const Vector<double>&)
using CausalWarp = TimeWarp<double, Causality::causal>;
using CausalPositions = PositionKernel<double, Causality::causal>;
TOEPLITZ_TEST_VALUES_AT(TimeWarp<double>);
TOEPLITZ_TEST_VALUES_AT(CausalWarp);
TOEPLITZ_TEST_VALUES_AT(PositionKernel<double>);
TOEPLITZ_TEST_VALUES_AT(CausalPositions);

template struct Calls<DoubleSkiTno<Causality::causal>>;
template struct Calls<DoubleSkiTno<Causality::bidirectional>>;
template struct Calls<DoubleMlpSkiTno<Causality::causal>>;
template struct Calls<DoubleMlpSkiTno<Causality::bidirectional>>;
template struct KernelCalls<TimeWarp<double>>;

}  // namespace toeplitz::test
