// SPDX-License-Identifier: MIT
// Files, too, compile without exceptions.
#include <toeplitz/io/model_file.hpp>
#include <toeplitz/io/options_json.hpp>
#include <toeplitz/nn/linear.hpp>

template void toeplitz::store_parameters(toeplitz::TensorFile&, const toeplitz::LinearParameters<float>&,
                                         const toeplitz::StateDictOptions&, toeplitz::SameNames&&);
template void toeplitz::load_parameters(const toeplitz::TensorFile&, toeplitz::LinearParameters<float>&,
                                        const toeplitz::StateDictOptions&, toeplitz::SameNames&&);
template toeplitz::LinearOptions toeplitz::parse_options_json(std::string_view, std::string_view);
template std::string toeplitz::options_json(const toeplitz::LinearOptions&);
