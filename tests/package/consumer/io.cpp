// SPDX-License-Identifier: MIT
// Needs toeplitz::io alone: returns 0 if parameters come back from the bytes of a file.
#include <toeplitz/io/state_dict.hpp>
#include <toeplitz/toeplitz.hpp>

int main() {
    const toeplitz::PositionMlp<float> mlp({.channels = 4});
    toeplitz::TensorFile file;
    toeplitz::store_parameters(file, mlp.make_parameters(1), {.prefix = "rpe."});
    auto parameters = mlp.make_parameters(2);
    toeplitz::load_parameters(toeplitz::parse_safetensors(toeplitz::format_safetensors(file)), parameters,
                              {.prefix = "rpe."});
    return parameters.out.linear.weight == mlp.make_parameters(1).out.linear.weight ? 0 : 1;
}
