// SPDX-License-Identifier: MIT
// Files, too, compile without exceptions.
#include <toeplitz/dense/linear.hpp>
#include <toeplitz/io/model_file.hpp>

template void toeplitz::store_parameters(toeplitz::TensorFile&, const toeplitz::LinearParameters<float>&,
                                         const toeplitz::StateDictOptions&, toeplitz::SameNames&&);
template void toeplitz::load_parameters(const toeplitz::TensorFile&, toeplitz::LinearParameters<float>&,
                                        const toeplitz::StateDictOptions&, toeplitz::SameNames&&);
