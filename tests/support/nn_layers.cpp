// SPDX-License-Identifier: MIT
#include <support/nn_impl.hpp>

namespace toeplitz::test {

void evaluate(const Linear<double>& linear, const LinearParameters<double>& parameters,
              MatrixView<const double> x, MatrixView<double> y) {
    Workspace ws;
    linear.evaluate(parameters, x, y, ws);
}
void backward(const Linear<double>& linear, const LinearParameters<double>& parameters,
              MatrixView<const double> x, MatrixView<const double> g, LinearParameters<double>& gradients,
              MatrixView<double> dx) {
    Workspace ws;
    linear.backward(parameters, x, g, dx, gradients, ws);
}

template struct Calls<PlainMixer<double>>;
template struct Calls<RowNorm<double>>;
template struct Calls<BatchNorm<double>>;
template struct Calls<Glu<double>>;
template struct Calls<PlainGtu<double>>;
template struct Calls<PlainBlock<double>>;
template struct Calls<PlainBatchBlock>;
template struct ModelCalls<PlainModel<double>>;
template struct ModelCalls<PlainFeatureModel>;

}  // namespace toeplitz::test
