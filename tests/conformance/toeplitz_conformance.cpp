// SPDX-License-Identifier: MIT
/// \file
/// Compares modules with the results of the official ones.
///
///     toeplitz-conformance FILE.safetensors...
///
/// A file holds a module's configuration, parameters, input x, upstream gradient g, output y and gradients.
/// The module is rebuilt from its configuration, run forward and backward in double, and every tensor of the
/// result is compared: `FILE TENSOR relative_error`. Exit status: 0 all within the tolerance, 1 not, 2 usage,
/// 3 an official option that this library does not have.

#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include <examples/program/official.hpp>
#include <toeplitz/nn/loss.hpp>
#include <toeplitz/nn/model.hpp>
#include <toeplitz/train/adamw.hpp>

namespace toeplitz::test {
namespace {

using namespace official;
using OfficialMixer = Mixer<double>;

constexpr double tolerance = 1e-10;
/// Of a training run: errors of one step feed the next.
constexpr double training_tolerance = 1e-9;

/// Time steps × channels: official sequences are b,h,n,d · b,n,e · n,b,e · rows,d.
class Layout {
public:
    Layout(const std::vector<Index>& shape, std::string name) : name_(std::move(name)) {
        if (name_ == "b,h,n,d" && shape.size() == 4) {
            batch_ = shape[0], heads_ = shape[1], length_ = shape[2], width_ = shape[3];
        } else if (name_ == "n,b,e" && shape.size() == 3) {
            length_ = shape[0], batch_ = shape[1], width_ = shape[2];
        } else if (shape.size() >= 2) {
            width_ = shape.back();
            length_ = shape[shape.size() - 2];
            for (std::size_t i = 0; i + 2 < shape.size(); ++i) batch_ *= shape[i];
        } else {
            throw std::runtime_error("a sequence with fewer than two dimensions");
        }
    }

    Index length() const { return length_; }

    Matrix<double> rows(const Vector<double>& values) const {
        Matrix<double> result(batch_ * length_, values.size() / (batch_ * length_));
        const Index d = result.cols() / heads_;
        for (Index b = 0; b < batch_; ++b) {
            for (Index h = 0; h < heads_; ++h) {
                for (Index i = 0; i < length_; ++i) {
                    Index from = (b * heads_ + h) * length_ + i;
                    if (name_ == "n,b,e") from = i * batch_ + b;
                    result.block(b * length_ + i, h * d, 1, d) = values.segment(from * d, d).transpose();
                }
            }
        }
        return result;
    }

private:
    std::string name_;
    Index batch_ = 1;
    Index heads_ = 1;
    Index length_ = 0;
    Index width_ = 0;
};

/// One file and what became of it.
class Case {
public:
    Case(std::string path, TensorFile file)
        : path_(std::move(path)), file_(std::move(file)), config_(metadata("config")) {}

    const TensorFile& file() const { return file_; }
    const Config& config() const { return config_; }
    std::string metadata(const char* name) const {
        const auto found = file_.metadata.find(name);
        return found == file_.metadata.end() ? "" : found->second;
    }
    Vector<double> tensor(const std::string& name) const {
        if (file_.tensors.count(name) == 0) throw std::runtime_error("no tensor " + name);
        return numbers(file_, name);
    }
    Layout layout() const { return {file_.at("x").shape, metadata("x_layout")}; }

    /// Prints and judges the error of a result; norms of gradients are at least `floor`.
    template <class A, class B>
    void compare(const std::string& name, const A& actual, const B& expected, double floor = 0,
                 double allowed = tolerance) {
        compared_.insert(name);
        double error = std::numeric_limits<double>::infinity();
        if (actual.size() == expected.size()) {
            const double difference = (actual - expected).norm();
            const double scale = std::max(expected.norm(), floor);
            error = difference == 0 ? 0 : difference / scale;
        }
        report(name, error, allowed);
    }
    void compare_sequence(const std::string& name, const Matrix<double>& actual, double floor = 0) {
        compare(name, actual, layout().rows(tensor(name)), floor);
    }

