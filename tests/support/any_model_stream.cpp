// SPDX-License-Identifier: MIT
#include <support/any_model.hpp>

namespace toeplitz {
template class AnyModel<float, test::PlainMixer<float>>::Stream;
template test::Any::Stream AnyModel<float, test::PlainMixer<float>>::stream(const PrepareOptions&,
                                                                            const StreamOptions&) const;
}  // namespace toeplitz
