// SPDX-License-Identifier: MIT
/// \file
/// A run that stops, goes to a file and comes back is the run that never stopped.

#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <support/errors.hpp>
#include <support/linear_model.hpp>
#include <support/options.hpp>
#include <support/small_disk.hpp>
#include <support/tensor_files.hpp>
#include <support/threads.hpp>

#include <toeplitz/io/checkpoint.hpp>

namespace toeplitz::test {
namespace {

using P = ModelParameters<double>;

TrainerOptions some_options() {
    return {.adamw = {.weight_decay = 0.1, .decay = decay_matrices},
            .schedule = {.course = Course::cosine, .peak = 0.1, .warmup = 3, .total = 30},
            .clip_norm = 0.5,
            .accumulation = 2,
            .shards = 2,
            .seed = std::numeric_limits<std::uint64_t>::max() - 1};
}

LinearModel<double> noisy_model() {
    LinearModel<double> model = make_linear_model<double>(50, 6, 3, 8);
    model.noise_size = 1;
    return model;
}

TEST(CheckpointTest, AResumedRunEqualsAnUninterruptedOne) {
    const TemporaryFolder folder;
    const LinearModel<double> model = noisy_model();

    P whole = model.make_parameters(5);
    Trainer<P> uninterrupted(whole, some_options());
    uninterrupted.run(whole, 20, model.objective());

    {
        P parameters = model.make_parameters(5);
        Trainer<P> trainer(parameters, some_options());
        trainer.run(parameters, 12, model.objective(),
                    every(5, [&](const StepReport&, const P& current, const Trainer<P>& now) {
                        save_checkpoint(folder / "run", current, now, {{"epoch", "3"}});
                    }));
    }
    P parameters = model.make_parameters(77);
    Checkpoint<P> checkpoint = load_checkpoint(folder / "run", parameters, some_options());
    EXPECT_EQ(checkpoint.state.step(), 10);
    EXPECT_EQ(checkpoint.state.seed, some_options().seed);
    EXPECT_EQ(checkpoint.metadata, (std::map<std::string, std::string>{{"epoch", "3"}}));
    Trainer<P> resumed(checkpoint.state, some_options());
    with_threads(2, [&] { resumed.run(parameters, 20, model.objective()); });
    EXPECT_TRUE(parameters == whole);
    EXPECT_TRUE(resumed.state().adamw.first == uninterrupted.state().adamw.first);
    EXPECT_TRUE(resumed.state().adamw.second == uninterrupted.state().adamw.second);

    save_checkpoint(folder / "resumed", parameters, resumed);
    save_checkpoint(folder / "whole", whole, uninterrupted);
    EXPECT_EQ(read_bytes(folder / "resumed"), read_bytes(folder / "whole"));
}

TEST(CheckpointTest, ParametersAloneCanBeRead) {
    const TemporaryFolder folder;
    const LinearModel<double> model = noisy_model();
    P parameters = model.make_parameters(5);
    Trainer<P> trainer(parameters, some_options());
    trainer.run(parameters, 2, model.objective());
    save_checkpoint(folder / "run", parameters, trainer);
    P loaded = model.make_parameters(77);
    load_parameters(read_safetensors(folder / "run"), loaded);
    EXPECT_TRUE(loaded == parameters);
}

/// A run of five steps with its checkpoint.
struct Saved {
    TemporaryFolder folder;
    std::string path = folder / "run";
    LinearModel<double> model = noisy_model();
    P parameters = model.make_parameters(5);
    Trainer<P> trainer{parameters, some_options()};
    std::string bytes;

    Saved() {
        trainer.run(parameters, 5, model.objective());
        save_checkpoint(path, parameters, trainer);
        bytes = read_bytes(path);
    }

