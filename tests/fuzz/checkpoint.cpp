// SPDX-License-Identifier: MIT
/// \file
/// Training runs from files: refused with the parameters as they were, or of a state that a trainer goes on
/// with.

#include <cmath>

#include <fuzz/memory_file.hpp>
#include <fuzz/tensor_files.hpp>

#include <toeplitz/dense/linear.hpp>
#include <toeplitz/io/checkpoint.hpp>

namespace toeplitz::test {
namespace {

using P = LinearParameters<float>;

P small_set(float value = 0) {
    return {Matrix<float>::Constant(2, 3, value), Vector<float>::Constant(2, value)};
}

const TrainerOptions& run_options() {
    static const TrainerOptions options{.adamw = {.weight_decay = 0.1}, .seed = 5};
    return options;
}

struct Loss {
    double sum = 1;
    double count = 1;
};

std::string saved(const P& parameters, const Trainer<P>& trainer) {
    const TemporaryFolder folder;
    save_checkpoint(folder / "run", parameters, trainer, {{"epoch", "3"}});
    return read_bytes(folder / "run");
}

std::vector<std::string> seeds() {
    P parameters = small_set(1);
    Trainer<P> trainer(parameters, run_options());
    std::vector<std::string> seeds{saved(parameters, trainer)};
    // Of a gradient that is the parameters themselves.
    const auto objective = [](const P& at, const Part&, P& gradients) {
        gradients.weight += at.weight;
        gradients.bias += at.bias;
        return Loss{};
    };
    trainer.run(parameters, 3, objective);
    seeds.push_back(saved(parameters, trainer));
    TensorFile file = parse_safetensors(as_bytes(seeds.back()));
    file.checksum = false;
    seeds.push_back(as_text(format_safetensors(file)));
    file.metadata["toeplitz.checkpoint"] = "1";
    file.metadata["toeplitz.step"] = "9223372036854775807";
    seeds.push_back(as_text(format_safetensors(file)));
    return seeds;
}

bool is_right(const Vector<float>& first, const Vector<float>& second) {
    return first.allFinite() && second.allFinite() && (second.size() == 0 || second.minCoeff() >= 0);
}

}  // namespace

const FuzzTarget& fuzz_target() {
    static const FuzzTarget target = [] {
        FuzzTarget of = tensor_file_target(seeds());
        for (const char* word :
             {"\"adam.m.weight\":{", "\"adam.v.bias\":{", "\"toeplitz.step\":\"", "clip_norm=1 "}) {
            of.words.emplace_back(word);
        }
        of.outcomes = {0, 903, 920, 940, 941};
        of.mutations = 10'000;
        return of;
    }();
    return target;
}

int fuzz(const std::string& input) {
    const MemoryFile file(input);
    const P before = small_set(7);
    P parameters = before;
    try {
        const Checkpoint<P> checkpoint = load_checkpoint(file.path(), parameters);
        const auto& adamw = checkpoint.state.adamw;
        promise(checkpoint.state.step() >= 0, "a step that a run takes");
        promise(parameters.weight.allFinite() && parameters.bias.allFinite() &&
                    is_right(adamw.first.weight.reshaped(), adamw.second.weight.reshaped()) &&
                    is_right(adamw.first.bias, adamw.second.bias),
                "a state that a run leaves");
        const Trainer<P> trainer(checkpoint.state, run_options());
        // Waiting for the disk would take longer than all the rest.
        if (Crc64().add(as_bytes(input)).value() % 64 == 0) {
            const std::string bytes = saved(parameters, trainer);
            const MemoryFile again(bytes);
            P read = before;
            const Checkpoint<P> same = load_checkpoint(again.path(), read);
            promise(same.state.step() == checkpoint.state.step() &&
                        same.state.seed == checkpoint.state.seed && read.weight == parameters.weight &&
                        same.state.adamw.second.bias == adamw.second.bias,
                    "a round trip");
        }
    } catch (const io_error& refused) {
        promise((refused.id() >= 902 && refused.id() <= 906) || refused.id() == 913 || refused.id() == 914 ||
                    refused.id() == 920 || refused.id() == 940,
                "the id of a refusal");
        promise(parameters.weight == before.weight && parameters.bias == before.bias, "parameters untouched");
        return refused.id();
    }

    parameters = before;
    try {
        load_checkpoint(file.path(), parameters, run_options());
    } catch (const error& refused) {
        promise(refused.id() == 224 || refused.id() == 941, "the id of other options");
        promise(std::string(refused.what()).size() < 8192, "a message of bounded length");
        promise(parameters.weight == before.weight && parameters.bias == before.bias, "parameters untouched");
        return refused.id();
    }
    return 0;
}

}  // namespace toeplitz::test
