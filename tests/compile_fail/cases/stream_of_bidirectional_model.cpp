// expect: only causal models can be streamed
// expect: Take the mixer with Causality::causal
#include <toeplitz/nn/tno.hpp>
#include <toeplitz/stream/model_stream.hpp>

using namespace toeplitz;

template <Causality kind>
void call(const Model<Tno<float, kind>>& model) {
    stream(model.prepare(model.make_parameters(), 8));
}
#if defined(TOEPLITZ_EXPECT_ERROR)
template void call<Causality::bidirectional>(const Model<Tno<float, Causality::bidirectional>>&);
#else
template void call<Causality::causal>(const Model<Tno<float, Causality::causal>>&);
#endif
