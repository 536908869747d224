// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A training run in a file: parameters under their own names, so that any reader of state dicts finds them,
/// and all that the run needs to go on with the same bits.

#include <charconv>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <toeplitz/io/state_dict.hpp>
#include <toeplitz/train/trainer.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// What a checkpoint holds beside the parameters.
template <ParameterSet P>
struct Checkpoint {
    TrainerState<P> state;
    std::string options;                          ///< options_text of the run that wrote it
    std::map<std::string, std::string> metadata;  ///< the user's own
};

namespace detail {

inline constexpr const char* first_moment_prefix = "adam.m.";
inline constexpr const char* second_moment_prefix = "adam.v.";
inline constexpr const char* checkpoint_prefix = "toeplitz.";
inline constexpr const char* checkpoint_format = "toeplitz.checkpoint";
inline constexpr const char* checkpoint_step = "toeplitz.step";
inline constexpr const char* checkpoint_seed = "toeplitz.seed";
inline constexpr const char* checkpoint_options = "toeplitz.options";
inline constexpr const char* checkpoint_version = "1";

/// The shortest text that reads back as the same number, whatever the locale.
template <class Number>
std::string exact_text(Number number) {
    char digits[64];
    const std::to_chars_result end = std::to_chars(digits, digits + sizeof(digits), number);
    return std::string(digits, end.ptr);
}

/// The whole text as a number; false where it is none.
template <class Number>
bool parse_number(std::string_view text, Number& number) {
    const char* const end = text.data() + text.size();
    const std::from_chars_result result = std::from_chars(text.data(), end, number);
    return !text.empty() && result.ec == std::errc() && result.ptr == end;
}

}  // namespace detail

/// Everything in the options that decides the course of a run, as one line; the seed, which is the state's,
/// aside. Of the decay rule it says how many tensors decay, and a hash of which.
template <ParameterSet P>
std::string options_text(const TrainerOptions& options, const P& parameters) {
    std::uint64_t hash = 0;
    Index decaying = 0;
    for_each_parameter(
        [&](const ParameterName& name, const auto& tensor) {
            const bool decays = !name.is_buffer() && options.adamw.decay(name, tensor.rows(), tensor.cols());
            decaying += decays ? 1 : 0;
            hash = CounterRandom(hash).bits(decays ? 1 : 0);
        },
        parameters);
    std::string text;
    const auto add = [&](const char* name, const auto& value) {
        if (!text.empty()) text.push_back(' ');
        text.append(name).append("=").append(detail::exact_text(value));
    };
    const AdamWOptions& adamw = options.adamw;
    add("beta1", adamw.beta1);
    add("beta2", adamw.beta2);
    add("epsilon", adamw.epsilon);
    add("weight_decay", adamw.weight_decay);
    add("variant", static_cast<int>(adamw.variant));
    add("decaying", decaying);
    add("decaying_hash", hash);
    const Schedule& schedule = options.schedule;
    add("course", static_cast<int>(schedule.course));
    add("peak", schedule.peak);
    add("warmup", schedule.warmup);
    add("total", schedule.total);
    add("initial", schedule.initial);
    add("end", schedule.end);
    add("power", schedule.power);
    add("clip_norm", options.clip_norm);
    add("accumulation", options.accumulation);
    add("shards", options.shards);
    return text;
}

/// Writes a checkpoint: parameters under their names, moments under "adam.m." and "adam.v.", step, seed and
/// options in the metadata beside the user's own. The file is replaced completely or not at all.
/// \throws io_error 910 (the file cannot be written; an old one is intact), 911 (names), 942 (metadata under
///         "toeplitz.", which is the library's)
/// Cost the bytes, and waiting for the disk | heap: the bytes | thread-safe: yes
template <ParameterSet P>
void save_checkpoint(const std::string& path, const P& parameters, const Trainer<P>& trainer,
                     const std::map<std::string, std::string>& metadata = {}) {
    TensorFile file;
    file.source = path;
    for (const auto& [key, value] : metadata) {
        if (key.starts_with(detail::checkpoint_prefix)) {
            detail::raise<io_error>(942, "save_checkpoint",
                                    "metadata whose names do not begin with 'toeplitz.'",
                                    detail::in_quotes(key));
        }
        file.metadata[key] = value;
    }
    const TrainerState<P>& state = trainer.state();
    file.metadata[detail::checkpoint_format] = detail::checkpoint_version;
    file.metadata[detail::checkpoint_step] = detail::exact_text(state.step());
    file.metadata[detail::checkpoint_seed] = detail::exact_text(state.seed);
    file.metadata[detail::checkpoint_options] = options_text(trainer.options(), parameters);
    store_parameters(file, parameters);
    store_parameters(file, state.adamw.first, {.prefix = detail::first_moment_prefix});
    store_parameters(file, state.adamw.second, {.prefix = detail::second_moment_prefix});
    write_safetensors(path, file);
}

