// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Mutations that leave a safetensors file one: lengths and checksum are repaired, or what it holds is
/// changed.

#include <cstring>

#include <fuzz/mutator.hpp>
#include <support/tensor_files.hpp>

namespace toeplitz::test {

/// Makes the header end at the last brace.
inline void repair_header_length(std::string& bytes) {
    constexpr std::size_t start = sizeof(std::uint64_t);
    const std::size_t brace = bytes.rfind('}');
    if (brace == std::string::npos || brace < start) return;
    const std::uint64_t length = brace + 1 - start;
    std::memcpy(bytes.data(), &length, start);
}

/// Puts the right digits into an entry of a checksum, where there is one.
inline void repair_checksum(std::string& bytes) {
    const std::size_t at = bytes.find(detail::checksum_kind);
    constexpr std::size_t digits = 16;
    if (at == std::string::npos || bytes.size() < at + detail::checksum_kind.size() + digits) return;
    const std::size_t first = at + detail::checksum_kind.size();
    bytes.replace(first, digits, digits, '0');
    bytes.replace(first, digits, Crc64().add(as_bytes(bytes)).text());
}

/// Changes one tensor or one entry of the metadata.
inline void change_file(TensorFile& file, Mutator& mutate, const FuzzTarget& target) {
    const auto text = [&](std::string from) {
        mutate.change(from, target);
        return from;
    };
    if (file.tensors.empty() || (!file.metadata.empty() && mutate.below(3) == 0)) {
        if (file.metadata.empty()) return;
        const auto& [key, value] = mutate.one_of(file.metadata);
        const std::string changed = text(value);
        const std::string old = key;
        if (mutate.below(8) == 0) file.metadata.erase(old);
        file.metadata[mutate.below(8) == 0 ? text(old) : old] = changed;
        return;
    }
    const std::string name = mutate.one_of(file.tensors).first;
    StoredTensor tensor = file.tensors[name];
    switch (mutate.below(6)) {
        case 0:
            file.tensors.erase(name);
            return;
        case 1:
            file.tensors[text(name)] = tensor;
            return;
        case 2:
            std::swap(tensor.bytes, file.tensors[mutate.one_of(file.tensors).first].bytes);
            break;
        case 3:
            tensor.dtype = mutate.one_of(detail::dtype_table).dtype;
            break;
        case 4:
            if (!tensor.bytes.empty())
                tensor.bytes[mutate.below(tensor.bytes.size())] = std::byte(mutate.below(256));
            break;
        default:
            tensor.shape.insert(
                tensor.shape.begin() + static_cast<std::ptrdiff_t>(mutate.below(tensor.shape.size() + 1)),
                static_cast<Index>(mutate.below(4)));
    }
    // As many bytes as that needs, unless it is out of bounds.
    detail::TensorSize size;
    if (detail::measure(tensor.shape, tensor.dtype, size) && size.bytes < 4096) {
        tensor.bytes.resize(size.bytes, std::byte{1});
    }
    file.tensors[name] = std::move(tensor);
}

/// The files' words, repair and restructuring.
inline FuzzTarget tensor_file_target(std::vector<std::string> seeds) {
    FuzzTarget target;
    target.seeds = std::move(seeds);
    target.words = {"\"dtype\":",
                    "\"shape\":",
                    "\"data_offsets\":",
                    "\"__metadata__\":{",
                    "\"toeplitz.checksum\":\"toeplitz-crc64:0000000000000000\"",
                    "\"F64\"",
                    "\"F32\"",
                    "\"F16\"",
                    "\"BF16\"",
                    "\"F4\"",
                    "\"I64\"",
                    "\"U8\"",
                    "\"BOOL\"",
                    "\"weight\":{",
                    "\"bias\":{",
                    "\"probe.input\":{",
                    "\"probe.output\":{",
                    "[0,0]",
                    "[]",
                    "{}",
                    "},",
                    "\\u0000",
                    "\\ud83d\\ude00"};
    target.repair = [](std::string& bytes) {
        repair_header_length(bytes);
        repair_checksum(bytes);
    };
    target.restructure = [](std::string& bytes, Mutator& mutate) {
        try {
            TensorFile file = parse_safetensors(as_bytes(bytes));
            change_file(file, mutate, fuzz_target());
            bytes = as_text(format_safetensors(file));
            return true;
        } catch (const io_error&) {  // no file, or what none can hold
            return false;
        }
    };
    return target;
}

}  // namespace toeplitz::test
