// SPDX-License-Identifier: MIT
// toeplitz certify: replaces every channel of a Toeplitz kernel by the cheapest band and low rank within a
// tolerance, and says how far it is from the kernel: a proven bound and an estimate of the error itself.
//
// FILE holds a tensor `lags` [2n−1, d], F32 or F64; row t+n−1 is lag t. Prints a line for each channel. --out
// takes, for channel c, the tensors `c.taps` [2b+1] (index b+q is lag q), `c.inducing` [2r−1] (index δ+r−1 is
// the value at lag δ(n−1)/(r−1)), `c.bound` [1], and the metadata `c.method`: band + W A Wᵀ is then within
// the bound of T in the 2-norm. A part that a method lacks has the shape [0]; `fft` is the exact product,
// with neither.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <toeplitz/approximation/choose.hpp>
#include <toeplitz/io/safetensors.hpp>

#include <examples/support/command_line.hpp>
#include <examples/support/cost_model_file.hpp>
#include <examples/support/lags_file.hpp>
#include <examples/support/parallel_for.hpp>
#include "command.hpp"

namespace program {
namespace {

using namespace toeplitz;

struct Settings {
    std::string file;
    std::string out{};
    std::string cost_model{};
    double tolerance = 0;
    bool relative = false;
};

/// Channels with the same taps and rank are products of one operator.
std::vector<std::vector<Index>> equal_shapes(const std::vector<Approximation<double>>& choices) {
    constexpr std::size_t most = 16;  // so that threads have something to share
    std::map<std::pair<Index, Index>, std::vector<std::vector<Index>>> by_shape;
    for (std::size_t c = 0; c < choices.size(); ++c) {
        const Approximation<double>& made = choices[c];
        if (made.method() == Method::fft) continue;
        auto& groups = by_shape[{made.tap_count(), made.rank()}];
        if (groups.empty() || groups.back().size() == most) groups.emplace_back();
        groups.back().push_back(static_cast<Index>(c));
    }
    std::vector<std::vector<Index>> all;
    for (auto& [shape, groups] : by_shape) all.insert(all.end(), groups.begin(), groups.end());
    return all;
}

/// ‖T − (band + W A Wᵀ)‖₂ of all channels by products, from below.
std::vector<double> estimate_errors(const Matrix<double>& lags,
                                    const std::vector<Approximation<double>>& choices) {
    const auto groups = equal_shapes(choices);
    std::vector<double> errors(choices.size());
    examples::parallel_for(static_cast<Index>(groups.size()), [&](Index g, int) {
        const std::vector<Index>& members = groups[static_cast<std::size_t>(g)];
        const auto gather = [&](auto&& column, Index rows) {
            Matrix<double> columns(rows, static_cast<Index>(members.size()));
            for (std::size_t j = 0; rows > 0 && j < members.size(); ++j) {
                columns.col(static_cast<Index>(j)) = column(members[j]);
            }
            return columns;
        };
        const auto approximation = [&](Index c) -> const auto& {
            return choices[static_cast<std::size_t>(c)];
        };
        const auto& shape = approximation(members[0]);
        const Matrix<double> kernel = gather([&](Index c) { return lags.col(c); }, lags.rows());
        Approximation<double> parts;
        parts.taps = gather([&](Index c) { return approximation(c).taps.col(0); }, shape.taps.rows());
        parts.inducing =
            gather([&](Index c) { return approximation(c).inducing.col(0); }, shape.inducing.rows());
        const Fft<double> exact({.length = (lags.rows() + 1) / 2, .channels = kernel.cols()}, kernel);
        const AnyOperator<double> op = parts.make_operator(exact.length());
        const Vector<double> norms = norm_estimate(Difference(exact, op));
        for (std::size_t j = 0; j < members.size(); ++j) {
            errors[static_cast<std::size_t>(members[j])] = norms(static_cast<Index>(j));
        }
    });
    return errors;
}

/// Numbers as a tensor of one dimension and of T.
template <class T>
StoredTensor vector_tensor(const Matrix<double>& column) {
    const Matrix<T> numbers = column.cast<T>();
    return make_tensor(std::span<const T>(numbers.data(), static_cast<std::size_t>(numbers.size())),
                       {numbers.size()});
}

/// Taps and inducing values have the element type of the lags.
TensorFile make_file(const std::vector<Approximation<double>>& choices, Dtype dtype) {
    const auto tensor = [&](const Matrix<double>& column) {
        return dtype == Dtype::f32 ? vector_tensor<float>(column) : vector_tensor<double>(column);
    };
    TensorFile file;
    for (std::size_t c = 0; c < choices.size(); ++c) {
        const std::string channel = std::to_string(c) + ".";
        const Approximation<double>& choice = choices[c];
        file.metadata[channel + "method"] = name(choice.method());
        file.tensors[channel + "bound"] = vector_tensor<double>(choice.bounds);
        if (choice.method() == Method::fft) continue;
        file.tensors[channel + "taps"] = tensor(choice.taps);
        file.tensors[channel + "inducing"] = tensor(choice.inducing);
    }
    return file;
}

/// The lags. \throws std::runtime_error for what is no kernel
Matrix<double> read_lags(const StoredTensor& lags, const std::string& path) {
    examples::require_lags(lags, path, "(2n-1, d)");
    const auto fail = [&](const std::string& why) { examples::refuse_lags(lags, path, why); };
    if (lags.shape[0] % 2 == 0) fail("the number of rows, 2n-1, is odd");
    if (lags.shape[1] == 0) fail("there is no channel");
    Matrix<double> values = lags.matrix<double>();
    for (Index i = 0; i < values.rows(); ++i) {
        for (Index c = 0; c < values.cols(); ++c) {
            if (toeplitz::detail::is_finite(values(i, c))) continue;
            fail("lag " + std::to_string(i - (values.rows() - 1) / 2) + " of channel " + std::to_string(c) +
                 " is not a finite number");
        }
    }
    return values;
}

Report certify(const Settings& settings) {
    const CostModel cost = examples::read_cost_model(settings.cost_model);
    const TensorFile file = read_safetensors(settings.file);
    const StoredTensor& stored = file.at("lags");
    const Matrix<double> lags = read_lags(stored, settings.file);
    const std::vector<Approximation<double>> choices =
        choose_each(lags, {.tolerance = settings.tolerance,
                           .kind = settings.relative ? ToleranceKind::relative : ToleranceKind::absolute,
                           .cost = cost,
                           .rounding = stored.dtype == Dtype::f32 ? Rounding::to_float : Rounding::none,
                           .most_modes = 0});
    const std::vector<double> errors = estimate_errors(lags, choices);
    if (!settings.out.empty()) write_safetensors(settings.out, make_file(choices, stored.dtype));
    Report report;
    report.text = "channel bound true_estimate taps r method cost_ratio\n";
    Json channels = Json::array();
    for (std::size_t c = 0; c < choices.size(); ++c) {
        const Approximation<double>& made = choices[c];
        print(report.text, "%zu %.10g %.10g %td %td %s %.4g\n", c, made.bound(), errors[c], made.tap_count(),
              made.rank(), name(made.method()), made.cost_ratio());
        channels.push_back({{"channel", c},
                            {"bound", made.bound()},
                            {"true_estimate", errors[c]},
                            {"taps", made.tap_count()},
                            {"r", made.rank()},
                            {"method", name(made.method())},
                            {"cost_ratio", made.cost_ratio()}});
    }
    report.facts = {{"file", settings.file},
                    {"tolerance", settings.tolerance},
                    {"relative", settings.relative},
                    {"channels", channels}};
    return report;
}

}  // namespace

Run add_certify(CLI::App& app) {
    const auto settings = std::make_shared<Settings>();
    app.add_option("file", settings->file, "File with the tensor lags, (2n-1) x d: row t+n-1 is lag t")
        ->required();
    app.add_option("--tolerance", settings->tolerance, "Largest error of a channel in the 2-norm")
        ->required()
        ->check(examples::positive_number());
    app.add_flag("--relative", settings->relative, "The tolerance is a fraction of the channel's own 2-norm");
    app.add_option("--out", settings->out, "File for taps, inducing values and bounds");
    app.add_option("--cost-model", settings->cost_model,
                   "File that toeplitz_cost_model prints on this machine");
    return [settings](const Context&) { return certify(*settings); };
}

}  // namespace program
