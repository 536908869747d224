// SPDX-License-Identifier: MIT
/// \file
/// Kernels against golden vectors of the official modules: values, and gradients of every parameter.

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <support/safetensors.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/kernels/frequency_kernel.hpp>
#include <toeplitz/kernels/position_kernel.hpp>
#include <toeplitz/kernels/time_warp.hpp>

namespace toeplitz::test {
namespace {

/// Relative L2 errors: goldens are good to 4e-15, and a perceptron of L layers loses some units per layer.
template <class Scalar>
double tolerance(Index layers) {
    return static_cast<double>(unit<Scalar>) * static_cast<double>(24 * (layers + 2));
}

template <class A, class B>
void expect_close(const A& actual, const B& expected, double relative, const std::string& name) {
    ASSERT_EQ(actual.size(), expected.size()) << name;
    const double error = (actual.template cast<double>() - expected).norm();
    EXPECT_LE(error, relative * expected.norm()) << name;
}

template <class P>
void expect_gradients(const Golden& golden, const std::string& prefix, const P& gradients, double relative) {
    for_each_parameter(
        [&](const ParameterName& name, const auto& gradient) {
            const std::string full = prefix + name.text();
            const Matrix<double> expected = golden["grad." + full].matrix(gradient.cols());
            expect_close(gradient, expected, relative, full);
        },
        gradients);
}

Activation activation_of(const std::string& name) {
    if (name == "relu") return Activation::relu;
    if (name == "silu") return Activation::silu;
    if (name == "gelu") return Activation::gelu;
    if (name == "sine") return Activation::sine;
    if (name == "none") return Activation::identity;
    throw std::runtime_error("activation " + name);
}

Norm norm_of(const std::string& name) {
    if (name == "simplermsnorm") return Norm::simple_rms;
    if (name == "rmsnorm") return Norm::rms;
    if (name == "scalenorm") return Norm::scale;
    if (name == "layernorm") return Norm::layer;
    throw std::runtime_error("norm " + name);
}

PositionMlpOptions mlp_options(const Golden& golden, Index channels, const char* width) {
    return {.channels = channels,
            .width = golden.option<Index>(width),
            .layers = golden.option<Index>("layers"),
            .activation = activation_of(golden.option<std::string>("act")),
            .norm = norm_of(golden.option<std::string>("norm_type")),
            .residual = golden.option<bool>("residual") ? Residual::add : Residual::none,
            .bias = golden.option<bool>("bias") ? Bias::add : Bias::none};
}

template <class Scalar>
class KernelConformanceTest : public testing::Test {};

using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(KernelConformanceTest, Scalars, );

// ---------------------------------------------------------------------------------------------------- norms

TYPED_TEST(KernelConformanceTest, NormsAreTheOfficialOnes) {
    using Scalar = TypeParam;
    const std::pair<const char*, Norm> cases[] = {{"simplermsnorm", Norm::simple_rms},
                                                  {"simplermsnorm_small", Norm::simple_rms},
                                                  {"simplermsnorm_zero_row", Norm::simple_rms},
                                                  {"rmsnorm", Norm::rms},
                                                  {"scalenorm", Norm::scale},
                                                  {"layernorm", Norm::layer}};
    for (const auto& [name, norm] : cases) {
        SCOPED_TRACE(name);
        const Golden golden = read_golden(name);
        const Index d = golden.option<Index>("d");
        const Matrix<Scalar> x = golden["x"].matrix(d).template cast<Scalar>();
        const Matrix<Scalar> g = golden["g"].matrix(d).template cast<Scalar>();
        auto parameters = make_norm<Scalar>(norm, d);
        read_parameters(golden, "", parameters);
        Matrix<Scalar> y(x.rows(), d);
        normalize<Scalar>(norm, parameters, x, y);
        expect_close(y, golden["y"].matrix(d), tolerance<Scalar>(0), "y");
        auto gradients = zeros_like(parameters);
        Matrix<Scalar> dx(x.rows(), d);
        normalize_backward<Scalar>(norm, parameters, x, g, dx, gradients);
        for (Index i = 0; i < x.rows(); ++i) {
            // Row by row: gradients of tiny rows are larger by orders of magnitude.
            expect_close(dx.row(i), golden["grad.x"].matrix(d).row(i), tolerance<Scalar>(0), "x");
        }
        expect_gradients(golden, "", gradients, tolerance<Scalar>(0));
    }
}

// ---------------------------------------------------------------------------------------------------- Rpe

TYPED_TEST(KernelConformanceTest, PositionMlpIsTheOfficialRpe) {
    using Scalar = TypeParam;
    for (const char* name :
         {"rpe_freqgrid", "rpe_l0_gelu_layernorm", "rpe_l0_relu_simplermsnorm", "rpe_l0_silu_simplermsnorm",
          "rpe_l3_gelu_layernorm", "rpe_l3_gelu_simplermsnorm", "rpe_l3_relu_layernorm",
          "rpe_l3_relu_simplermsnorm", "rpe_l3_silu_layernorm", "rpe_l3_silu_simplermsnorm",
          "rpe_l6_gelu_layernorm", "rpe_l6_relu_simplermsnorm", "rpe_l6_silu_simplermsnorm", "rpe_residual",
          "rpe_rmsnorm_nobias", "rpe_scalenorm_sine"}) {
        SCOPED_TRACE(name);
        const Golden golden = read_golden(name);
        const PositionMlp<Scalar> mlp(mlp_options(golden, golden.option<Index>("outdim"), "dim"));
        auto parameters = mlp.make_parameters();
        read_parameters(golden, "", parameters);
        const Matrix<Scalar> x = golden["x"].matrix().template cast<Scalar>();
        const Matrix<Scalar> g = golden["g"].matrix().template cast<Scalar>();
        Matrix<Scalar> y(x.rows(), mlp.channels());
        Workspace ws;
        const double relative = tolerance<Scalar>(mlp.options().layers);
        mlp.evaluate(parameters, x, y, ws);
        expect_close(y, golden["y"].matrix(), relative, "y");
        PositionMlpCache<Scalar> cache;
        y.setZero();
        mlp.forward(parameters, x, y, cache, ws);
        expect_close(y, golden["y"].matrix(), relative, "y");
        auto gradients = zeros_like(parameters);
        Matrix<Scalar> dx(x.rows(), 1);
        mlp.backward(parameters, cache, g, gradients, ws, dx);
        // Gradients pass through every layer twice, and those of float cancel where norms turn features.
        expect_gradients(golden, "", gradients, 8 * relative);
        // Without bias a norm hides the position: its gradient is the rest of sums that cancel.
        const Matrix<double> expected = golden["grad.x"].matrix();
        EXPECT_LE((dx.template cast<double>() - expected).norm(),
                  8 * relative * (expected.norm() + golden["g"].matrix().norm()));
    }
}

// ---------------------------------------------------------------------------------------- inverse time warp

TYPED_TEST(KernelConformanceTest, TimeWarpIsTheOfficialOne) {
    using Scalar = TypeParam;
    for (const char* name : {"invtime_rpe_bi_n1_r3", "invtime_rpe_bi_n9_r4", "invtime_rpe_bi_n24_r8",
                             "invtime_rpe_bi_n40_r5", "invtime_rpe_causal_n17_r6"}) {
        SCOPED_TRACE(name);
        const Golden golden = read_golden(name);
        const bool causal = golden.option<bool>("causal");
        const Index channels = golden.option<Index>("h") * golden.option<Index>("dim");
        const TimeWarp<Scalar> warp({.channels = channels,
                                     .knots = golden.option<Index>("r"),
                                     .causality = causal ? Causality::causal : Causality::bidirectional,
                                     .decay = {.lambda = golden.option<double>("gamma")}});
        auto parameters = warp.make_parameters();
        read_parameters(golden, "", parameters);
        const Matrix<Scalar> x = golden["x"].matrix().template cast<Scalar>();
        const Matrix<Scalar> g = golden["g"].matrix().template cast<Scalar>();
        Matrix<Scalar> y(x.rows(), channels);
        TimeWarpCache<Scalar> cache;
        Workspace ws;
        warp.forward_at(parameters, x, y, cache, ws);
        // Fractions inherit the rounding of u = R λ^|t|: R units of a fraction at most.
        const double relative = tolerance<Scalar>(0) * static_cast<double>(warp.knots());
        expect_close(y, golden["y"].matrix(), relative, "y");
        auto gradients = zeros_like(parameters);
        warp.backward(parameters, cache, g, gradients, ws);
        expect_gradients(golden, "", gradients, relative);
    }
}

// ---------------------------------------------------------------------------- kernels inside their operators

/// Golden sequences are b × h × n × d; here one matrix of n × (h·d) per batch entry.
struct Sequences {
    Index length;
    std::vector<Matrix<double>> entries;
};

Sequences sequences(const GoldenTensor& tensor) {
    const Index batch = tensor.shape.at(0);
    const Index heads = tensor.shape.at(1);
    const Index n = tensor.shape.at(2);
    const Index d = tensor.shape.at(3);
    Sequences result{
        n, std::vector<Matrix<double>>(static_cast<std::size_t>(batch), Matrix<double>(n, heads * d))};
    std::size_t next = 0;
    for (auto& entry : result.entries) {
        for (Index h = 0; h < heads; ++h) {
            for (Index i = 0; i < n; ++i) {
                for (Index j = 0; j < d; ++j) entry(i, h * d + j) = tensor.values[next++];
            }
        }
    }
    return result;
}

/// y_i = Σ_j k(i−j) x_j against the golden output, and ∂⟨g, y⟩/∂k. Lags as in an operator's kernel.
Matrix<double> check_product(const Golden& golden, const Matrix<double>& lags, Causality causality,
                             double relative) {
    const Sequences x = sequences(golden["x"]);
    const Sequences y = sequences(golden["y"]);
    const Sequences g = sequences(golden["g"]);
    const Index first = first_lag_row(x.length, causality);
    Matrix<double> gradient = Matrix<double>::Zero(lags.rows(), lags.cols());
    for (std::size_t b = 0; b < x.entries.size(); ++b) {
        Matrix<double> product = Matrix<double>::Zero(x.length, lags.cols());
        for (Index i = 0; i < x.length; ++i) {
            for (Index j = 0; j < x.length; ++j) {
                const Index row = i - j + first;
                if (row < 0) continue;
                product.row(i).array() += lags.row(row).array() * x.entries[b].row(j).array();
                gradient.row(row).array() += g.entries[b].row(i).array() * x.entries[b].row(j).array();
            }
        }
        expect_close(product, y.entries[b], relative, "y");
    }
    return gradient;
}

TYPED_TEST(KernelConformanceTest, PositionKernelIsTheOfficialTnos) {
    using Scalar = TypeParam;
    for (const char* name :
         {"tno_bi_n2_h1_b1_decay", "tno_bi_n7_h1_b3_nodecay", "tno_bi_n12_h2_b1_decay",
          "tno_bi_n12_h2_b1_nodecay", "tno_bi_n31_h2_b3_decay", "tno_bi_n33_h1_b1_nodecay",
          "tno_bi_multidecay", "tno_bi_gelu_layernorm_par2", "tno_causal_n2_h1_b1_nodecay",
          "tno_causal_n7_h1_b3_decay", "tno_causal_n12_h2_b1_decay", "tno_causal_n12_h2_b1_nodecay",
          "tno_causal_n31_h2_b3_nodecay", "tno_causal_n33_h1_b1_decay", "tno_causal_multidecay",
          "tno_causal_gelu_layernorm_par2"}) {
        SCOPED_TRACE(name);
        const Golden golden = read_golden(name);
        const Index n = golden["x"].shape.at(2);
        const Index channels = golden.option<Index>("h") * golden.option<Index>("dim");
        const Causality causality =
            golden.option<bool>("causal") ? Causality::causal : Causality::bidirectional;
        DecayOptions decay{.mode = DecayMode::none, .lambda = golden.option<double>("gamma")};
        if (golden.option<bool>("use_decay")) decay.mode = DecayMode::fixed;
        if (golden.option<bool>("use_multi_decay")) decay.mode = DecayMode::learned;
        const PositionKernel<Scalar> kernel(
            {.causality = causality,
             .mlp = mlp_options(golden, channels, "rpe_dim"),
             .decay = decay,
             .positions = golden.option<Index>("par_type") == 2 ? Positions::normalized : Positions::lags});
        auto parameters = kernel.make_parameters();
        read_parameters(golden, "", parameters);
        Matrix<Scalar> values(lag_count(n, causality), channels);
        PositionKernelCache<Scalar> cache;
        Workspace ws;
        kernel.forward(parameters, n, values, cache, ws);

        // The official module may put an activation on top of the kernel.
        const Activation top = activation_of(golden.option<std::string>("act_type"));
        Matrix<double> lags = values.template cast<double>();
        activate<double>(top, lags);
        const double relative = 4 * tolerance<Scalar>(kernel.mlp().options().layers);
        Matrix<double> dlags = check_product(golden, lags, causality, relative);
        lags = values.template cast<double>();
        activate_backward<double>(top, lags, dlags);

        const Matrix<Scalar> g = dlags.template cast<Scalar>();
        auto gradients = zeros_like(parameters);
        kernel.backward(parameters, cache, g, gradients, ws);
        expect_gradients(golden, "", gradients, 4 * relative);
    }
}

/// Points of the official grid: the next power of two from 2n on.
Index official_grid(Index n) {
    Index grid = 2;
    while (grid < 2 * n) grid *= 2;
    return grid;
}

/// Between spectra A + iB at N/2+1 frequencies and lags, by definition. Lag t of a causal kernel is doubled
/// unless t = 0 or 2t = N.
struct FrequencyOracle {
    Index grid;
    Index length;
    Causality causality;

