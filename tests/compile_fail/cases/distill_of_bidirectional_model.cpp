// expect: distill() takes causal models
#include <toeplitz/nn/distill.hpp>
#include <toeplitz/nn/tno.hpp>

using namespace toeplitz;

template <Causality kind>
void call(const Model<Tno<float, kind>>& model) {
    distill(model, model.make_parameters(), 8, {.tolerance = 1});
}
#if defined(TOEPLITZ_EXPECT_ERROR)
template void call<Causality::bidirectional>(const Model<Tno<float, Causality::bidirectional>>&);
#else
template void call<Causality::causal>(const Model<Tno<float, Causality::causal>>&);
#endif
