// SPDX-License-Identifier: MIT
/// \file
/// Gradients of every module with respect to every parameter and input.

#include <functional>

#include <gtest/gtest.h>

#include <support/gradient_check.hpp>
#include <support/nn.hpp>
#include <support/random.hpp>

namespace toeplitz::test {
namespace {

constexpr auto causal = Causality::causal;
constexpr auto both = Causality::bidirectional;

/// One type for all losses: the comparison with differences is compiled once.
using Loss = std::function<double()>;

constexpr Index length = 7;
const std::vector<Index> some_lengths = {7, 0, 4};
constexpr std::uint64_t dropout_seed = 9;

/// The loss is ⟨g, y⟩.
template <class Module>
void expect_gradients(const Module& module, Index channels, std::uint64_t seed = 1) {
    auto parameters = start(module, seed);
    shake(parameters, seed + 1);
    for (const Lengths lengths : {Lengths(), Lengths(some_lengths)}) {
        SCOPED_TRACE(lengths.empty() ? "no lengths" : "lengths");
        const Sequences sequences{length, lengths};
        Matrix<double> x = random_matrix<double>(3 * length, channels, seed + 2);
        const Matrix<double> g = random_matrix<double>(3 * length, channels, seed + 3);
        const auto result = step(module, parameters, x, sequences, g, dropout_seed);
        typename Module::Cache cache;
        Workspace ws;
        Matrix<double> y(x.rows(), x.cols());
        const Loss loss = [&] {
            Calls<Module>::forward(module, parameters, x, sequences, y, cache, ws, dropout_seed);
            double sum = 0;
            for (Index i = 0; i < y.size(); ++i) sum += y.data()[i] * g.data()[i];
            return sum;
        };
        expect_gradient(x, result.dx, "x", loss);
        expect_parameter_gradients(parameters, result.gradients, loss);
    }
}

constexpr Norm row_norms[] = {Norm::simple_rms, Norm::rms, Norm::scale, Norm::layer};

TEST(RowNormGradientTest, AgreesWithDifferences) {
    for (const Norm norm : row_norms) expect_gradients(RowNorm<double>({.channels = 5, .norm = norm}), 5);
    for (const Index measured : {2, 5}) {
        expect_gradients(
            RowNorm<double>({.channels = 5, .norm = Norm::rms, .bias = Bias::add, .measured = measured}), 5);
        expect_gradients(RowNorm<double>({.channels = 5, .norm = Norm::simple_rms, .measured = measured}), 5);
    }
}

TEST(BatchNormGradientTest, AgreesWithDifferences) {
    expect_gradients(BatchNorm<double>({.channels = 3}), 3);
}

template <class Mixer>
void expect_mixer_gradients(typename Mixer::Options options) {
    options.channels = 2;
    expect_gradients(Mixer(options), 2);
}

PositionMlpOptions small_mlp() { return {.width = 4, .layers = 1, .activation = Activation::silu}; }

TEST(TnoGradientTest, AgreesWithDifferences) {
    for (const DecayMode mode : {DecayMode::none, DecayMode::fixed, DecayMode::learned}) {
        for (const Activation activation : {Activation::identity, Activation::silu}) {
            const TnoOptions options{
                .mlp = small_mlp(), .decay = {.mode = mode, .lambda = 0.8}, .activation = activation};
            expect_mixer_gradients<DoubleTno<causal>>(options);
            expect_mixer_gradients<DoubleTno<both>>(options);
        }
    }
    expect_mixer_gradients<DoubleTno<both>>({.mlp = small_mlp(), .positions = Positions::normalized});
}

TEST(FdTnoGradientTest, AgreesWithDifferences) {
    for (const FrequencyInput input : {FrequencyInput::cosine_and_log, FrequencyInput::angle}) {
        FdTnoOptions options{.mlp = small_mlp(), .input = input, .grid = FrequencyGrid::power_of_two};
        expect_mixer_gradients<DoubleFdTno<causal>>(options);
        options.heads = 2;
        expect_mixer_gradients<DoubleFdTno<both>>(options);
    }
}

TEST(SkiTnoGradientTest, AgreesWithDifferences) {
    for (const Index rank : {1, 3, 20}) {
        for (const Index taps : {0, 3, 9}) {
            SCOPED_TRACE(testing::Message() << "rank " << rank << ", taps " << taps);
            TimeWarpOptions warp;
            warp.knots = 3;
            warp.decay = {.mode = DecayMode::learned, .lambda = 0.6};
            expect_mixer_gradients<DoubleSkiTno<causal>>(
                {.length = length, .rank = rank, .taps = taps, .kernel = warp});
            expect_mixer_gradients<DoubleSkiTno<both>>(
                {.length = length, .rank = rank, .taps = taps, .kernel = warp});
            PositionKernelOptions position;
            position.mlp = small_mlp();
            position.decay = {.mode = DecayMode::learned, .lambda = 0.6};
            const DecayOptions decay{.mode = DecayMode::fixed, .lambda = 0.7};
            expect_mixer_gradients<DoubleMlpSkiTno<causal>>(
                {.length = length, .rank = rank, .taps = taps, .kernel = position, .decay = decay});
            expect_mixer_gradients<DoubleMlpSkiTno<both>>(
                {.length = length, .rank = rank, .taps = taps, .kernel = position, .decay = decay});
        }
    }
}

TEST(StateSpaceTnoGradientTest, AgreesWithDifferences) {
    for (const Index modes : {1, 5}) {
        expect_mixer_gradients<StateSpaceTno<double>>({.modes = modes, .taps = modes});
    }
}

TEST(StateSpaceTnoGradientTest, AgreesWithDifferencesOutsideTheUnitCircle) {
    const ModalKernel<double> kernel({.channels = 1, .modes = 2});
    auto parameters = kernel.make_parameters(1);
    parameters.poles << 1.5, -2, -1.25, 0;
    Matrix<std::complex<double>> poles(2, 1);
    Matrix<std::complex<double>> residues(2, 1);
    Matrix<double> direct(1, 1);
    Workspace ws;
    // The loss is Re conj(g) λ of the poles that count.
    const std::complex<double> g[] = {{0.5, -1.5}, {2, 0.25}};
    const Loss loss = [&] {
        kernel.evaluate(parameters, 1, {poles, residues, direct}, ws);
        return (std::conj(g[0]) * poles(0, 0) + std::conj(g[1]) * poles(1, 0)).real();
    };
    Matrix<std::complex<double>> dpoles(2, 1);
    dpoles << g[0], g[1];
    residues.setZero();
    direct.setZero();
    auto gradients = zeros_like(parameters);
    kernel.backward(parameters, {}, {dpoles, residues, direct}, gradients, ws);
    expect_parameter_gradients(parameters, gradients, loss);
    EXPECT_GT(gradients.poles.norm(), 0.1);

    // They add up.
    residues = dpoles;
    direct.setConstant(3);
    auto once = zeros_like(parameters);
    auto twice = once;
    kernel.backward(parameters, {}, {dpoles, residues, direct}, once, ws);
    for (int i = 0; i < 2; ++i) kernel.backward(parameters, {}, {dpoles, residues, direct}, twice, ws);
    for_each_parameter(
        [](const ParameterName& name, const auto& sum, const auto& part) {
            EXPECT_EQ(sum, 2 * part) << name.text();
            EXPECT_GT(part.norm(), 0.1) << name.text();
        },
        twice, once);
}

TEST(NormalizedGradientTest, AgreesWithDifferences) {
    expect_mixer_gradients<NormalizedTno>({.mlp = small_mlp(), .activation = Activation::elu_plus_one});
}

TEST(GtuGradientTest, AgreesWithDifferences) {
    for (const Activation activation : {Activation::silu, Activation::gelu, Activation::sigmoid}) {
        expect_gradients(PlainGtu<double>({.width = 3, .inner_width = 4, .activation = activation}), 3);
    }
    expect_gradients(PlainGtu<double>({.width = 3, .inner_width = 4, .bias = Bias::none}), 3);
    for (const Norm norm : row_norms) {
        expect_gradients(PlainGtu<double>({.width = 3, .inner_width = 4, .norm = norm}), 3);
    }
}

TEST(GluGradientTest, AgreesWithDifferences) {
    for (const Activation last : {Activation::identity, Activation::silu, Activation::elu}) {
        for (const Bias bias : {Bias::none, Bias::add}) {
            expect_gradients(
                Glu<double>({.width = 3, .inner_width = 4, .final_activation = last, .bias = bias}), 3);
        }
    }
}

template <class Layer>
typename Layer::Options small_block(NormPlacement placement, double dropout) {
    typename Layer::Options options;
    options.width = 3;
    options.gtu.inner_width = 4;
    options.glu.inner_width = 2;
    options.placement = placement;
    options.dropout = dropout;
    return options;
}

TEST(BlockGradientTest, AgreesWithDifferences) {
    for (const NormPlacement placement : {NormPlacement::pre, NormPlacement::post}) {
        for (const double dropout : {0.0, 0.4}) {
            for (const Norm norm : {Norm::rms, Norm::layer}) {
                auto options = small_block<PlainBlock<double>>(placement, dropout);
                options.norm.norm = norm;
                expect_gradients(PlainBlock<double>(options), 3);
            }
            expect_gradients(PlainBatchBlock(small_block<PlainBatchBlock>(placement, dropout)), 3);
        }
    }
}

/// Every parameter of a model; inputs are tokens, or features whose gradient nobody asks for.
template <class Net, class Inputs>
void expect_model_gradients(typename Net::Options options, const Inputs& inputs) {
    options.width = 4;
    options.layers = 2;
    options.block = small_block<typename Net::BlockType>(NormPlacement::pre, options.dropout);
    options.block.norm.norm = Norm::rms;
    const Net net(options);
    auto parameters = ModelCalls<Net>::make_parameters(net, 1);
    shake(parameters, 2);
    // Rows of one small number are where row_norms vary faster than differences can follow.
    for (Index i = 0; i < parameters.embed.weight.size(); ++i) {
        double& weight = parameters.embed.weight.data()[i];
        weight += std::copysign(1, weight);
    }
    for (const Lengths lengths : {Lengths(), Lengths(some_lengths)}) {
        const Sequences sequences{length, lengths};
        const Index rows = net.output_rows(3 * length, length);
        const Matrix<double> g = random_matrix<double>(rows, net.outputs(), 3);
        Matrix<double> y(rows, net.outputs());
        typename Net::Cache cache;
        Workspace ws;
        const Loss loss = [&] {
            ModelCalls<Net>::forward(net, parameters, inputs, sequences, y, cache, ws, dropout_seed);
            double sum = 0;
            for (Index i = 0; i < y.size(); ++i) sum += y.data()[i] * g.data()[i];
            return sum;
        };
        loss();
        auto gradients = zeros_like(parameters);
        ModelCalls<Net>::backward(net, parameters, inputs, cache, g, gradients, ws);
        expect_parameter_gradients(parameters, gradients, loss);
        // Gradients are added to.
        auto twice = gradients;
        loss();
        ModelCalls<Net>::backward(net, parameters, inputs, cache, g, twice, ws);
        for_each_parameter(
            [](const ParameterName& name, const auto& two, const auto& one) {
                for (Index i = 0; i < one.size(); ++i) {
                    EXPECT_NEAR(two.data()[i], 2 * one.data()[i], 1e-12 * (1 + std::abs(one.data()[i])))
                        << name.text();
                }
            },
            twice, gradients);
    }
}

TEST(ModelGradientTest, AgreesWithDifferences) {
    using Net = PlainModel<double>;
    std::vector<Token> tokens;
    for (Index i = 0; i < 3 * length; ++i) tokens.push_back(static_cast<Token>((i * i + 3 * i) % 5));
    for (const Head head : {Head::per_token, Head::mean_pool}) {
        for (const OutputWeights weights : {OutputWeights::separate, OutputWeights::tied}) {
            for (const FinalNorm norm : {FinalNorm::none, FinalNorm::add}) {
                Net::Options options{.input = {.vocabulary = 5}};
                options.head = head;
                options.output_weights = weights;
                options.final_norm = norm;
                options.dropout = norm == FinalNorm::none ? 0 : 0.3;
                expect_model_gradients<Net>(options, tokens);
            }
        }
    }
}

TEST(ModelGradientTest, AgreesWithDifferencesForFeatures) {
    PlainFeatureModel::Options options{.input = {.inputs = 2}, .outputs = 4};
    expect_model_gradients<PlainFeatureModel>(options, random_matrix<double>(3 * length, 2, 5));
}

}  // namespace
}  // namespace toeplitz::test
