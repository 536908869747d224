// expect: the mixer's kernel does not fill in what its operator takes: it needs channels()
// expect: docs/guide/4-own-parts.md
// and no other error
// Where the mixer is defined, not where it is first used.
#include <toeplitz/kernels/position_kernel.hpp>
#include <toeplitz/nn/mixer.hpp>
#include <toeplitz/operators/fft.hpp>

using namespace toeplitz;

class Kernel : public PositionKernel<float, Causality::causal> {
public:
    using PositionKernel<float, Causality::causal>::PositionKernel;
#if defined(TOEPLITZ_EXPECT_ERROR)
    void backward() = delete;
#endif
};

class Mixer : public KernelMixer<Mixer, Kernel, Fft<float, Causality::causal>> {
public:
    static constexpr const char* name = "Mixer";
    explicit Mixer(const Kernel& kernel) : KernelMixer(kernel) {}
    Operator make_operator(Index length) const {
        return Operator({.length = length, .channels = channels()});
    }
    static Index where(const Operator& op) { return op.length(); }
};
