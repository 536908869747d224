// expect: to be saved, loaded, distilled or one of an AnyOf, a mixer needs a name
// expect: docs/guide/4-own-parts.md
#include <toeplitz/io/any_model.hpp>

using namespace toeplitz;
using Named = FdTno<float, Causality::causal>;

class Own : public Named {
public:
    using Named::Named;
#if defined(TOEPLITZ_EXPECT_ERROR)
private:
#endif
    static constexpr const char* architecture = "own";
};

using Known = AnyModel<float, Own>;

Index width(const Known& model) { return model.width(); }
