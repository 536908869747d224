// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Modules of this library from the configurations of the official ones.

#include <set>
#include <stdexcept>
#include <string>

#include <nlohmann/json.hpp>

#include <toeplitz/io/state_dict.hpp>
#include <toeplitz/nn/any_mixer.hpp>
#include <toeplitz/nn/block.hpp>
#include <toeplitz/nn/normalized.hpp>

namespace toeplitz::official {

/// An official option that this library does not have.
class Unsupported : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The options of an official module; those that a file leaves out have the official default.
class Config {
public:
    explicit Config(const std::string& json) : json_(nlohmann::json::parse(json)) {}

    template <class T>
    T get(const char* name, T standard) const {
        used_.insert(name);
        const auto found = json_.find(name);
        return found == json_.end() || found->is_null() ? standard : found->get<T>();
    }
    bool flag(const char* name, bool standard = false) const { return get<bool>(name, standard); }
    Index size(const char* name, Index standard = 0) const { return get<Index>(name, standard); }
    std::string text(const char* name, const char* standard) const {
        return get<std::string>(name, standard);
    }

    Activation activation(const char* name, const char* standard) const {
        const std::string value = text(name, standard);
        if (value == "relu") return Activation::relu;
        if (value == "silu") return Activation::silu;
        if (value == "gelu") return Activation::gelu;
        if (value == "sine") return Activation::sine;
        if (value == "sigmoid") return Activation::sigmoid;
        if (value == "leak") return Activation::leaky_relu;
        if (value == "elu") return Activation::elu;
        if (value == "1+elu") return Activation::elu_plus_one;
        if (value == "2+elu") return Activation::elu_plus_two;
        if (value == "exp") throw Unsupported(detail::text(name, " = ", value));
        return Activation::identity;  // what the official modules make of every other name
    }

    Norm norm() const {
        const std::string value = text("norm_type", "simplermsnorm");
        if (value == "simplermsnorm") return Norm::simple_rms;
        if (value == "rmsnorm") return Norm::rms;
        if (value == "scalenorm") return Norm::scale;
        if (value == "gatedrmsnorm") throw Unsupported(detail::text("norm_type = ", value));
        return Norm::layer;  // as the official modules
    }

    Causality causality() const { return flag("causal") ? Causality::causal : Causality::bidirectional; }

