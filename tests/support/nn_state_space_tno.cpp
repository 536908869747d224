// SPDX-License-Identifier: MIT
#include <support/nn_impl.hpp>

namespace toeplitz::test {

template struct Calls<StateSpaceTno<double>>;

}  // namespace toeplitz::test
