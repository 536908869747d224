// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What the tests of layers share: a mixer of their own, and every instantiation of a module that they run,
/// compiled once.

#include <toeplitz/nn/fd_tno.hpp>
#include <toeplitz/nn/model.hpp>
#include <toeplitz/nn/normalized.hpp>
#include <toeplitz/nn/ski_tno.hpp>
#include <toeplitz/nn/state_space_tno.hpp>
#include <toeplitz/nn/tno.hpp>

namespace toeplitz::test {

struct PlainMixerOptions {
    Index channels = 0;
    Index length = 8;  ///< of the longest sequence

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("channels", sets.channels...);
        f("length", sets.length...);
    }
};

template <Real Scalar>
struct PlainMixerParameters {
    Matrix<Scalar> weight;  ///< length × length
    Vector<Scalar> gain;    ///< channels

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        f(ParameterName("weight"), sets.weight...);
        f(ParameterName("gain"), sets.gain...);
    }
};

/// y_i = gain ⊙ Σ_j weight_ij x_j: no Toeplitz matrix and no operator, and yet all that a layer asks for.
template <Real ScalarType>
class PlainMixer {
public:
    using Scalar = ScalarType;
    using Options = PlainMixerOptions;
    using Parameters = PlainMixerParameters<Scalar>;
    struct Cache {
        KeptSequences sequences;
    };

    explicit PlainMixer(const Options& options) : options_(options) {}

    static constexpr const char* architecture = "plain";
    static constexpr Causality causality() noexcept { return Causality::bidirectional; }
    Index channels() const noexcept { return options_.channels; }

    Parameters make_parameters(std::uint64_t seed = 0) const {
        const CounterRandom random(seed);
        std::uint64_t drawn = 0;
        const auto draw = [&] { return static_cast<Scalar>(random.normal(drawn++)); };
        return {Matrix<Scalar>::NullaryExpr(options_.length, options_.length, draw),
                Vector<Scalar>::NullaryExpr(options_.channels, draw)};
    }

    void forward(const Parameters& parameters, MatrixView<const Scalar> x, const Sequences& sequences,
                 MatrixView<Scalar> y, Cache& cache, Workspace&) const {
        const Sequences checked = sequences.within(x.rows(), 0, "PlainMixer");
        cache.sequences.keep(sequences, checked);
        mix(parameters, x, checked, y);
    }

    void backward(const Parameters& parameters, MatrixView<const Scalar> x, const Cache& cache,
                  MatrixView<const Scalar> g, MatrixView<Scalar> dx, Parameters& gradients,
                  Workspace&) const {
        dx.eigen().setZero();
        for_pairs(cache.sequences.get(), [&](Index first, Index i, Index j) {
            const Scalar weight = parameters.weight(i, j);
            const Scalar* gain = parameters.gain.data();
            Scalar* gain_gradient = gradients.gain.data();
            Scalar& weight_gradient = gradients.weight(i, j);
            for (Index c = 0; c < x.cols(); ++c) {
                const Scalar in = x(first + j, c);
                const Scalar out = g(first + i, c);
                dx(first + j, c) += gain[c] * weight * out;
                weight_gradient += gain[c] * in * out;
                gain_gradient[c] += weight * in * out;
            }
        });
    }

    class Prepared {
    public:
        void evaluate(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace&,
                      const Sequences& sequences = {}) const {
            mix(parameters_, x, sequences.within(x.rows(), length_, "PlainMixer"), y);
        }
        std::size_t required_workspace(Index /*batch*/ = 1) const { return 0; }
        std::size_t state_bytes() const {
            return static_cast<std::size_t>(parameter_count(parameters_)) * sizeof(Scalar);
        }

    private:
        friend PlainMixer;
        Prepared(const Parameters& parameters, Index length) : parameters_(parameters), length_(length) {}
        Parameters parameters_;
        Index length_;
    };

    Prepared prepare(const Parameters& parameters, Index length) const {
        return Prepared(parameters, length);
    }
    std::size_t required_workspace(Index /*batch*/, Index /*length*/) const { return 0; }

private:
    /// Calls f(first row of the sequence, i, j) for all pairs of valid time steps.
    template <class F>
    static void for_pairs(const Sequences& sequences, F&& f) {
        for (Index b = 0; b < sequences.batch(); ++b) {
            for (Index i = 0; i < sequences.valid(b); ++i) {
                for (Index j = 0; j < sequences.valid(b); ++j) f(sequences.row(b, 0), i, j);
            }
        }
    }

