// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A file of parameters that carries an input with its output, and proves itself when it is loaded.

#include <algorithm>
#include <concepts>
#include <cstdio>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <toeplitz/io/state_dict.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Largest relative deviation ‖y − y₀‖ / ‖y₀‖ (Frobenius) of a replayed output y from the stored y₀: 4096
/// units of rounding. Other processors and other transform plans change the last digits, and deep networks
/// amplify that; a wrong weight or option changes the first.
template <Real Scalar>
inline constexpr double probe_tolerance = 2048 * static_cast<double>(std::numeric_limits<Scalar>::epsilon());

/// The same where weights are in fewer bits. A last digit that differs turns the rounding of rows to such
/// formats now and then, and the roundings of later layers with it: what remains is the format's own error.
constexpr double probe_tolerance_of(WeightFormat format) noexcept {
    return format == WeightFormat::exact ? 0 : format == WeightFormat::bf16 ? 0x1p-5 : 0x1p-3;
}

struct ModelFileOptions {
    std::string prefix{};                  ///< as in StateDictOptions
    std::vector<std::string> ignorable{};  ///< as in StateDictOptions
    /// Largest relative deviation of the probe; 0: probe_tolerance of the coarser of two scalars, that of the
    /// stored output and that of the replayed one, or probe_tolerance_of the coarsest weights if that is
    /// more.
    double tolerance = 0;

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("prefix", sets.prefix...);
        f("ignorable", sets.ignorable...);
        f("tolerance", sets.tolerance...);
    }
};

namespace detail {

template <class Evaluate, class P, class Input>
concept EvaluationOf = std::invocable<Evaluate&, const P&, Input>;

/// evaluate(parameters, the stored input), whatever kind of input the function takes.
template <class P, class Evaluate>
auto replay(const P& parameters, const StoredTensor& input, Evaluate& evaluate) {
    if constexpr (EvaluationOf<Evaluate, P, std::span<const Token>>) {
        std::vector<Token> tokens(static_cast<std::size_t>(input.size()));
        input.copy_to(std::span(tokens));
        return evaluate(parameters, std::span<const Token>(tokens)).eval();
    } else if constexpr (EvaluationOf<Evaluate, P, MatrixView<const double>>) {
        const Matrix<double> matrix = input.matrix<double>();
        return evaluate(parameters, MatrixView<const double>(matrix)).eval();
    } else {
        static_assert(EvaluationOf<Evaluate, P, MatrixView<const float>>,
                      "toeplitz: a model is checked by evaluate(parameters, input), where input is a "
                      "std::span<const Token>, a MatrixView<const float> or a MatrixView<const double>.");
        const Matrix<float> matrix = input.matrix<float>();
        return evaluate(parameters, MatrixView<const float>(matrix)).eval();
    }
}

/// What the formats of a set's weights allow a probe to deviate by.
template <class P>
double weights_tolerance(const P& parameters) {
    double tolerance = 0;
    for_each_weight(
        [&](const ParameterName&, const auto& part) {
            tolerance = (std::max)(tolerance, probe_tolerance_of(part.encoded.format()));
        },
        parameters);
    return tolerance;
}

/// "1.2e-05" for messages.
inline std::string number_text(double number) {
    char digits[32];
    std::snprintf(digits, sizeof(digits), "%.2g", number);
    return digits;
}

inline StoredTensor probe_tensor(std::span<const Token> tokens) {
    return make_tensor(tokens, {static_cast<Index>(tokens.size())});
}
template <Real Scalar>
StoredTensor probe_tensor(MatrixView<const Scalar> input) {
    return make_tensor(input);
}
template <Real Scalar>
StoredTensor probe_tensor(const Matrix<Scalar>& input) {
    return make_tensor(MatrixView<const Scalar>(input));
}
inline StoredTensor probe_tensor(const std::vector<Token>& tokens) {
    return probe_tensor(std::span<const Token>(tokens));
}

/// The input and the output in a model file.
/// \throws io_error 930
struct StoredProbe {
    const StoredTensor& input;
    Matrix<double> output;
    double output_tolerance;  ///< what the digits in the file allow

    explicit StoredProbe(const TensorFile& file)
        : input(find(file, probe_input)), output_tolerance(probe_tolerance<double>) {
        const StoredTensor& stored = find(file, probe_output);
        if ((stored.dtype != Dtype::f32 && stored.dtype != Dtype::f64) || stored.size() == 0) {
            fail(file, "a 'probe.output' of F32 or F64 numbers",
                 text(dtype_name(stored.dtype), " of shape ", shape_text(stored.shape)));
        }
        output = stored.matrix<double>();
        if (!all_finite(output.data(), output.size()))
            fail(file, "a 'probe.output' of finite numbers", "others");
        if (stored.dtype == Dtype::f32) output_tolerance = probe_tolerance<float>;
    }

