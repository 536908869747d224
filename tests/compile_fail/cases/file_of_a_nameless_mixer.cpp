// expect: a file says what it holds
// The loader would not know what to make.
#include <toeplitz/io/model_architecture.hpp>
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
using Mixer = Nameless;
#else
using Mixer = Named;
#endif
using Net = Model<Mixer>;

void save(const Net& net, const Net::Parameters& parameters, Net::Inputs inputs) {
    save_model("model.safetensors", net, parameters, inputs, /*length=*/8);
}
