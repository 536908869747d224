// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// States of streams in files.

#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <toeplitz/core/memory.hpp>
#include <toeplitz/io/file.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Writes the state of a stream, a kernel's or a model's, as replace_file does: completely or not at all. The
/// file is what plan.save writes, and its checksum.
/// \throws shape_error 1002 (another plan's state), io_error 910 (the file cannot be written; an old one is
/// intact)
/// heap: the bytes of the state | thread-safe: yes
template <class Plan>
void save_stream_state(const std::string& path, const Plan& plan, const typename Plan::State& state) {
    std::vector<std::byte> bytes(plan.saved_bytes(state));
    plan.save(state, bytes);
    const std::string checksum = Crc64().add(bytes).text();
    const std::span<const std::byte> parts[] = {bytes, std::as_bytes(std::span(checksum))};
    replace_file(path, parts, "save_stream_state");
}

/// Makes a state what it was when it was saved.
/// \throws io_error 901 (no access), 913 (damaged, or no such file); shape_error and value_error as
/// plan.restore; the state is as before then
/// heap: the file | thread-safe: yes
template <class Plan>
void load_stream_state(const std::string& path, const Plan& plan, typename Plan::State& state) {
    const detail::FileReader reader(path, "load_stream_state");
    const std::size_t digits = Crc64().text().size();
    if (!std::in_range<Index>(reader.size())) detail::throw_bad_alloc();
    std::vector<std::byte> bytes(detail::to_size(reader.size()));
    reader.read(0, bytes);
    const std::size_t size = bytes.size() < digits ? 0 : bytes.size() - digits;
    const std::span<const std::byte> saved = std::span(bytes).first(size);
    const std::string checksum = Crc64().add(saved).text();
    if (bytes.size() < digits || std::memcmp(checksum.data(), bytes.data() + size, digits) != 0) {
        detail::raise<io_error>(913, detail::text("load_stream_state: file ", detail::in_quotes(path)),
                                "the state of a stream and its checksum", "other content");
    }
    plan.restore(saved, state);
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
