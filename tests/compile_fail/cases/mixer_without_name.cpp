// expect: a mixer that is a KernelMixer needs static constexpr const char* name, make_operator(length)
// expect: docs/guide/4-own-parts.md
#include <toeplitz/kernels/position_kernel.hpp>
#include <toeplitz/nn/mixer.hpp>
#include <toeplitz/operators/fft.hpp>

using namespace toeplitz;
using Kernel = PositionKernel<float, Causality::causal>;
using Base = KernelMixer<class Mixer, Kernel, Fft<float, Causality::causal>>;

class Mixer : public Base {
public:
    explicit Mixer(const Kernel& kernel) : Base(kernel) {}
#if !defined(TOEPLITZ_EXPECT_ERROR)
    static constexpr const char* name = "Mixer";
#endif
    Operator make_operator(Index length) const {
        return Operator({.length = length, .channels = channels()});
    }
    static Index where(const Operator& op) { return op.length(); }
};
