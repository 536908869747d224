// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Safetensors files put together by hand, right and wrong ones, and folders to write files into.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include <toeplitz/io/safetensors.hpp>

namespace toeplitz::test {

/// A file of this header and data; the header length may lie.
inline std::string raw_file(const std::string& header, const std::string& data, std::uint64_t length) {
    std::string bytes(sizeof(length), '\0');
    std::memcpy(bytes.data(), &length, sizeof(length));
    return bytes.append(header).append(data);
}
inline std::string raw_file(const std::string& header, const std::string& data = {}) {
    return raw_file(header, data, header.size());
}

inline std::span<const std::byte> as_bytes(const std::string& text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// One header entry: "name":{"dtype":…,"shape":…,"data_offsets":…}.
inline std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                         const std::string& offsets) {
    std::string text = "\"";
    text.append(name).append("\":{\"dtype\":\"").append(dtype).append("\",\"shape\":").append(shape);
    return text.append(",\"data_offsets\":").append(offsets).append("}");
}

/// A tensor of every element type, in several shapes, and metadata.
inline TensorFile sample_file() {
    TensorFile file;
    unsigned next = 1;
    for (const auto& [dtype, type_name, bits, converts] : detail::dtype_table) {
        StoredTensor tensor{dtype, {2, 4}, std::vector<std::byte>(static_cast<std::size_t>(bits))};
        for (std::byte& byte : tensor.bytes) {
            byte = dtype == Dtype::boolean ? std::byte(next++ & 1U) : std::byte(next++ * 37U);
        }
        file.tensors.emplace(detail::text("layers.0.", type_name), std::move(tensor));
    }
    file.tensors["scalar"] = make_tensor(std::span<const double>(std::array{0.1}), {});
    file.tensors["empty"] = {Dtype::f32, {4, 0, 5}, {}};
    file.tensors["name \"of\" \\ Ünïcode \t"] =
        make_tensor(std::span<const float>(std::array{1.5F, -2.F}), {1, 2, 1});
    file.metadata = {{"config", "{\"layers\": 3}"}, {"λ", "line\nbreak\x01"}};
    return file;
}

inline std::string read_bytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void write_bytes(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

/// An empty folder that is removed with what it holds.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "toeplitz-test-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
        path_ = name;
    }
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    std::string operator/(const std::string& name) const { return (path_ / name).string(); }
    std::size_t entries() const {
        const std::filesystem::directory_iterator all(path_);
        return static_cast<std::size_t>(std::distance(begin(all), end(all)));
    }

private:
    std::filesystem::path path_;
};

}  // namespace toeplitz::test
