// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// choose() with its search compiled once.

#include <toeplitz/approximation/choose.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

extern template Approximation<double> choose_group<double>(MatrixView<const double>, const Sampler<double>&,
                                                           const ChooseOptions&);
extern template std::vector<Approximation<double>> choose_channels<double>(MatrixView<const double>,
                                                                           const Sampler<double>&,
                                                                           const ChooseOptions&);

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
