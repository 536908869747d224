// expect: to be saved, loaded, distilled or one of an AnyOf, a mixer needs a name
// expect: docs/guide/4-own-parts.md
// Layers that stay exact keep their mixer, beside state spaces.
#include <toeplitz/nn/distill.hpp>
#include <toeplitz/nn/fd_tno.hpp>

using namespace toeplitz;
using Named = FdTno<float, Causality::causal>;

class Nameless : public Named {
public:
    using Named::Named;

private:
    static constexpr const char* architecture = nullptr;
};

#if defined(TOEPLITZ_EXPECT_ERROR)
using Net = Model<Nameless>;
#else
using Net = Model<Named>;
#endif

void call(const Net& net, const Net::Parameters& parameters) {
    distill(net, parameters, 8, {.tolerance = 1});
}