    /// Compares the gradients of a parameter set, and that of x where the file has one.
    template <ParameterSet P>
    void compare_gradients(const P& gradients, const Matrix<double>* dx) {
        // Gradients that cancel to nothing have no relative error: they count by the upstream gradient.
        const double floor = gradient_floor * tensor("g").norm();
        if (dx != nullptr && has("grad.x")) compare_sequence("grad.x", *dx, floor);
        for_each_parameter(
            [&](const ParameterName& name, const auto& gradient) {
                const std::string full = "grad." + name.text();
                if (!has(full)) return;  // not differentiated there
                const Vector<double> flat =
                    Eigen::Map<const Vector<double>>(gradient.data(), gradient.size());
                compare(full, flat, tensor(full), floor);
            },
            gradients);
    }

    /// Results of the file that nothing was compared with are failures.
    void finish() {
        for (const auto& [name, stored] : file_.tensors) {
            const bool result = name == "y" || name == "loss" || name.starts_with("grad.");
            if (result && compared_.count(name) == 0) {
                report(name, std::numeric_limits<double>::infinity(), tolerance);
            }
        }
    }

    int count() const { return count_; }
    int failures() const { return failures_; }
    double worst() const { return worst_; }

private:
    static constexpr double gradient_floor = 1e-6;

    bool has(const std::string& name) const { return file_.tensors.count(name) != 0; }
    void report(const std::string& name, double error, double allowed) {
        std::printf("%s %s %.3e\n", path_.c_str(), name.c_str(), error);
        ++count_;
        if (!(error <= allowed)) ++failures_;
        if (!(error <= worst_)) worst_ = error;
    }

    std::string path_;
    TensorFile file_;
    Config config_;
    std::set<std::string> compared_;
    int count_ = 0;
    int failures_ = 0;
    double worst_ = 0;
};

/// Runs a module with the contract of nn: forward, backward.
template <class Module>
void run_module(Case& c, const Module& module, bool learned_decay = true) {
    auto parameters = module.make_parameters();
    StateDictOptions names = state_dict("", learned_decay);
    // The file's own tensors beside the parameters.
    for (const auto& [name, stored] : c.file().tensors) {
        if (name == "x" || name == "y" || name == "g" || name.starts_with("grad.")) {
            names.ignorable.push_back(name);
        }
    }
    load_parameters(c.file(), parameters, names);
    const Layout layout = c.layout();
    const Matrix<double> x = layout.rows(c.tensor("x"));
    const Matrix<double> g = layout.rows(c.tensor("g"));
    const Sequences sequences{layout.length()};
    Matrix<double> y(g.rows(), g.cols());
    typename Module::Cache cache;
    Workspace ws;
    module.forward(parameters, x, sequences, y, cache, ws);
    c.compare_sequence("y", y);
    auto gradients = zeros_like(parameters);
    Matrix<double> dx(x.rows(), x.cols());
    module.backward(parameters, x, cache, g, dx, gradients, ws);
    c.compare_gradients(gradients, &dx);
}

/// A perceptron, or a kernel at given positions, with the contract of nn.
template <class Kernel>
struct AtPositions {
    using Cache = typename Kernel::Cache;
    Kernel kernel;