    static void mix(const Parameters& parameters, MatrixView<const Scalar> x, const Sequences& sequences,
                    MatrixView<Scalar> y) {
        y.eigen().setZero();
        for_pairs(sequences, [&](Index first, Index i, Index j) {
            const Scalar weight = parameters.weight(i, j);
            const Scalar* gain = parameters.gain.data();
            for (Index c = 0; c < x.cols(); ++c) y(first + i, c) += gain[c] * weight * x(first + j, c);
        });
    }

    Options options_;
};

static_assert(TokenMixer<PlainMixer<double>>);

/// The members of a module, out of line. Defined for the types below.
template <class Module>
struct Calls {
    using Scalar = typename Module::Scalar;
    using Parameters = typename Module::Parameters;
    using Cache = typename Module::Cache;
    using Prepared = typename Module::Prepared;
    using View = MatrixView<const Scalar>;

    static Parameters make_parameters(const Module& module, std::uint64_t seed);
    static void forward(const Module& module, const Parameters& parameters, View x,
                        const Sequences& sequences, MatrixView<Scalar> y, Cache& cache, Workspace& ws,
                        std::uint64_t dropout_seed = 0);
    static void backward(const Module& module, const Parameters& parameters, View x, const Cache& cache,
                         View g, MatrixView<Scalar> dx, Parameters& gradients, Workspace& ws);
    static Prepared prepare(const Module& module, const Parameters& parameters, Index length,
                            WeightFormat weights = WeightFormat::exact);
    static void evaluate(const Prepared& prepared, View x, MatrixView<Scalar> y, Workspace& ws,
                         Lengths lengths = {});
};

/// The same of a model.
template <class ModelType>
struct ModelCalls {
    using Scalar = typename ModelType::Scalar;
    using Inputs = typename ModelType::Inputs;
    using Parameters = typename ModelType::Parameters;
    using Cache = typename ModelType::Cache;
    using Prepared = typename ModelType::Prepared;

    static Parameters make_parameters(const ModelType& model, std::uint64_t seed);
    static void forward(const ModelType& model, const Parameters& parameters, Inputs inputs,
                        const Sequences& sequences, MatrixView<Scalar> outputs, Cache& cache, Workspace& ws,
                        std::uint64_t dropout_seed = 0);
    static void backward(const ModelType& model, const Parameters& parameters, Inputs inputs,
                         const Cache& cache, MatrixView<const Scalar> g, Parameters& gradients, Workspace& ws,
                         const FinishedGradients& finished = {});
    static Prepared prepare(const ModelType& model, const Parameters& parameters, Index length,
                            WeightFormat weights = WeightFormat::exact);
    static void evaluate(const Prepared& prepared, Inputs inputs, MatrixView<Scalar> outputs, Workspace& ws,
                         Lengths lengths = {});
};

/// Linear's members, compiled with the products of the other layers.
void evaluate(const Linear<double>& linear, const LinearParameters<double>& parameters,
              MatrixView<const double> x, MatrixView<double> y);
void backward(const Linear<double>& linear, const LinearParameters<double>& parameters,
              MatrixView<const double> x, MatrixView<const double> g, LinearParameters<double>& gradients,
              MatrixView<double> dx = {});

/// The members of a kernel, out of line. Element is that of its values; size is a length, or a grid.
template <class Kernel, class Element = double>
struct KernelCalls {
    using Parameters = typename Kernel::Parameters;
    using Cache = typename Kernel::Cache;
    static void evaluate(const Kernel& kernel, const Parameters& parameters, Index size,
                         MatrixView<Element> values, Workspace& ws);
    static void forward(const Kernel& kernel, const Parameters& parameters, Index size,
                        MatrixView<Element> values, Cache& cache, Workspace& ws);
    static void backward(const Kernel& kernel, const Parameters& parameters, const Cache& cache,
                         MatrixView<const Element> g, Parameters& gradients, Workspace& ws);
};
using PositionKernelCalls = KernelCalls<PositionKernel<double>>;
using TimeWarpCalls = KernelCalls<TimeWarp<double>>;
using CausalFrequencyCalls = KernelCalls<FrequencyKernel<double, Causality::causal>>;
using FrequencyCalls = KernelCalls<FrequencyKernel<double, Causality::bidirectional>, std::complex<double>>;

template <Causality kind>
using DoubleTno = Tno<double, kind>;
template <Causality kind>
using DoubleFdTno = FdTno<double, kind>;
template <Causality kind>
using DoubleSkiTno = SkiTno<double, kind>;
template <Causality kind>
using DoubleMlpSkiTno = SkiTno<double, kind, PositionKernel<double, kind>>;

/// Of mixers, at all lags.
Matrix<double> lags_of(const DoubleTno<Causality::bidirectional>& mixer,
                       const PositionKernelParameters<double>& parameters, Index length);
