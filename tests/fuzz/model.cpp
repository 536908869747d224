// SPDX-License-Identifier: MIT
/// \file
/// Models of any kind from files: refused, or a model with the numbers in the file.

#include <fuzz/json.hpp>
#include <fuzz/memory_file.hpp>
#include <fuzz/tensor_files.hpp>
#include <support/any_model.hpp>

namespace toeplitz::test {
namespace {

constexpr const char* options_key = "toeplitz.model.options";

std::vector<std::string> seeds() {
    const TemporaryFolder folder;
    std::vector<std::string> seeds;
    const auto add = [&](const TinyModel& tiny) {
        save_tiny(folder / "model", tiny, {{"name", "tiny"}});
        seeds.push_back(read_bytes(folder / "model"));
    };
    bool alternating = false;
    for (const char* architecture : Any::Mixer::Options().kind.names) {
        add({{tiny_mixer(architecture)}, alternating, !alternating});
        alternating = !alternating;
    }
    add({{tiny_mixer("causal_fd_tno"), tiny_mixer("ski_tno")}});
    add({{tiny_mixer("tno")}, false, false, WeightFormat::bf16});
    add({{tiny_mixer("tno")}, false, false, WeightFormat::int8, OutputWeights::tied});
    add({{}});
    return seeds;
}

std::vector<float> numbers_in(const StoredTensor& tensor) {
    std::vector<float> numbers(static_cast<std::size_t>(tensor.size()));
    tensor.copy_to(std::span(numbers));
    return numbers;
}

/// Changes the options half of the time, which are JSON inside the metadata, and otherwise what else there
/// is.
bool change_model(std::string& bytes, Mutator& mutate) {
    try {
        TensorFile file = parse_safetensors(as_bytes(bytes));
        const auto options = file.metadata.find(options_key);
        if (options == file.metadata.end() || mutate.below(2) == 0 || !change_json(options->second, mutate)) {
            change_file(file, mutate, fuzz_target());
        }
        bytes = as_text(format_safetensors(file));
        return true;
    } catch (const io_error&) {
        return false;
    }
}

}  // namespace

const FuzzTarget& fuzz_target() {
    static const FuzzTarget target = [] {
        FuzzTarget of = tensor_file_target(seeds());
        for (const char* word :
             {"toeplitz.model.options", "embedding", "batch_norm", "mean_pool", "tied", "causal_tno", "plain",
              "{\"vocabulary\":5}", "\\\"blocks\\\":[", "\\\"layers\\\":2", "1000000000"}) {
            of.words.emplace_back(word);
        }
        of.restructure = change_model;
        of.outcomes = {0, 221, 903, 920, 931};
        of.mutations = 2'000;
        return of;
    }();
    return target;
}

int fuzz(const std::string& input) {
    const MemoryFile guest(input);
    try {
        const Any model = Any::load(guest.path());
        const TensorFile file = parse_safetensors(as_bytes(input));
        model.visit([&](const auto&, const auto& parameters) {
            TensorFile again;
            store_parameters(again, parameters);
            for (const auto& [name, tensor] : again.tensors) {
                promise(numbers_in(tensor) == numbers_in(file.at(name)), "the numbers in the file");
            }
        });
        promise(model.width() >= 1 && model.layers() >= 0 && model.outputs() >= 1, "a model");
        promise((model.vocabulary() > 0) != (model.inputs() > 0), "tokens or features");
    } catch (const error& refused) {
        promise(std::string(refused.what()).size() < 200'000, "a message of bounded length");
        return refused.id();  // 909 as well: of a size, options may ask for what they like
    }
    return 0;
}

}  // namespace toeplitz::test
