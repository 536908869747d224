// SPDX-License-Identifier: MIT
#include <support/choose.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

template Approximation<double> choose_group<double>(MatrixView<const double>, const Sampler<double>&,
                                                    const ChooseOptions&);
template std::vector<Approximation<double>> choose_channels<double>(MatrixView<const double>,
                                                                    const Sampler<double>&,
                                                                    const ChooseOptions&);

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
