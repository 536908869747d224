// SPDX-License-Identifier: MIT
/// \file
/// Parameters from files: all of them, finite, or none; also with a probe, and a decay by itself.

#include <fuzz/tensor_files.hpp>

#include <toeplitz/dense/linear.hpp>
#include <toeplitz/io/model_file.hpp>
#include <toeplitz/io/official.hpp>

namespace toeplitz::test {
namespace {

/// Numbers that are converted, and such as are not.
struct SmallSet {
    LinearParameters<float> linear;
    Vector<double> decay;
    Vector<Token> tokens;

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        LinearParameters<float>::for_each(detail::under("linear", f), sets.linear...);
        f(ParameterName("gamma"), sets.decay...);
        f(ParameterName("tokens"), sets.tokens...);
    }
};

SmallSet small_set() {
    return {
        {Matrix<float>::Zero(2, 3), Vector<float>::Zero(2)}, Vector<double>::Zero(3), Vector<Token>::Zero(2)};
}

bool is_zero(const SmallSet& set) {
    return set.linear.weight.isZero(0) && set.linear.bias.isZero(0) && set.decay.isZero(0) &&
           set.tokens.isZero();
}

Matrix<float> output(const SmallSet& set, MatrixView<const float> x) {
    return x.cols() == 3 ? Matrix<float>(x.eigen().lazyProduct(set.linear.weight.transpose()))
                         : Matrix<float>();
}

std::vector<std::string> seeds() {
    SmallSet set = small_set();
    set.linear.weight << 1, 2, 3, 4, 5, 6;
    set.decay << 0.5, 0.25, 1;
    set.tokens << 7, 8;
    std::vector<std::string> seeds;
    for (const char* prefix : {"", "decoder."}) {
        TensorFile file;
        store_parameters(file, set, {.prefix = prefix});
        seeds.push_back(as_text(format_safetensors(file)));
        file.tensors[std::string(prefix) + "layers.0.version"] =
            make_tensor(std::span<const float>(std::array{3.F}), {1});
        file.checksum = true;
        seeds.push_back(as_text(format_safetensors(file)));
        const Matrix<float> input = Matrix<float>::Ones(2, 3);
        file.tensors["probe.input"] = make_tensor(MatrixView<const float>(input));
        const Matrix<float> replayed = output(set, input);
        file.tensors["probe.output"] = make_tensor(MatrixView<const float>(replayed));
        file.metadata["config"] = "{\"a\": [1, 2]}";
        seeds.push_back(as_text(format_safetensors(file)));
    }
    return seeds;
}

/// Calls f, which must leave the set alone where it refuses. Returns the id, 0 where it does not.
template <class F>
int untouched_after(SmallSet& set, int least, int most, F&& f) {
    try {
        f();
    } catch (const io_error& refused) {
        promise(refused.id() >= least && refused.id() <= most, "the id of a refusal");
        promise(is_zero(set), "parameters untouched");
        return refused.id();
    }
    promise(set.linear.weight.allFinite() && set.linear.bias.allFinite() && set.decay.allFinite(),
            "finite parameters");
    return 0;
}

}  // namespace

const FuzzTarget& fuzz_target() {
    static const FuzzTarget target = [] {
        FuzzTarget of = tensor_file_target(seeds());
        of.outcomes = {0, 903, 905, 920};
        return of;
    }();
    return target;
}

int fuzz(const std::string& input) {
    TensorFile file;
    try {
        file = parse_safetensors(as_bytes(input));
    } catch (const io_error& refused) {
        return refused.id();
    }
    for (const char* prefix : {"", "decoder."}) {
        try {
            const DecayOptions decay = fixed_decay(file, prefix);
            promise(decay.per_channel.size() > 0 || !file.tensors.empty(), "a decay from the file");
        } catch (const error& refused) {
            promise(refused.id() == 907 || refused.id() == 921, "the id of a decay");
        }
    }
    SmallSet probed = small_set();
    untouched_after(probed, 907, 931, [&] { load_model(file, probed, output); });

    int outcome = 0;
    for (const char* prefix : {"", "decoder."}) {
        const StateDictOptions options{.prefix = prefix, .ignorable = {"version"}};
        SmallSet set = small_set();
        outcome = untouched_after(set, 920, 920, [&] { load_parameters(file, set, options); });
        if (outcome != 0) continue;
        TensorFile again;
        store_parameters(again, set, options);
        SmallSet read = small_set();
        load_parameters(again, read, options);
        promise(read.linear.weight == set.linear.weight && read.linear.bias == set.linear.bias &&
                    read.decay == set.decay && read.tokens == set.tokens,
                "a round trip");
        return 0;
    }
    return outcome;
}

}  // namespace toeplitz::test
