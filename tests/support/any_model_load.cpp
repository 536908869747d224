// SPDX-License-Identifier: MIT
#include <support/any_model.hpp>

namespace toeplitz {
template test::Any AnyModel<float, test::PlainMixer<float>>::load(const TensorFile&);
}