/// Fills parameters, which have the right shapes, from a checkpoint, and returns the rest of it: a trainer
/// made of the state goes on where the old one stopped, with the same bits if its options are the same.
/// Parameters are as they were where anything is wrong.
/// \throws io_error 901 to 906 (file), 920 (all mismatches of the tensors), 940 (not a checkpoint)
/// Cost the bytes | heap: the bytes | thread-safe: yes, with distinct parameters
template <ParameterSet P>
Checkpoint<P> load_checkpoint(const std::string& path, P& parameters) {
    TensorFile file = read_safetensors(path);
    const auto fail = [&](std::string_view expected, std::string_view got) {
        detail::raise<io_error>(940, detail::text("load_checkpoint: file ", detail::in_quotes(path)),
                                expected, got);
    };
    const auto take = [&](const char* key) {
        const auto node = file.metadata.extract(key);
        if (node.empty()) fail(detail::text("metadata '", key, "'"), "none");
        return std::move(node.mapped());
    };
    const auto number = [&](const char* key, auto& value) {
        const std::string digits = take(key);
        if (!detail::parse_number(digits, value)) {
            fail(detail::text("a number as '", key, "'"), detail::in_quotes(digits));
        }
    };
    const std::string version = take(detail::checkpoint_format);
    if (version != detail::checkpoint_version) {
        fail(detail::text("version ", detail::checkpoint_version), detail::in_quotes(version));
    }
    Checkpoint<P> checkpoint{{0, {0, parameters, parameters}}, {}, {}};
    TrainerState<P>& state = checkpoint.state;
    number(detail::checkpoint_step, state.adamw.step);
    if (state.step() < 0) fail("a step >= 0", std::to_string(state.step()));
    number(detail::checkpoint_seed, state.seed);
    checkpoint.options = take(detail::checkpoint_options);
    checkpoint.metadata = std::move(file.metadata);

    // Moments apart, so that among the parameters nothing unexpected is left.
    TensorFile moments;
    moments.source = file.source;
    for (const char* prefix : {detail::first_moment_prefix, detail::second_moment_prefix}) {
        for (auto at = file.tensors.lower_bound(prefix);
             at != file.tensors.end() && at->first.starts_with(prefix);) {
            moments.tensors.insert(file.tensors.extract(at++));
        }
    }
    load_parameters(moments, state.adamw.first, {.prefix = detail::first_moment_prefix});
    load_parameters(moments, state.adamw.second, {.prefix = detail::second_moment_prefix});
    load_parameters(file, parameters);
    return checkpoint;
}

/// The same for a run that must go on with the options of the one that wrote the checkpoint.
/// \throws io_error 941 where the options differ, and as above
template <ParameterSet P>
Checkpoint<P> load_checkpoint(const std::string& path, P& parameters, const TrainerOptions& options) {
    P loaded = parameters;
    Checkpoint<P> checkpoint = load_checkpoint(path, loaded);
    const std::string text = options_text(options, loaded);
    if (text != checkpoint.options) {
        detail::raise<io_error>(941, detail::text("load_checkpoint: file ", detail::in_quotes(path)),
                                detail::text("a run of options '", text, "'"),
                                detail::text("'", checkpoint.options, "'"));
    }
    for_each_parameter([](const ParameterName&, auto& to, const auto& from) { to = from; }, parameters,
                       std::as_const(loaded));
    return checkpoint;
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
