// SPDX-License-Identifier: MIT
#include <support/any_operator_impl.hpp>

namespace toeplitz::test {

template std::unique_ptr<AnyOperator<float>> make_operator<float>(const Spec&, std::uint64_t);

}  // namespace toeplitz::test
