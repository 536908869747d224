// SPDX-License-Identifier: MIT
#include <support/model_impl.hpp>

namespace toeplitz::test {

template std::unique_ptr<Model<float>> make_model<float>(const Spec&, std::uint64_t);

}  // namespace toeplitz::test