    /// \throws io_error 931 unless the replayed output is the stored one within the tolerance
    void expect(const Matrix<double>& replayed, double tolerance, const TensorFile& file) const {
        const std::string where = text("load_model: file ", in_quotes(file.source));
        if (replayed.rows() != output.rows() || replayed.cols() != output.cols()) {
            raise<io_error>(
                931, where,
                text("a replayed output of shape ", detail::shape_text(output.rows(), output.cols())),
                detail::shape_text(replayed.rows(), replayed.cols()));
        }
        const double size = output.norm();
        const double distance = (replayed - output).norm();
        const double deviation = size > 0 ? distance / size : distance;
        if (!(is_finite(deviation) && deviation <= tolerance)) {
            raise<io_error>(
                931, where,
                text("the replayed output within ", number_text(tolerance), " of the stored one, relatively"),
                text("a deviation of ", number_text(deviation)));
        }
    }

private:
    static const StoredTensor& find(const TensorFile& file, const char* name) {
        const auto found = file.tensors.find(name);
        if (found == file.tensors.end()) fail(file, text("a tensor '", name, "'"), "none");
        return found->second;
    }
    [[noreturn]] static void fail(const TensorFile& file, std::string_view expected, std::string_view got) {
        raise<io_error>(930, text("load_model: file ", in_quotes(file.source)), expected, got);
    }
};

/// What store_parameters has put into the file, with metadata and probe, goes to the path.
/// \throws io_error 907, 910, 911, 931
inline void write_model(const std::string& path, TensorFile& file, StoredTensor input, StoredTensor output) {
    bool finite = output.size() > 0;
    output.for_each([&](std::size_t, auto value) {
        if constexpr (std::floating_point<decltype(value)>) finite = finite && is_finite(value);
    });
    if (!finite) {
        raise<io_error>(931, text("save_model: file ", in_quotes(path)), "a probe with finite outputs",
                        output.size() == 0 ? "no output" : "a NaN or an infinity");
    }
    add_tensor(file, probe_input, std::move(input));
    add_tensor(file, probe_output, std::move(output));
    file.checksum = true;
    write_safetensors(path, file);
}

}  // namespace detail

/// Writes parameters, metadata, a checksum, and the pair `input`, evaluate(parameters, input), as a model
/// file.
///
/// `input` is tokens (std::span<const Token> or std::vector<Token>) or a matrix (Matrix, MatrixView).
/// evaluate names its second parameter's type: std::span<const Token>, MatrixView<const float> or
/// MatrixView<const double>; it returns a matrix of float or double. The path is replaced completely or not
/// at all.
/// \throws io_error 911 (a name twice), 912 (a number that is not finite), 931 (such an output), 910 (cannot
///         be written; an old file is intact); what evaluate throws
/// Cost one evaluation and the bytes | heap: the file's content | thread-safe: yes
template <ParameterSet P, class Input, class Evaluate, NameMapping Names = SameNames>
void save_model(const std::string& path, const P& parameters, std::map<std::string, std::string> metadata,
                const Input& input, Evaluate&& evaluate, const ModelFileOptions& options = {},
                Names&& names = {}) {
    TensorFile file;
    file.source = path;
    file.metadata = std::move(metadata);
    store_parameters(file, parameters, {.prefix = options.prefix}, names);
    StoredTensor stored_input = detail::probe_tensor(input);
    const auto output = detail::replay(parameters, stored_input, evaluate);
    detail::write_model(path, file, std::move(stored_input), detail::probe_tensor(output));
}

/// Fills parameters from a model file, as load_parameters does, and replays its probe on them.
///
/// evaluate(parameters, input) is as for save_model. Where its output deviates from the stored one by more
/// than the tolerance, or where anything else is wrong, the parameters are as they were. They keep their
/// memory.
/// \throws io_error 920 (mismatches), 930 (no usable probe), 931 (deviation); config_error 943 (tolerance);
/// what evaluate throws
/// Cost one evaluation and 3× the conversion | heap: the parameters and the probe | thread-safe: yes
template <ParameterSet P, class Evaluate, NameMapping Names = SameNames>
void load_model(const TensorFile& file, P& parameters, Evaluate&& evaluate,
                const ModelFileOptions& options = {}, Names&& names = {}) {
    if (!(detail::is_finite(options.tolerance) && options.tolerance >= 0)) {
        detail::raise<config_error>(943, "load_model", "a finite tolerance >= 0",
                                    detail::text(options.tolerance));
    }
    const detail::StoredProbe probe(file);
    P loaded = parameters;
    load_parameters(file, loaded, {options.prefix, options.ignorable}, names);

    const auto output = detail::replay(std::as_const(loaded), probe.input, evaluate);
    const double usual = (std::max)({probe_tolerance<typename decltype(output)::Scalar>,
                                     probe.output_tolerance, detail::weights_tolerance(loaded)});
    probe.expect(output.template cast<double>(), options.tolerance > 0 ? options.tolerance : usual, file);
    for_each_parameter([](const ParameterName&, auto& to, const auto& from) { to = from; }, parameters,
                       std::as_const(loaded));
    detail::for_each_weight(
        [](const ParameterName&, auto& to, auto& from) { to.encoded = std::move(from.encoded); }, parameters,
        loaded);
}

/// Reads a model file and fills parameters from it. Returns its metadata.
/// \throws io_error 901 to 909 (file), 913 (checksum), 920, 930, 931; config_error 943
template <ParameterSet P, class Evaluate, NameMapping Names = SameNames>
std::map<std::string, std::string> load_model(const std::string& path, P& parameters, Evaluate&& evaluate,
                                              const ModelFileOptions& options = {}, Names&& names = {}) {
    TensorFile file = read_safetensors(path);
    load_model(std::as_const(file), parameters, evaluate, options, names);
    return std::move(file.metadata);
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