    double weight(Index k, Index t) const {
        const double spectrum = k == 0 || 2 * k == grid ? 1 : 2;
        const double lag = causality == Causality::causal && t != 0 && 2 * t != grid ? 2 : 1;
        return spectrum * lag / static_cast<double>(grid);
    }
    double angle(Index k, Index t) const {
        return 2 * std::numbers::pi * static_cast<double>(k * t) / static_cast<double>(grid);
    }

    Matrix<double> lags(const Matrix<std::complex<double>>& response) const {
        const Index first = first_lag_row(length, causality);
        Matrix<double> result = Matrix<double>::Zero(lag_count(length, causality), response.cols());
        for (Index row = 0; row < result.rows(); ++row) {
            const Index t = row - first;
            for (Index k = 0; k < response.rows(); ++k) {
                result.row(row) += weight(k, t) * (response.row(k) * std::polar(1.0, angle(k, t))).real();
            }
        }
        return result;
    }

    Matrix<std::complex<double>> adjoint(const Matrix<double>& dlags) const {
        const Index first = first_lag_row(length, causality);
        Matrix<std::complex<double>> result = Matrix<std::complex<double>>::Zero(grid / 2 + 1, dlags.cols());
        for (Index row = 0; row < dlags.rows(); ++row) {
            const Index t = row - first;
            for (Index k = 0; k < result.rows(); ++k) {
                result.row(k) += weight(k, t) * std::polar(1.0, -angle(k, t)) * dlags.row(row);
            }
        }
        return result;
    }
};

template <class Scalar, Causality kind>
void check_frequency_kernel(const char* name) {
    SCOPED_TRACE(name);
    const Golden golden = read_golden(name);
    const Index n = golden["x"].shape.at(2);
    const Index heads = golden.option<Index>("h");
    const Index channels = heads * golden.option<Index>("dim");
    const FrequencyKernel<Scalar, kind> kernel(
        {.mlp = mlp_options(golden, channels, "rpe_dim"), .input = FrequencyInput::angle, .heads = heads});
    auto parameters = kernel.make_parameters();
    read_parameters(golden, "", parameters);
    const FrequencyOracle oracle{official_grid(n), n, kind};
    using Response = typename FrequencyKernel<Scalar, kind>::Response;
    Matrix<Response> response(oracle.grid / 2 + 1, channels);
    FrequencyKernelCache<Scalar> cache;
    Workspace ws;
    kernel.forward(parameters, oracle.grid, response, cache, ws);
    const double relative = 4 * tolerance<Scalar>(kernel.mlp().options().layers);
    const Matrix<double> lags = oracle.lags(response.template cast<std::complex<double>>());
    const Matrix<std::complex<double>> dresponse =
        oracle.adjoint(check_product(golden, lags, kind, relative));
    Matrix<Response> g(response.rows(), channels);
    if constexpr (kind == Causality::causal) {
        g = dresponse.real().template cast<Scalar>();
    } else {
        g = dresponse.template cast<Response>();
    }
    auto gradients = zeros_like(parameters);
    kernel.backward(parameters, cache, g, gradients, ws);
    expect_gradients(golden, "", gradients, 8 * relative);
}

TYPED_TEST(KernelConformanceTest, CausalFrequencyKernelIsTheOfficialOne) {
    for (const char* name :
         {"tnofd_causal_n1_h1_b1_relu", "tnofd_causal_n2_h1_b3_silu", "tnofd_causal_n5_h2_b1_gelu",
          "tnofd_causal_n13_h2_b3_silu", "tnofd_causal_n16_h1_b2_relu", "tnofd_causal_n33_h1_b1_gelu",
          "tnofd_causal_n50_h2_b1_relu"}) {
        check_frequency_kernel<TypeParam, Causality::causal>(name);
    }
}

TYPED_TEST(KernelConformanceTest, BidirectionalFrequencyKernelIsTheOfficialOne) {
    for (const char* name : {"tnofd_bi_n1_h1_b1_relu", "tnofd_bi_n2_h1_b3_silu", "tnofd_bi_n5_h2_b1_gelu",
                             "tnofd_bi_n13_h2_b3_silu", "tnofd_bi_n16_h1_b2_relu", "tnofd_bi_n33_h1_b1_gelu",
                             "tnofd_bi_n50_h2_b1_relu"}) {
        check_frequency_kernel<TypeParam, Causality::bidirectional>(name);
    }
}

}  // namespace
}  // namespace toeplitz::test
