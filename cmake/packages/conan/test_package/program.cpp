// SPDX-License-Identifier: MIT
#include <cstdio>

#include <toeplitz/io/safetensors.hpp>
#include <toeplitz/operators/fft.hpp>

int main() {
    using namespace toeplitz;
    const Fft<float> op({.length = 3, .channels = 1}, Matrix<float>::Ones(5, 1).eval());
    const Matrix<float> y = op * Matrix<float>::Ones(3, 1);
    std::printf("%g, %s\n", static_cast<double>(y(0, 0)), dtype_name(Dtype::f32));
    return y(0, 0) == 3 ? 0 : 1;
}
