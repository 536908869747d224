// SPDX-License-Identifier: MIT
// A kernel and a mixer of one's own: k_c(t) = a_c exp(−exp(r_c) t), two numbers per channel, trained inside a
// layer until it does what a leaky integrator does.
#include <cmath>
#include <cstdio>

#include <toeplitz/toeplitz.hpp>
#include <toeplitz/train/trainer.hpp>

using namespace toeplitz;

struct LeakParameters {
    Vector<float> amplitude;  // a
    Vector<float> log_rate;   // r

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        f(ParameterName("amplitude"), sets.amplitude...);
        f(ParameterName("log_rate"), sets.log_rate...);
    }
};

/// A learnable function of lag that fills in what the operator's set_kernel takes: here all lags, n × d.
class LeakKernel {
public:
    using Parameters = LeakParameters;
    struct Cache {};  // backward needs nothing but the parameters

    explicit LeakKernel(Index channels) : channels_(channels) {}
    Index channels() const { return channels_; }
    Parameters make_parameters(std::uint64_t /*seed*/) const {
        return {Vector<float>::Ones(channels_), Vector<float>::LinSpaced(channels_, -4, 0)};
    }

    void evaluate(const Parameters& p, Index length, MatrixView<float> values, Workspace&, Cache*) const {
        for (Index t = 0; t < length; ++t) {
            for (Index c = 0; c < channels_; ++c) values(t, c) = p.amplitude(c) * decay(p, c, t);
        }
    }
    void backward(const Parameters& p, const Cache&, MatrixView<float> dvalues, Parameters& gradients,
                  Workspace&) const {
        for (Index t = 0; t < dvalues.rows(); ++t) {
            for (Index c = 0; c < channels_; ++c) {
                const float value = dvalues(t, c) * decay(p, c, t);
                gradients.amplitude(c) += value;
                gradients.log_rate(c) -=
                    value * p.amplitude(c) * std::exp(p.log_rate(c)) * static_cast<float>(t);
            }
        }
    }

private:
    static float decay(const Parameters& p, Index c, Index t) {
        return std::exp(-std::exp(p.log_rate(c)) * static_cast<float>(t));
    }
    Index channels_;
};

struct LeakOptions {
    Index channels = 0;  // a layer fills it in

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("channels", sets.channels...);
    }
};

/// The mixer: that kernel in front of the exact causal product.
class LeakMixer : public KernelMixer<LeakMixer, LeakKernel, Fft<float, Causality::causal>> {
public:
    using Options = LeakOptions;
    static constexpr const char* name = "LeakMixer";     // in messages
    static constexpr const char* architecture = "leak";  // in files
    static constexpr Causality causality() { return Causality::causal; }

    explicit LeakMixer(const Options& options) : KernelMixer(LeakKernel(options.channels)) {}
    Operator make_operator(Index length) const {
        return Operator({.length = length, .channels = channels()});
    }
    static Index where(const Operator& op) { return op.length(); }
};

int main() {
    const Index n = 100, batch = 8, width = 4, steps = 300;
    const Block<LeakMixer> block({.width = width});
    auto parameters = block.make_parameters(/*seed=*/1);

    // Noise, and what an integrator that forgets a tenth per step makes of it.
    Matrix<float> x(batch * n, width), target(batch * n, width), y(batch * n, width), dx(batch * n, width);
    const auto draw = [&](std::uint64_t seed) {
        const CounterRandom random(seed);
        for (Index i = 0; i < x.rows(); ++i) {
            for (Index c = 0; c < width; ++c) {
                x(i, c) = static_cast<float>(random.normal(static_cast<std::uint64_t>(i * width + c)));
            }
            target.row(i) = (i % n == 0 ? 0.0f : 0.9f) * target.row(i == 0 ? 0 : i - 1) + 0.3f * x.row(i);
        }
    };
    target.setZero();

    Block<LeakMixer>::Cache cache;
    Workspace ws;
    Trainer<Block<LeakMixer>::Parameters> trainer(parameters, {.schedule = {.peak = 1e-2}});
    trainer.run(
        parameters, steps,
        [&](const auto& p, const Part& part, auto& gradients) {
            draw(part.seed);
            block.forward(p, x, n, y, cache, ws);
            const Matrix<float> error = y - target;
            block.backward(p, x, cache, Matrix<float>(2.0f * error), dx, gradients, ws);
            return LossSum{error.squaredNorm(), static_cast<double>(error.size())};
        },
        every(100, [](const StepReport& report) {
            std::printf("step %3td  mean squared error %.3f\n", report.step, report.loss);
        }));
}