    /// Whether anybody has asked for this option.
    bool was_used(const std::string& name) const { return used_.count(name) != 0; }

private:
    nlohmann::json json_;
    mutable std::set<std::string> used_{};
};

/// Every official mixer.
template <Real Scalar>
using Mixer = AnyMixer<Scalar, Normalized<Tno<Scalar, Causality::bidirectional>>,
                       Normalized<Tno<Scalar, Causality::causal>>>;

inline PositionMlpOptions mlp_options(const Config& config, const char* prefix = "") {
    const std::string p(prefix);
    const auto name = [&](const char* plain) { return p + plain; };
    return {.width = p.empty() ? config.size("rpe_dim", 64) : config.size("rpe_embedding", 64),
            .layers = config.size(name("layers").c_str(), 3),
            .activation = config.activation(name("act").c_str(), "relu"),
            .norm = config.norm(),
            .residual = config.flag("residual") ? Residual::add : Residual::none,
            .bias = config.flag("bias", true) ? Bias::add : Bias::none};
}

/// The numbers of a tensor, or none where the file does not have it.
inline Vector<double> numbers(const TensorFile& file, const std::string& name) {
    const auto found = file.tensors.find(name);
    if (found == file.tensors.end()) return {};
    Vector<double> values(found->second.size());
    found->second.copy_to(std::span(values.data(), static_cast<std::size_t>(values.size())));
    return values;
}

/// λ: official decays are a buffer `gamma` of the file, one number per channel, or learned.
inline DecayOptions decay_options(const Config& config, const TensorFile& file, const std::string& prefix) {
    const double lambda = config.get<double>("gamma", 0.999);
    if (config.flag("use_multi_decay")) return {.mode = DecayMode::learned, .lambda = lambda};
    if (!config.flag("use_decay")) return {.mode = DecayMode::none};
    return {.mode = DecayMode::fixed, .lambda = lambda, .per_channel = numbers(file, prefix + "gamma")};
}

/// \param type "tno", "tno_fd", "skitno" or "skitno_inv_time"
/// \param rpe_prefix before the options of the perceptron: "" in a mixer's own file, "rpe_" in a layer's
/// \param prefix of the mixer's tensors
template <Real Scalar>
typename Mixer<Scalar>::Options mixer_options(const std::string& type, const Config& config,
                                              const TensorFile& file, const char* rpe_prefix,
                                              const std::string& prefix, Index heads, Index length) {
    using Any = Mixer<Scalar>;
    constexpr auto causal = Causality::causal;
    constexpr auto both = Causality::bidirectional;
    const bool is_causal = config.flag("causal");
    if (type == "tno") {
        const Index par_type = config.size("par_type", 1);
        if (par_type != 1 && par_type != 2) throw Unsupported(detail::text("par_type = ", par_type));
        const TnoOptions own{.mlp = mlp_options(config, rpe_prefix),
                             .decay = decay_options(config, file, prefix),
                             .positions = par_type == 2 ? Positions::normalized : Positions::lags,
                             .activation = config.activation("act_type", "none")};
        if (config.flag("normalize")) {
            return is_causal ? Any::template options<Normalized<Tno<Scalar, causal>>>(own)
                             : Any::template options<Normalized<Tno<Scalar, both>>>(own);
        }
        return is_causal ? Any::template options<Tno<Scalar, causal>>(own)
                         : Any::template options<Tno<Scalar, both>>(own);
    }
    if (config.flag("normalize")) throw Unsupported("normalize of " + type);
    if (type == "tno_fd") {
        const FdTnoOptions own{.mlp = mlp_options(config, rpe_prefix),
                               .input = FrequencyInput::angle,
                               .grid = FrequencyGrid::power_of_two,
                               .heads = heads,
                               .scale = {},
                               .pole = {}};
        return is_causal ? Any::template options<FdTno<Scalar, causal>>(own)
                         : Any::template options<FdTno<Scalar, both>>(own);
    }
    const auto fill = [&](auto& own, Index rank) {
        const auto taps = file.tensors.find(prefix + "conv_kernel");
        own.length = length;
        own.rank = rank;
        own.taps = taps == file.tensors.end() ? 0 : taps->second.shape.back();
    };
    const double lambda = config.get<double>("gamma", 0.999);
    if (type == "skitno_inv_time") {
        const auto alphas = file.tensors.find(prefix + "alphas");
        const Index rank = alphas == file.tensors.end() ? config.size("r", 64) : alphas->second.shape.back();
        SkiTnoOptions<> own;
        fill(own, config.size("r", rank));
        own.kernel = {.knots = rank, .decay = {.lambda = lambda}};
        return is_causal ? Any::template options<SkiTno<Scalar, causal>>(own)
                         : Any::template options<SkiTno<Scalar, both>>(own);
    }
    if (type == "skitno") {
        SkiTnoOptions<PositionKernelOptions> own;
        const Vector<double> inducing = numbers(file, prefix + "inducing");
        fill(own, config.size("r", inducing.size() == 0 ? 64 : inducing.size()));
        own.kernel = {.mlp = mlp_options(config, rpe_prefix), .decay = {.mode = DecayMode::none}};
        own.decay = {.mode = DecayMode::fixed, .lambda = lambda};
        return is_causal ? Any::template options<SkiTno<Scalar, causal, PositionKernel<Scalar, causal>>>(own)
                         : Any::template options<SkiTno<Scalar, both, PositionKernel<Scalar, both>>>(own);
    }
    throw Unsupported("tno_type = " + type);
}

/// \param prefix of the unit's tensors
template <Real Scalar>
GtuOptions<Mixer<Scalar>> gtu_options(const Config& config, const TensorFile& file, const std::string& prefix,
                                      Index heads, Index length) {
    GtuOptions<Mixer<Scalar>> options;
    const auto& shape = file.at(prefix + "v_proj.weight").shape;
    options.inner_width = shape.at(0);
    options.width = shape.at(1);
    options.activation = config.activation("act_fun", "silu");
    options.bias = config.flag("bias", true) ? Bias::add : Bias::none;
    if (config.flag("use_norm")) options.norm = config.norm();
    options.mixer = mixer_options<Scalar>(config.text("tno_type", "tno"), config, file, "rpe_",
                                          prefix + "toep.", heads, length);
    return options;
}

/// \param prefix of the layer's tensors
template <Real Scalar>
typename Block<Mixer<Scalar>>::Options block_options(const Config& config, const TensorFile& file,
                                                     const std::string& prefix, Index length) {
    typename Block<Mixer<Scalar>>::Options options;
    options.gtu =
        gtu_options<Scalar>(config, file, prefix + "self_attn.gtu.", config.size("heads", 1), length);
    options.width = options.gtu.width;
    options.glu = {.inner_width = file.at(prefix + "glu.l1.weight").shape.at(0),
                   .activation = config.activation("glu_act", "silu"),
                   .final_activation = config.activation("fina_act", "None"),
                   .bias = file.tensors.count(prefix + "glu.l1.bias") != 0 ? Bias::add : Bias::none};
    options.norm.norm = config.norm();
    if (!config.flag("normalize_before", true)) options.placement = NormPlacement::post;
    return options;
}

/// Names under `prefix` that official modules save and this library has as options.
inline StateDictOptions state_dict(const std::string& prefix, bool learned_decay) {
    StateDictOptions options{.prefix = prefix, .ignorable = {"inducing", "slopes"}};
    if (!learned_decay) options.ignorable.emplace_back("gamma");
    return options;
}

}  // namespace toeplitz::official
