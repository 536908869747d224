// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What must hold for every file that a reader is given, and the files to begin with.

#include <stdexcept>
#include <string>
#include <vector>

#include <support/tensor_files.hpp>

#include <toeplitz/dense/linear.hpp>
#include <toeplitz/io/model_file.hpp>

namespace toeplitz::test {

/// Parameters as small as those in the seeds.
inline LinearParameters<float> guest_parameters() {
    return {Matrix<float>::Zero(2, 3), Vector<float>::Zero(2)};
}

inline Matrix<float> guest_output(const LinearParameters<float>& parameters, MatrixView<const float> x) {
    return x.eigen().lazyProduct(parameters.weight.transpose());
}

/// Reads the file in every way. Returns 0 if it is a valid safetensors file, otherwise the error's id.
/// \throws std::logic_error where a promise is broken
inline int visit_guest(std::span<const std::byte> bytes) {
    const auto promise = [](bool kept, const char* what) {
        if (!kept) throw std::logic_error(what);
    };
    TensorFile file;
    try {
        file = parse_safetensors(bytes, "guest");
    } catch (const io_error& refused) {
        promise((refused.id() >= 902 && refused.id() <= 906) || refused.id() == 913, "the id of a refusal");
        promise(std::string(refused.what()).size() < 4096, "a message of bounded length");
        return refused.id();
    }

    std::size_t data = 0;
    for (const auto& [name, tensor] : file.tensors) {
        data += tensor.bytes.size();
        std::vector<float> numbers(static_cast<std::size_t>(tensor.size()));
        std::vector<Token> tokens(numbers.size());
        try {
            tensor.copy_to(std::span(numbers));
            tensor.copy_to(std::span(tokens));
        } catch (const io_error& refused) {
            promise(refused.id() == 907, "the id of a conversion");
        }
    }
    std::uint64_t header = 0;
    std::memcpy(&header, bytes.data(), sizeof(header));
    promise(sizeof(header) + header + data == bytes.size(), "tensors that fill the file");
    const TensorFile again = parse_safetensors(format_safetensors(file));
    promise(
        again.tensors == file.tensors && again.metadata == file.metadata && again.checksum == file.checksum,
        "a round trip");

    LinearParameters<float> parameters = guest_parameters();
    try {
        load_parameters(file, parameters);
        promise(parameters.weight.allFinite() && parameters.bias.allFinite(), "finite parameters");
    } catch (const io_error& refused) {
        promise(refused.id() == 920, "the id of mismatches");
        promise(parameters.weight.isZero(0) && parameters.bias.isZero(0), "parameters untouched");
    }
    parameters = guest_parameters();
    try {
        load_model(file, parameters, [](const LinearParameters<float>& p, MatrixView<const float> x) {
            return x.cols() == 3 ? guest_output(p, x) : Matrix<float>();
        });
    } catch (const io_error& refused) {
        promise(refused.id() >= 907 && refused.id() <= 931, "the id of a model file");
        promise(parameters.weight.isZero(0) && parameters.bias.isZero(0), "parameters untouched");
    }
    return 0;
}

/// Valid files of all kinds, and some that are nearly valid.
inline std::vector<std::string> guest_seeds() {
    std::vector<std::string> seeds;
    seeds.push_back(as_text(format_safetensors({})));
    seeds.push_back(as_text(format_safetensors(sample_file())));

    TensorFile model;
    LinearParameters<float> parameters = guest_parameters();
    parameters.weight << 1, 2, 3, 4, 5, 6;
    store_parameters(model, parameters);
    const Matrix<float> input = Matrix<float>::Ones(2, 3);
    model.tensors["probe.input"] = make_tensor(MatrixView<const float>(input));
    const Matrix<float> output = guest_output(parameters, input);
    model.tensors["probe.output"] = make_tensor(MatrixView<const float>(output));
    model.metadata["config"] = "{\"a\": [1, 2]}";
    seeds.push_back(as_text(format_safetensors(model)));
    model.checksum = true;
    seeds.push_back(as_text(format_safetensors(model)));

    const std::string a = entry("a", "U8", "[2]", "[0,2]");
    for (const std::string& entries :
         {a, a + "," + entry("b", "F16", "[]", "[2,4]"), a + "," + entry("b", "I8", "[0,9]", "[2,2]"),
          a + "," + entry("a", "U8", "[2]", "[2,4]"), a + "," + entry("gap", "U8", "[1]", "[3,4]"),
          a + "," + entry("overlap", "U8", "[3]", "[1,4]"),
          entry("x", "F64", "[4294967296,4294967296]", "[0,4]"), entry("x", "BOOL", "[-1]", "[0,4]"),
          entry("x", "BF16", "[2]", "[4,0]"), entry("\\ud83d\\ude00", "U8", "[4]", "[0,4]"),
          std::string("\"__metadata__\":{\"k\":\"v\"}," + a), std::string("\"__metadata__\":null," + a),
          std::string("\"a\":{\"x\":[{},[1]],\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[0,2]}"),
          std::string("\"a\":[[[[[[1.5e300,-1,true,null]]]]]]")}) {
        seeds.push_back(raw_file("{" + entries + "}", "\1\2\3\4"));
        seeds.push_back(raw_file("{" + entries + "}  ", "\1\2"));
    }
    return seeds;
}

}  // namespace toeplitz::test
