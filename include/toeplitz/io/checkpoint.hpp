// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A training run in a file: parameters under their own names, so that any reader of state dicts finds them,
/// and all that the run needs to go on with the same bits.

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include <toeplitz/core/options_text.hpp>
#include <toeplitz/io/state_dict.hpp>
#include <toeplitz/train/trainer.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// What a checkpoint holds beside the parameters.
template <ParameterSet P>
struct Checkpoint {
    TrainerState<P> state;
    std::string version;                          ///< of the format of the file: "2", or "1"
    std::string options;                          ///< of the run that wrote it, as options_text
    std::map<std::string, std::string> metadata;  ///< the user's own
};

namespace detail {

inline constexpr const char* checkpoint_format = "toeplitz.checkpoint";
inline constexpr const char* checkpoint_step = "toeplitz.step";
inline constexpr const char* checkpoint_seed = "toeplitz.seed";
inline constexpr const char* checkpoint_options = "toeplitz.options";
inline constexpr const char* checkpoint_version = "2";

/// Everything in the options that decides the course of a run, save the seed, which is the state's. Of the
/// decay rule it says how many tensors decay, and a hash of which.
template <ParameterSet P>
OptionList list_run_options(const TrainerOptions& options, const P& parameters) {
    OptionList list = list_options(options);
    std::erase_if(list, [](const OptionValue& value) { return value.name == "seed"; });
    std::uint64_t hash = 0;
    Index decaying = 0;
    for_each_parameter(
        [&](const ParameterName& name, const auto& tensor) {
            const bool decays = !name.is_buffer() && options.adamw.decay(name, tensor.rows(), tensor.cols());
            decaying += decays ? 1 : 0;
            hash = CounterRandom(hash).bits(decays ? 1 : 0);
        },
        parameters);
    list.push_back({"adamw.decaying", exact_text(decaying)});
    list.push_back({"adamw.decaying_hash", exact_text(hash)});
    return list;
}

/// The list as version 1 wrote it: the last part of a name alone, and enumerators as numbers.
inline OptionList in_version_1(OptionList list) {
    const auto number = [](auto enumerator) { return exact_text(static_cast<int>(enumerator.value())); };
    for (OptionValue& value : list) {
        value.name.erase(0, value.name.rfind('.') + 1);
        if (value.name == "variant") value.text = number(parse_enumerator<AdamVariant>(value.text));
        if (value.name == "course") value.text = number(parse_enumerator<Course>(value.text));
    }
    return list;
}

}  // namespace detail

/// Writes a checkpoint: parameters under their names, moments under "adam.m." and "adam.v.", step, seed,
/// options and a checksum in the metadata beside the user's own. The file is replaced completely or not at
/// all, and only by one that loads.
/// \throws io_error 910 (the file cannot be written; an old one is intact), 911 (names), 912 (a number that
///         is not finite), 942 (metadata under "toeplitz.", which is the library's)
/// \throws shape_error 820 (parameters of other shapes than the trainer's)
/// Cost the bytes, and waiting for the disk | heap: the bytes | thread-safe: yes
template <ParameterSet P>
void save_checkpoint(const std::string& path, const P& parameters, const Trainer<P>& trainer,
                     const std::map<std::string, std::string>& metadata = {}) {
    TensorFile file;
    file.source = path;
    detail::add_metadata(metadata, file.metadata, "save_checkpoint");
    const TrainerState<P>& state = trainer.state();
    detail::require_same_shapes<P>(state.adamw.first, parameters, "save_checkpoint", "parameters");
    file.checksum = true;
    file.metadata[detail::checkpoint_format] = detail::checkpoint_version;
    file.metadata[detail::checkpoint_step] = detail::exact_text(state.step());
    file.metadata[detail::checkpoint_seed] = detail::exact_text(state.seed);
    file.metadata[detail::checkpoint_options] =
        options_text(detail::list_run_options(trainer.options(), parameters));
    store_parameters(file, parameters);
    store_parameters(file, state.adamw.first, {.prefix = detail::first_moment_prefix});
    store_parameters(file, state.adamw.second, {.prefix = detail::second_moment_prefix});
    write_safetensors(path, file);
}

/// Fills parameters, which have the right shapes, from a checkpoint, and returns the rest of it: a trainer
/// made of the state goes on where the old one stopped, with the same bits if its options are the same.
/// Parameters are as they were where anything is wrong.
/// \throws io_error 901 to 909 (file), 913 (checksum), 920 (all mismatches of the tensors), 940 (not a
///         checkpoint, or not of a state that a run leaves)
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
    std::string version = take(detail::checkpoint_format);
    if (version != "1" && version != detail::checkpoint_version) {
        fail(detail::text("version 1 or ", detail::checkpoint_version), detail::in_quotes(version));
    }
    Checkpoint<P> checkpoint{{0, {0, parameters, parameters}}, std::move(version), {}, {}};
    TrainerState<P>& state = checkpoint.state;
    number(detail::checkpoint_step, state.adamw.step);
    number(detail::checkpoint_seed, state.seed);
    checkpoint.options = take(detail::checkpoint_options);
    checkpoint.metadata = std::move(file.metadata);
    load_parameters(file, state.adamw.first, {.prefix = detail::first_moment_prefix});
    load_parameters(file, state.adamw.second, {.prefix = detail::second_moment_prefix});
    const std::string problem = detail::state_problem(state.adamw);
    if (!problem.empty()) fail(detail::expected_state(), problem);
    load_parameters(file, parameters);
    return checkpoint;
}

/// The same for a run that must go on with the options of the one that wrote the checkpoint.
/// \throws io_error 941 (all options that differ), config_error 224 (options that are not name=value), and as
/// above
template <ParameterSet P>
Checkpoint<P> load_checkpoint(const std::string& path, P& parameters, const TrainerOptions& options) {
    P loaded = parameters;
    Checkpoint<P> checkpoint = load_checkpoint(path, loaded);
    const std::string where = detail::text("load_checkpoint: file ", detail::in_quotes(path));
    OptionList here = detail::list_run_options(options, loaded);
    if (checkpoint.version == "1") here = detail::in_version_1(std::move(here));
    std::string others;
    for (const OptionDifference& one :
         option_differences(detail::split_options(checkpoint.options, where), here)) {
        others.append(others.empty() ? "" : ", ").append(detail::in_quotes(one.text()));
        if (others.size() > 1000) break;  // the file may hold anything
    }
    if (!others.empty()) {
        detail::raise<io_error>(941, where, "a run with the options in the file",
                                detail::text("others, there and here: ", others));
    }
    for_each_parameter([](const ParameterName&, auto& to, const auto& from) { to = from; }, parameters,
                       std::as_const(loaded));
    return checkpoint;
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