    auto make_parameters() const { return kernel.make_parameters(); }
    template <class P>
    void forward(const P& parameters, MatrixView<const double> x, const Sequences&, MatrixView<double> y,
                 Cache& cache, Workspace& ws) const {
        if constexpr (requires { kernel.evaluate(parameters, x, y, ws, &cache); }) {
            kernel.evaluate(parameters, x, y, ws, &cache);
        } else {
            kernel.evaluate(parameters, x, y, ws, &cache);
        }
    }
    template <class P>
    void backward(const P& parameters, MatrixView<const double>, const Cache& cache,
                  MatrixView<const double> g, MatrixView<double> dx, P& gradients, Workspace& ws) const {
        if constexpr (requires { kernel.evaluate(parameters, g, dx, ws, &cache); }) {
            kernel.backward(parameters, cache, g, gradients, ws);
        } else {
            kernel.backward(parameters, cache, g, dx, gradients, ws);
        }
    }
};

struct ConvKernel {
    Matrix<double> conv_kernel;
    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        f(ParameterName("conv_kernel"), sets.conv_kernel...);
    }
};

void run_rpe(Case& c) {
    const Config& config = c.config();
    PositionMlpOptions options = mlp_options(config);
    options.channels = config.size("outdim");
    options.width = config.size("dim");
    run_module(c, AtPositions<PositionMlp<double>>{PositionMlp<double>(options)});
}

template <Causality kind>
void run_time_warp_of(Case& c) {
    const Config& config = c.config();
    const Index channels = config.size("h", 1) * config.size("dim");
    const TimeWarp<double, kind> warp({.channels = channels,
                                       .knots = config.size("r"),
                                       .decay = {.lambda = config.get<double>("gamma", 0.999)}});
    // The file also holds the band of the module, which is not used here.
    auto parameters = warp.make_parameters();
    StateDictOptions names = state_dict("", false);
    for (const char* other : {"x", "y", "g", "conv_kernel", "grad.alphas", "grad.betas"}) {
        names.ignorable.emplace_back(other);
    }
    load_parameters(c.file(), parameters, names);
    const Matrix<double> x = c.layout().rows(c.tensor("x"));
    const Matrix<double> g = c.layout().rows(c.tensor("g"));
    Matrix<double> y(g.rows(), g.cols());
    TimeWarpCache<double> cache;
    Workspace ws;
    warp.evaluate(parameters, x, y, ws, &cache);
    c.compare_sequence("y", y);
    auto gradients = zeros_like(parameters);
    warp.backward(parameters, cache, g, gradients, ws);
    c.compare_gradients(gradients, nullptr);
}

void run_time_warp(Case& c) {
    c.config().causality() == Causality::causal ? run_time_warp_of<Causality::causal>(c)
                                                : run_time_warp_of<Causality::bidirectional>(c);
}

/// The short convolution alone: column j of the file is lag (m−1)/2 − j.
void run_band(Case& c) {
    const Layout layout = c.layout();
    const auto& stored = c.file().at("conv_kernel");
    const Index taps = stored.shape.back();
    const Index channels = stored.size() / taps;
    const Vector<double> values = c.tensor("conv_kernel");
    const Matrix<double> kernel =
        Eigen::Map<const Matrix<double>>(values.data(), channels, taps).rowwise().reverse().transpose();
    const Band<double> band({.length = layout.length(), .channels = channels, .taps = taps}, kernel);
    const Matrix<double> x = layout.rows(c.tensor("x"));
    const Matrix<double> g = layout.rows(c.tensor("g"));
    Matrix<double> y(x.rows(), channels);
    Matrix<double> dx(x.rows(), channels);
    Matrix<double> dkernel = Matrix<double>::Zero(taps, channels);
    Workspace ws;
    band.apply(x, y, ws);
    c.compare_sequence("y", y);
    band.apply_adjoint(g, dx, ws);
    band.accumulate_kernel_gradient(x, g, dkernel, ws);
    c.compare_gradients(ConvKernel{dkernel.transpose().rowwise().reverse()}, &dx);
}

void run_norm(Case& c, Norm norm) {
    const Config& config = c.config();
    const Index d = config.size("d");
    const double p = config.get<double>("p", -1);
    const Index measured = p < 0 || p > 1 ? d : static_cast<Index>(static_cast<double>(d) * p);
    run_module(c, RowNorm<double>({.channels = d,
                                   .norm = norm,
                                   .bias = config.flag("bias") ? Bias::add : Bias::none,
                                   .measured = measured}));
}

void run_glu(Case& c) {
    const Config& config = c.config();
    run_module(c, Glu<double>({.width = config.size("d1"),
                               .inner_width = config.size("d2"),
                               .activation = config.activation("act_fun", "silu"),
                               .final_activation = config.activation("fina_act", "None"),
                               .bias = config.flag("bias", true) ? Bias::add : Bias::none}));
}

OfficialMixer::Options own_mixer_options(const Case& c, const std::string& type, Index length) {
    OfficialMixer::Options options =
        mixer_options<double>(type, c.config(), c.file(), "", "", c.config().size("h", 1), length);
    options.channels = c.config().size("h", 1) * c.config().size("dim");
    return options;
}

void run_mixer(Case& c, const std::string& type) {
    const OfficialMixer mixer(own_mixer_options(c, type, c.layout().length()));
    run_module(c, mixer, c.config().flag("use_multi_decay"));
}

/// The official short names of causal mixers leave the option out.
void run_causal_mixer(Case& c, const std::string& type) {
    const Config& own = c.config();
    nlohmann::json json = nlohmann::json::parse(c.metadata("config"));
    json["causal"] = true;
    const Config config(json.dump());
    OfficialMixer::Options options =
        mixer_options<double>(type, config, c.file(), "", "", 1, c.layout().length());
    options.channels = own.size("h", 1) * own.size("dim");
    run_module(c, OfficialMixer(options), false);
}

void run_gtu(Case& c) {
    const GtuOptions<OfficialMixer> options =
        gtu_options<double>(c.config(), c.file(), "", c.config().size("num_heads", 1), c.layout().length());
    run_module(c, Gtu<OfficialMixer>(options), c.config().flag("use_multi_decay"));
}

using OfficialBlock = Block<OfficialMixer>;

void run_block(Case& c) {
    run_module(c, OfficialBlock(block_options<double>(c.config(), c.file(), "", c.layout().length())),
               c.config().flag("use_multi_decay"));
}

/// Fifty steps of AdamW on a small language model: the losses, and the parameters at the end.
void run_training(Case& c) {
    const Config& config = c.config();
    const auto& shape = c.file().at("tokens").shape;
    const Index rows = shape.at(0) * shape.at(1);
    const Sequences sequences{shape.at(1)};
    const auto read_tokens = [&](const char* name) {
        const Vector<double> values = c.tensor(name);  // stored as real numbers
        std::vector<Token> result(static_cast<std::size_t>(rows));
        std::transform(values.begin(), values.end(), result.begin(),
                       [](double value) { return static_cast<Token>(value); });
        return result;
    };
    const std::vector<Token> tokens = read_tokens("tokens");
    std::vector<Token> targets = read_tokens("targets");
    const Vector<double> mask = c.tensor("mask");
    for (Index i = 0; i < rows; ++i) {
        if (mask(i) == 0) targets[static_cast<std::size_t>(i)] = CrossEntropyOptions{}.ignore_index;
    }

    using Network = Model<OfficialMixer>;
    Network::Options options;
    options.input.vocabulary = config.size("vocab");
    options.width = config.size("d_model");
    options.layers = config.size("layers");
    options.block = block_options<double>(config, c.file(), "init.layers.0.", sequences.length());
    options.final_norm = c.file().tensors.count("init.norm.weight") != 0 ? FinalNorm::add : FinalNorm::none;
    const Network network(options);
    auto parameters = network.make_parameters();
    const bool learned_decay = config.flag("use_multi_decay");
    load_parameters(c.file(), parameters, state_dict("init.", learned_decay));

    auto gradients = zeros_like(parameters);
    auto state = make_adamw_state(parameters);
    const AdamWOptions adamw{.beta1 = config.get<double>("beta1", 0.9),
                             .beta2 = config.get<double>("beta2", 0.999),
                             .epsilon = config.get<double>("eps", 1e-8),
                             .weight_decay = config.get<double>("weight_decay", 0.01)};
    const Vector<double> expected = c.tensor("loss");
    Vector<double> losses(expected.size());
    Matrix<double> logits(rows, network.outputs());
    Network::Cache cache;
    Workspace ws;
    for (Index step = 0; step < losses.size(); ++step) {
        network.forward(parameters, tokens, sequences, logits, cache, ws);
        const CrossEntropyLoss loss = cross_entropy(logits, targets, logits, ws);
        losses(step) = loss.mean();
        if (step + 1 == losses.size()) break;
        set_zero(gradients);
        network.backward(parameters, tokens, cache, logits, gradients, ws);
        adamw_update(parameters, gradients, state, config.get<double>("lr", 1e-3), adamw,
                     1 / static_cast<double>(loss.count));
    }
    // Every step by itself: one that is off by much must not hide among the others.
    const double worst = ((losses - expected).array().abs() / expected.array().abs()).maxCoeff();
    c.compare("loss", Vector<double>::Constant(1, 1 + worst), Vector<double>::Ones(1), 0, training_tolerance);
    for_each_parameter(
        [&](const ParameterName& name, const auto& tensor) {
            const std::string full = "final." + name.text();
            c.compare(full, Eigen::Map<const Vector<double>>(tensor.data(), tensor.size()), c.tensor(full), 0,
                      training_tolerance);
        },
        parameters);
}

using Run = void (*)(Case&);
const std::map<std::string, Run> modules = {
    {"Rpe", run_rpe},
    {"Tno", [](Case& c) { run_mixer(c, "tno"); }},
    {"TnoFD", [](Case& c) { run_mixer(c, "tno_fd"); }},
    {"SKITnoInvTime.rpe", run_time_warp},
    {"SKITnoInvTime(causal)", [](Case& c) { run_causal_mixer(c, "skitno_inv_time"); }},
    {"SKITno(causal)", [](Case& c) { run_causal_mixer(c, "skitno"); }},
    {"Sltno.apply_sparse", run_band},
    {"SimpleRMSNorm", [](Case& c) { run_norm(c, Norm::simple_rms); }},
    {"RMSNorm", [](Case& c) { run_norm(c, Norm::rms); }},
    {"ScaleNorm", [](Case& c) { run_norm(c, Norm::scale); }},
    {"LayerNorm", [](Case& c) { run_norm(c, Norm::layer); }},
    {"GLU", run_glu},
    {"Gtu", run_gtu},
    {"LaxtnnEncoderLayer", run_block},
    {"LaxtnnDecoderLayer", run_block},
    {"TinyTNN", run_training},
};

int run(int count, char** paths) {
    int files = 0, failed_files = 0, unsupported = 0, tensors = 0, failures = 0;
    double worst = 0;
    for (int i = 0; i < count; ++i) {
        ++files;
        try {
            Case c(paths[i], read_safetensors(paths[i]));
            const auto module = modules.find(c.metadata("module"));
            if (module == modules.end()) {
                throw std::runtime_error("unknown module \"" + c.metadata("module") + "\"");
            }
            module->second(c);
            c.finish();
            tensors += c.count();
            failures += c.failures();
            if (c.failures() > 0) ++failed_files;
            worst = std::max(worst, c.worst());
        } catch (const Unsupported& option) {
            std::printf("%s unsupported %s\n", paths[i], option.what());
            ++unsupported;
        } catch (const std::exception& error) {
            std::printf("%s failed %s\n", paths[i], error.what());
            ++failed_files;
        }
    }
    std::printf("%d files, %d tensors, %d beyond %.0e, worst %.3e; %d files failed, %d unsupported\n", files,
                tensors, failures, tolerance, worst, failed_files, unsupported);
    if (failed_files > 0) return 1;
    return unsupported > 0 ? 3 : 0;
}

}  // namespace
}  // namespace toeplitz::test

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s FILE.safetensors...\n", argv[0]);
        return 2;
    }
    return toeplitz::test::run(argc - 1, argv + 1);
}