Matrix<double> lags_of(const DoubleFdTno<Causality::bidirectional>& mixer,
                       const FrequencyKernelParameters<double>& parameters, Index length);
Matrix<double> lags_of(const DoubleFdTno<Causality::causal>& mixer,
                       const FrequencyKernelParameters<double>& parameters, Index length);

/// Values of kernels without a mixer around them: at all lags of a length, and at any lags.
template <Causality kind>
Matrix<double> values_of(const PositionKernel<double, kind>& kernel,
                         const PositionKernelParameters<double>& parameters, Index length);
template <class Kernel>
Matrix<double> values_at(const Kernel& kernel, const typename Kernel::Parameters& parameters,
                         const Vector<double>& lags);
/// Real parts of the response, and then the imaginary ones where it is complex.
Matrix<double> response_of(const FrequencyKernel<double, Causality::causal>& kernel,
                           const FrequencyKernelParameters<double>& parameters, Index grid);
Matrix<double> response_of(const FrequencyKernel<double, Causality::bidirectional>& kernel,
                           const FrequencyKernelParameters<double>& parameters, Index grid);

template <class S>
using PlainGtu = Gtu<PlainMixer<S>>;
template <class S>
using PlainBlock = Block<PlainMixer<S>>;
using PlainBatchBlock = Block<PlainMixer<double>, BatchNorm<double>>;
template <class S>
using PlainModel = Model<PlainMixer<S>>;
using PlainFeatureModel = Model<PlainMixer<double>, RowNorm<double>, Linear<double>>;

using NormalizedTno = Normalized<Tno<double, Causality::bidirectional>>;

/// Parameters as a module starts with them.
template <class Module>
typename Module::Parameters start(const Module& module, std::uint64_t seed = 0) {
    return Calls<Module>::make_parameters(module, seed);
}

/// Everything that a training step computes.
template <class Module>
struct Step {
    Matrix<typename Module::Scalar> y;
    Matrix<typename Module::Scalar> dx;
    typename Module::Parameters gradients;
};

/// forward, then backward with the gradient g with respect to y.
template <class Module>
Step<Module> step(const Module& module, const typename Module::Parameters& parameters,
                  const Matrix<typename Module::Scalar>& x, const Sequences& sequences,
                  const Matrix<typename Module::Scalar>& g, std::uint64_t dropout_seed = 0) {
    Step<Module> result{g, x, zeros_like(parameters)};
    typename Module::Cache cache;
    Workspace ws;
    Calls<Module>::forward(module, parameters, x, sequences, result.y, cache, ws, dropout_seed);
    Calls<Module>::backward(module, parameters, x, cache, g, result.dx, result.gradients, ws);
    return result;
}

/// y of forward.
template <class Module>
Matrix<typename Module::Scalar> forward(const Module& module, const typename Module::Parameters& parameters,
                                        const Matrix<typename Module::Scalar>& x, const Sequences& sequences,
                                        std::uint64_t dropout_seed = 0) {
    Matrix<typename Module::Scalar> y(x.rows(), x.cols());
    typename Module::Cache cache;
    Workspace ws;
    Calls<Module>::forward(module, parameters, x, sequences, y, cache, ws, dropout_seed);
    return y;
}

/// y at inference.
template <class Module>
Matrix<typename Module::Scalar> evaluate(const Module& module, const typename Module::Parameters& parameters,
                                         const Matrix<typename Module::Scalar>& x,
                                         const Sequences& sequences) {
    Matrix<typename Module::Scalar> y(x.rows(), x.cols());
    Workspace ws;
    Calls<Module>::evaluate(Calls<Module>::prepare(module, parameters, sequences.length()), x, y, ws,
                            sequences.lengths());
    return y;
}

/// Moves parameters away from starts of 0 and 1, so that every gain and offset is seen.
template <ParameterSet P>
void shake(P& parameters, std::uint64_t seed) {
    const CounterRandom random(seed);
    std::uint64_t drawn = 0;
    for_each_parameter(
        [&](const ParameterName& name, auto& tensor) {
            if (name.is_buffer()) return;
            using S = typename std::remove_reference_t<decltype(tensor)>::Scalar;
            for (Index i = 0; i < tensor.size(); ++i) {
                tensor.data()[i] += static_cast<S>(random.uniform(drawn++, -0.3, 0.3));
            }
        },
        parameters);
}

/// Whether two sets hold the same numbers.
template <ParameterSet P>
bool equal(const P& a, const P& b) {
    bool same = true;
    for_each_parameter([&](const ParameterName&, const auto& x, const auto& y) { same = same && x == y; }, a,
                       b);
    return same;
}

}  // namespace toeplitz::test