    /// The error of loading a changed file, which must leave the parameters alone.
    void expect_refused(int id, const std::string& complaint, TensorFile file) {
        file.source = path;
        write_safetensors(path, file);
        const P before = parameters;
        expect_error<io_error>(id,
                               detail::text("[toeplitz.io.", id, "] load_checkpoint: file ",
                                            detail::in_quotes(path), ": expected ", complaint),
                               [&] { load_checkpoint(path, parameters); });
        EXPECT_TRUE(parameters == before);
    }
};

TEST(CheckpointFileTest, HoldsParametersUnderTheirOwnNames) {
    const Saved saved;
    const TensorFile file = read_safetensors(saved.path);
    for (const char* name : {"linear.weight", "linear.bias", "seen"}) {
        EXPECT_EQ(file.at(name).dtype, Dtype::f64);
        EXPECT_EQ(file.tensors.count(detail::text("adam.m.", name)), 1U);
        EXPECT_EQ(file.tensors.count(detail::text("adam.v.", name)), 1U);
    }
    EXPECT_EQ(file.tensors.size(), 9U);
    EXPECT_EQ(file.metadata.at("toeplitz.step"), "5");
    EXPECT_EQ(file.metadata.at("toeplitz.seed"), "18446744073709551614");
    EXPECT_EQ(file.metadata.at("toeplitz.options").substr(0, 24), "adamw.beta1=0.9 adamw.be");
    P other = saved.model.make_parameters(9);
    load_parameters(file, other,
                    {.prefix = "",
                     .ignorable = {"adam.m.linear.weight", "adam.m.linear.bias", "adam.m.seen",
                                   "adam.v.linear.weight", "adam.v.linear.bias", "adam.v.seen"}});
    EXPECT_TRUE(other == saved.parameters);
}

TEST(CheckpointFileTest, AFullDiskLeavesTheOldOne) {
    const Saved saved;
    {
        const SmallDisk disk(saved.bytes.size() / 2);
        EXPECT_THROW(save_checkpoint(saved.path, saved.parameters, saved.trainer, {{"more", "text"}}),
                     io_error);
    }
    EXPECT_EQ(read_bytes(saved.path), saved.bytes);
    EXPECT_EQ(saved.folder.entries(), 1U);
}

TEST(CheckpointFileTest, AnUnwritablePathIsAnErrorAndTheRunGoesOn) {
    Saved saved;
    EXPECT_THROW(save_checkpoint(saved.folder / "missing/run", saved.parameters, saved.trainer), io_error);
    EXPECT_THROW(save_checkpoint(saved.path + "/run", saved.parameters, saved.trainer), io_error);
    EXPECT_EQ(read_bytes(saved.path), saved.bytes);
    EXPECT_EQ(saved.folder.entries(), 1U);
    EXPECT_EQ(saved.trainer.step(saved.parameters, saved.model.objective()).step, 6);
}

TEST(CheckpointFileTest, ALossThatIsNotFiniteLeavesTheLastOne) {
    Saved saved;
    const Objective<double> breaks = [&](const P& parameters, const Part& part, P& gradients) {
        CrossEntropyLoss loss = saved.model(parameters, part, gradients);
        if (part.step == 7) loss.sum = std::nan("");
        return loss;
    };
    const auto save = [&](const StepReport&, const P& parameters, const Trainer<P>& trainer) {
        save_checkpoint(saved.path, parameters, trainer);
    };
    expect_error<train_error>(810,
                              "[toeplitz.train.810] Trainer::step: expected a finite loss in step 8, got nan",
                              [&] { saved.trainer.run(saved.parameters, 20, breaks, save); });
    P parameters = saved.model.make_parameters(1);
    EXPECT_EQ(load_checkpoint(saved.path, parameters).state.step(), 7);
    EXPECT_TRUE(parameters == saved.parameters);
}

/// Loads with other options; what is wrong with them, or nothing.
std::string complaint(Saved& saved, const TrainerOptions& options) {
    const P before = saved.parameters;
    try {
        load_checkpoint(saved.path, saved.parameters, options);
    } catch (const io_error& caught) {
        EXPECT_EQ(caught.id(), 941);
        EXPECT_TRUE(saved.parameters == before);
        const std::string what = caught.what();
        const std::string start =
            "[toeplitz.io.941] load_checkpoint: file " + detail::in_quotes(saved.path) +
            ": expected a run with the options in the file, got others, there and here: ";
        EXPECT_EQ(what.substr(0, start.size()), start);
        return what.substr(start.size());
    }
    return "";
}

TEST(CheckpointFileTest, OtherOptionsAreNamed) {
    Saved saved;
    const auto expect = [&](const std::string& expected, void (*change)(TrainerOptions&)) {
        TrainerOptions options = some_options();
        change(options);
        EXPECT_EQ(complaint(saved, options), expected);
    };
    expect("", [](TrainerOptions&) {});
    expect("", [](TrainerOptions& o) { o.seed = 1; });  // the seed is the state's
    expect("'adamw.beta1: 0.9 and 0.8'", [](TrainerOptions& o) { o.adamw.beta1 = 0.8; });
    expect("'adamw.epsilon: 1e-08 and 1.0000000000000002e-08'",
           [](TrainerOptions& o) { o.adamw.epsilon = std::nextafter(1e-8, 1); });
    expect("'adamw.variant: pytorch and fairseq'",
           [](TrainerOptions& o) { o.adamw.variant = AdamVariant::fairseq; });
    expect("'schedule.course: cosine and polynomial', 'schedule.power: 1 and 2', 'shards: 2 and 1'",
           [](TrainerOptions& o) {
               o.schedule.course = Course::polynomial;
               o.schedule.power = 2;
               o.shards = 1;
           });
}

TEST(CheckpointFileTest, EveryOptionButTheSeedIsCompared) {
    Saved saved;
    const OptionList all = list_options(some_options());
    for (std::size_t i = 0; i + 1 < all.size(); ++i) {
        TrainerOptions options = some_options();
        std::size_t place = 0;
        const auto change = [&](const auto& self, auto& set) -> void {
            for_each_option(
                [&](const char* name, auto& field) {
                    if constexpr (OptionSet<std::remove_reference_t<decltype(field)>>) {
                        self(self, field);
                    } else if (place++ == i) {
                        ChangeOption{}(name, field);
                    }
                },
                set);
        };
        change(change, options);
        EXPECT_TRUE(complaint(saved, options).starts_with("'" + all[i].name + ": ")) << all[i].name;
    }
    EXPECT_EQ(all.back().name, "seed");
}

TEST(CheckpointFileTest, AnotherDecayRuleIsNamed) {
    Saved saved;
    TrainerOptions options = some_options();
    options.adamw.decay = decay_all;
    EXPECT_TRUE(complaint(saved, options).starts_with("'adamw.decaying: 1 and 2', 'adamw.decaying_hash: "));
    // As many tensors, but others.
    options.adamw.decay = [](const ParameterName&, Index, Index cols) { return cols == 1; };
    EXPECT_TRUE(complaint(saved, options).starts_with("'adamw.decaying_hash: "));
}

/// As the first edition wrote them.
TEST(CheckpointFileTest, OptionsOfVersion1AreCompared) {
    Saved saved;
    TensorFile file = read_safetensors(saved.path);
    const std::string now = file.metadata.at("toeplitz.options");
    const std::string hash = now.substr(now.rfind('='));
    file.metadata["toeplitz.checkpoint"] = "1";
    file.metadata["toeplitz.options"] =
        "beta1=0.9 beta2=0.999 epsilon=1e-08 weight_decay=0.1 variant=0 decaying=1 decaying_hash" + hash +
        " course=1 peak=0.1 warmup=3 total=30 initial=0 end=0 power=1 clip_norm=0.5 accumulation=2 shards=2";
    write_safetensors(saved.path, file);
    EXPECT_EQ(complaint(saved, some_options()), "");
    TrainerOptions options = some_options();
    options.adamw.variant = AdamVariant::fairseq;
    options.schedule.course = Course::polynomial;
    options.clip_norm = 1;
    EXPECT_EQ(complaint(saved, options), "'variant: 0 and 1', 'course: 1 and 3', 'clip_norm: 0.5 and 1'");
    EXPECT_EQ(load_checkpoint(saved.path, saved.parameters).version, "1");
}

TEST(CheckpointFileTest, OptionsThatAreNoTextOfOptionsAreRefused) {
    Saved saved;
    TensorFile file = read_safetensors(saved.path);
    file.metadata["toeplitz.options"] = "beta1 0.9";
    write_safetensors(saved.path, file);
    expect_error<config_error>(224,
                               "[toeplitz.config.224] load_checkpoint: file " +
                                   detail::in_quotes(saved.path) +
                                   ": expected name=value and spaces between, got 'beta1'",
                               [&] { load_checkpoint(saved.path, saved.parameters, some_options()); });
}

TEST(CheckpointFileTest, WhatIsNoCheckpointIsRefused) {
    Saved saved;
    const TensorFile good = read_safetensors(saved.path);
    const auto changed = [&](const char* key, const char* value) {
        TensorFile file = good;
        file.metadata[key] = value;
        return file;
    };
    for (const char* key : {"toeplitz.checkpoint", "toeplitz.step", "toeplitz.seed", "toeplitz.options"}) {
        TensorFile file = good;
        file.metadata.erase(key);
        saved.expect_refused(940, detail::text("metadata '", key, "', got none"), file);
    }
    saved.expect_refused(940, "version 1 or 2, got '3'", changed("toeplitz.checkpoint", "3"));
    const std::string state =
        "a step in 0..9007199254740991, finite moments, and second ones from 0 on, got ";
    for (const char* step : {"-1", "9007199254740992", "1152921504606846976", "9223372036854775807"}) {
        saved.expect_refused(940, detail::text(state, "step ", step), changed("toeplitz.step", step));
    }
    TensorFile negative = good;
    const double number = -1;
    std::memcpy(negative.tensors["adam.v.linear.bias"].bytes.data() + sizeof(number), &number,
                sizeof(number));
    saved.expect_refused(940, state + "-1 in the second moment of linear.bias(1, 0)", negative);
    for (const char* bad : {"", "5 ", " 5", "x", "5.5", "9223372036854775808"}) {
        saved.expect_refused(940, detail::text("a number as 'toeplitz.step', got '", bad, "'"),
                             changed("toeplitz.step", bad));
    }
    saved.expect_refused(940, "a number as 'toeplitz.seed', got '-1'", changed("toeplitz.seed", "-1"));
}

TEST(CheckpointFileTest, MissingAndUnexpectedTensorsAreRefused) {
    Saved saved;
    const TensorFile good = read_safetensors(saved.path);
    const P before = saved.parameters;
    const auto refused = [&](const TensorFile& file) {
        write_safetensors(saved.path, file);
        try {
            load_checkpoint(saved.path, saved.parameters);
        } catch (const io_error& caught) {
            EXPECT_TRUE(saved.parameters == before);
            return caught.id() == 920;
        }
        return false;
    };
    EXPECT_FALSE(refused(good));
    for (const auto& named : good.tensors) {
        TensorFile file = good;
        file.tensors.erase(named.first);
        EXPECT_TRUE(refused(file)) << named.first;
    }
    for (const char* name : {"extra", "adam.m.extra", "adam.v.extra", "adam.x.linear.weight"}) {
        TensorFile file = good;
        file.tensors[name] = good.at("seen");
        EXPECT_TRUE(refused(file)) << name;
    }
    write_bytes(saved.path, saved.bytes.substr(0, saved.bytes.size() - 1));
    EXPECT_THROW(load_checkpoint(saved.path, saved.parameters), io_error);
}

TEST(CheckpointFileTest, WhatWouldNotLoadIsNotSaved) {
    Saved saved;
    P broken = saved.parameters;
    broken.linear.weight(1, 1) = std::nan("");
    EXPECT_THROW(save_checkpoint(saved.path, broken, saved.trainer), io_error);
    broken = saved.parameters;
    broken.seen(0) = HUGE_VAL;  // a buffer
    EXPECT_THROW(save_checkpoint(saved.path, broken, saved.trainer), io_error);
    const P other = make_linear_model<double>(50, 7, 3, 8).make_parameters(1);
    EXPECT_THROW(save_checkpoint(saved.path, other, saved.trainer), shape_error);
    EXPECT_EQ(read_bytes(saved.path), saved.bytes);
}

TEST(CheckpointFileTest, AFlippedBitIsNoticed) {
    Saved saved;
    const P before = saved.parameters;
    for (std::size_t i = 0; i < saved.bytes.size(); i += 7) {
        std::string changed = saved.bytes;
        changed[i] = static_cast<char>(changed[i] ^ 1 << i * 5 % 8);
        write_bytes(saved.path, changed);
        EXPECT_THROW(load_checkpoint(saved.path, saved.parameters), io_error) << "byte " << i;
    }
    EXPECT_TRUE(saved.parameters == before);
}

TEST(CheckpointFileTest, OldOnesWithoutAChecksumLoad) {
    Saved saved;
    TensorFile file = read_safetensors(saved.path);
    EXPECT_TRUE(file.checksum);
    file.checksum = false;
    write_safetensors(saved.path, file);
    P parameters = saved.model.make_parameters(9);
    EXPECT_EQ(load_checkpoint(saved.path, parameters).state.step(), 5);
    EXPECT_TRUE(parameters == saved.parameters);
}

TEST(CheckpointFileTest, MetadataOfTheLibraryIsReserved) {
    const Saved saved;
    expect_error<io_error>(
        942,
        "[toeplitz.io.942] save_checkpoint: expected metadata whose names do not begin with 'toeplitz.', got "
        "'toeplitz.step'",
        [&] {
            save_checkpoint(saved.path, saved.parameters, saved.trainer, {{"toeplitz.step", "1"}});
        });
    EXPECT_EQ(read_bytes(saved.path), saved.bytes);
}

}  // namespace
}  // namespace toeplitz::test
