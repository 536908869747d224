// SPDX-License-Identifier: MIT
/// \file
/// The format itself: a file is refused, or read completely and written again.

#include <fuzz/tensor_files.hpp>

namespace toeplitz::test {
namespace {

std::vector<std::string> seeds() {
    std::vector<std::string> seeds;
    TensorFile file;
    seeds.push_back(as_text(format_safetensors(file)));
    file = sample_file();
    seeds.push_back(as_text(format_safetensors(file)));
    file.checksum = true;
    seeds.push_back(as_text(format_safetensors(file)));

    const std::string a = entry("a", "U8", "[2]", "[0,2]");
    for (const std::string& entries :
         {a, a + "," + entry("b", "F16", "[]", "[2,4]"), a + "," + entry("b", "I8", "[0,9]", "[2,2]"),
          a + "," + entry("a", "U8", "[2]", "[2,4]"), a + "," + entry("gap", "U8", "[1]", "[3,4]"),
          a + "," + entry("overlap", "U8", "[3]", "[1,4]"),
          entry("x", "F64", "[4294967296,4294967296]", "[0,4]"), entry("x", "BOOL", "[-1]", "[0,4]"),
          entry("x", "BF16", "[2]", "[4,0]"), entry("\\ud83d\\ude00", "U8", "[4]", "[0,4]"),
          std::string("\"__metadata__\":{\"k\":\"v\"},").append(a),
          std::string("\"__metadata__\":null,").append(a),
          std::string("\"a\":{\"x\":[{},[1]],\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[0,2]}"),
          std::string("\"a\":[[[[[[1.5e300,-1,true,null]]]]]]")}) {
        seeds.push_back(raw_file("{" + entries + "}", "\1\2\3\4"));
        seeds.push_back(raw_file("{" + entries + "}  ", "\1\2"));
    }
    return seeds;
}

}  // namespace

const FuzzTarget& fuzz_target() {
    static const FuzzTarget target = [] {
        FuzzTarget of = tensor_file_target(seeds());
        of.outcomes = {0, 902, 903, 904, 905, 906};
        of.mutations = 50'000;
        return of;
    }();
    return target;
}

int fuzz(const std::string& input) {
    const auto bytes = as_bytes(input);
    TensorFile file;
    try {
        file = parse_safetensors(bytes, "guest");
    } catch (const io_error& refused) {
        promise((refused.id() >= 902 && refused.id() <= 906) || refused.id() == 913 || refused.id() == 914,
                "the id of a refusal");
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
    return 0;
}

}  // namespace toeplitz::test
