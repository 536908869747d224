// SPDX-License-Identifier: MIT
#include <support/nn_impl.hpp>

namespace toeplitz::test {

template struct ModelCalls<PlainModel<float>>;
template struct Calls<PlainBlock<float>>;

}  // namespace toeplitz::test
