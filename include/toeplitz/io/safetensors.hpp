// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The safetensors format: 8 bytes of header length, a JSON header, and the tensors' bytes without gaps.
///
/// A file is an untrusted guest. Every number of its header is checked against the file's size before memory
/// is taken or bytes are read by it, and a file that the reference implementation would refuse is refused.
/// Tensors of a type without conversion keep their bytes; fields that are not known are skipped, as there.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <toeplitz/io/checksum.hpp>
#include <toeplitz/io/file.hpp>
#include <toeplitz/io/json_events.hpp>
#include <toeplitz/io/tensor.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// What a safetensors file holds.
struct TensorFile {
    std::map<std::string, StoredTensor> tensors;
    std::map<std::string, std::string> metadata;
    std::string source = "in memory";  ///< where it was read from, for messages
    /// Whether the metadata in the file have an entry "toeplitz.checksum", of all bytes of the file: one is
    /// verified when the file is read, and a new one made when it is written.
    bool checksum = false;

    /// The tensor of this name. \throws io_error 908 where there is none
    const StoredTensor& at(const std::string& name) const {
        const auto found = tensors.find(name);
        if (found == tensors.end()) {
            detail::raise<io_error>(908, detail::text("TensorFile::at: file ", detail::in_quotes(source)),
                                    detail::text("a tensor ", detail::in_quotes(name)), "none of this name");
        }
        return found->second;
    }
};

/// Longest header that is read or written, as in the reference implementation.
inline constexpr std::size_t most_header_bytes = 100'000'000;
/// Most dimensions of a tensor.
inline constexpr std::size_t most_dimensions = 64;
/// Deepest nesting of JSON in fields that are not known, and skipped.
inline constexpr int most_nesting = 100;

namespace detail {

inline constexpr std::size_t length_bytes = sizeof(std::uint64_t);
inline constexpr const char* metadata_key = "__metadata__";
inline constexpr const char* checksum_key = "toeplitz.checksum";
/// What a checksum's value begins with. A damaged name of the entry does not make it one of somebody else's.
inline constexpr std::string_view checksum_kind = "toeplitz-crc64:";

/// Where the header puts the bytes of a tensor.
struct HeaderEntry {
    const std::string* name = nullptr;
    StoredTensor* tensor = nullptr;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

/// Takes a header from the events of the JSON parser. It knows at every point what may follow and stops at
/// anything else: no document is built first. Tensors go to the file, still without their bytes.
class HeaderBuilder final : public JsonEvents {
public:
    explicit HeaderBuilder(TensorFile& file) : file_(file) {}

    std::vector<HeaderEntry>& entries() noexcept { return entries_; }

    /// Id and text of what was wrong.
    int problem_id() const noexcept { return problem_id_; }
    std::string where() const {
        if (place_ == Place::metadata || place_ == Place::metadata_value) return "metadata";
        return name_.empty() || place_ == Place::file ? "header" : text("tensor ", in_quotes(name_));
    }
    const std::string& expected() const noexcept { return expected_; }
    const std::string& got() const noexcept { return got_; }

    bool null() override {
        if (place_ == Place::value && name_ == metadata_key) {  // none, says the reference implementation
            place_ = Place::file;
            return true;
        }
        return skips(0) || unexpected("null");
    }
    bool boolean(bool /*value*/) override { return skips(0) || unexpected("a boolean"); }
    bool number_integer(std::int64_t value) override { return skips(0) || unexpected(text(value)); }
    bool number_float(double /*value*/, const std::string& source) override {
        return skips(0) || unexpected(in_quotes(source));
    }
    bool binary(nlohmann::json::binary_t& /*value*/) override { return unexpected("bytes"); }

    bool number_unsigned(std::uint64_t value) override {
        if (place_ == Place::dimensions) {
            std::vector<Index>& shape = entry_.tensor->shape;
            if (shape.size() == most_dimensions) {
                return problem(905, text("at most ", most_dimensions, " dimensions"), "more");
            }
            if (!std::in_range<Index>(value)) return problem(905, "a dimension below 2^63", text(value));
            shape.push_back(static_cast<Index>(value));
            return true;
        }
        if (place_ == Place::offset_values) {
            if (offsets_ == 2) return unexpected("more numbers");
            (offsets_++ == 0 ? entry_.begin : entry_.end) = value;
            return true;
        }
        return skips(0) || unexpected(text(value));
    }

    bool string(std::string& value) override {
        if (place_ == Place::metadata_value) {
            file_.metadata[metadata_name_] = std::move(value);
            place_ = Place::metadata;
            return true;
        }
        if (place_ == Place::dtype) {
            place_ = Place::fields;
            for (const DtypeRow& row : dtype_table) {
                if (value == row.name) {
                    entry_.tensor->dtype = row.dtype;
                    return true;
                }
            }
            std::string known;
            for (const DtypeRow& row : dtype_table) known.append(" ").append(row.name);
            return problem(904, text("a dtype out of", known), in_quotes(value));
        }
        return skips(0) || unexpected("a string");
    }

    bool start_object(std::size_t /*size*/) override {
        if (place_ == Place::start) {
            place_ = Place::file;
        } else if (place_ == Place::value && name_ == metadata_key) {
            place_ = Place::metadata;
        } else if (place_ == Place::value) {
            place_ = Place::fields;
        } else {
            return skips(1) || unexpected("an object");
        }
        return true;
    }

    bool key(std::string& value) override {
        if (place_ == Place::file) {
            name_ = value;
            place_ = Place::value;
            const auto twice = [&] { return problem(904, "different names", "this one twice"); };
            if (value == metadata_key) {
                if (has_metadata_) return twice();
                has_metadata_ = true;
                return true;
            }
            const auto [at, is_new] = file_.tensors.try_emplace(std::move(value));
            if (!is_new) return twice();
            entry_ = {.name = &at->first, .tensor = &at->second, .begin = 0, .end = 0};
            offsets_ = 0;
            has_dtype_ = has_shape_ = has_offsets_ = false;
            return true;
        }
        if (place_ == Place::metadata) {
            if (file_.metadata.count(value) != 0) {
                return problem(904, "different keys", text(in_quotes(value), " twice"));
            }
            metadata_name_ = std::move(value);
            place_ = Place::metadata_value;
            return true;
        }
        return place_ == Place::skipped || field(value);
    }

    bool end_object() override {
        if (place_ == Place::skipped) return skips(-1);
        if (place_ == Place::fields) {
            const char* missing = !has_dtype_     ? "dtype"
                                  : !has_shape_   ? "shape"
                                  : !has_offsets_ ? "data_offsets"
                                                  : nullptr;
            if (missing != nullptr) {
                return problem(904, "dtype, shape and data_offsets", text("no ", missing));
            }
            entries_.push_back(entry_);
        }
        place_ = Place::file;
        return true;
    }

    bool start_array(std::size_t /*size*/) override {
        if (place_ == Place::shape) {
            place_ = Place::dimensions;
        } else if (place_ == Place::offsets) {
            place_ = Place::offset_values;
        } else {
            return skips(1) || unexpected("an array");
        }
        return true;
    }

    bool end_array() override {
        if (place_ == Place::skipped) return skips(-1);
        if (place_ == Place::offset_values && offsets_ != 2) return unexpected(text(offsets_, " numbers"));
        place_ = Place::fields;
        return true;
    }

    bool parse_error(std::size_t /*position*/, const std::string& /*token*/,
                     const nlohmann::json::exception& problem_found) override {
        return problem(903, "a header of valid JSON in UTF-8", in_quotes(problem_found.what()));
    }

private:
    /// What the next event belongs to.
    enum class Place {
        start,
        file,
        value,
        fields,
        dtype,
        shape,
        dimensions,
        offsets,
        offset_values,
        metadata,
        metadata_value,
        skipped,
    };

    /// Inside a field that is not known: takes a value, or with ±1 the begin or end of an array or object.
    bool skips(int nesting) {
        if (place_ != Place::skipped || (nesting_ += nesting) > most_nesting) return false;
        if (nesting_ == 0) place_ = Place::fields;
        return true;
    }

    bool field(const std::string& value) {
        bool* given = nullptr;
        if (value == "dtype") {
            given = &has_dtype_;
            place_ = Place::dtype;
        } else if (value == "shape") {
            given = &has_shape_;
            place_ = Place::shape;
        } else if (value == "data_offsets") {
            given = &has_offsets_;
            place_ = Place::offsets;
        } else {  // the reference implementation skips it as well
            place_ = Place::skipped;
            nesting_ = 0;
            return true;
        }
        if (*given) return problem(904, "each field once", text(in_quotes(value), " twice"));
        *given = true;
        return true;
    }

    bool unexpected(std::string got) {
        const auto* const what = [this] {
            switch (place_) {
                case Place::start:
                    return "an object of tensors";
                case Place::value:
                    return "an object";
                case Place::dtype:
                    return "a string as dtype";
                case Place::shape:
                case Place::dimensions:
                    return "an array of whole numbers from 0 on as shape";
                case Place::offsets:
                case Place::offset_values:
                    return "two whole numbers from 0 on as data_offsets";
                case Place::skipped:
                    return "no deeper nesting in fields that are not known";
                default:
                    return "strings only";
            }
        }();
        return problem(904, what, std::move(got));
    }

    bool problem(int id, std::string expected, std::string got) {
        problem_id_ = id;
        expected_ = std::move(expected);
        got_ = std::move(got);
        return false;
    }

    TensorFile& file_;
    std::vector<HeaderEntry> entries_;
    Place place_ = Place::start;
    std::string name_;
    std::string metadata_name_;
    HeaderEntry entry_;
    int offsets_ = 0;
    int nesting_ = 0;
    bool has_metadata_ = false;
    bool has_dtype_ = false;
    bool has_shape_ = false;
    bool has_offsets_ = false;
    int problem_id_ = 0;
    std::string expected_;
    std::string got_;
};

/// Where in a file something is wrong, and the throw.
class FileComplaint {
public:
    FileComplaint(const char* function, std::string_view source)
        : where_(text(function, ": file ", in_quotes(source))) {}

    [[noreturn]] void raise(int id, std::string_view expected, std::string_view got) const {
        detail::raise<io_error>(id, where_, expected, got);
    }
    [[noreturn]] void raise(int id, std::string_view part, std::string_view expected,
                            std::string_view got) const {
        detail::raise<io_error>(id, text(where_, ", ", part), expected, got);
    }

private:
    std::string where_;
};

/// Fills tensors, but for their bytes, and metadata.
/// \throws io_error 903, 904, 905
inline std::vector<HeaderEntry> parse_header(std::string_view json, TensorFile& file,
                                             const FileComplaint& complaint) {
    // The parser takes a zero byte for the end and would not look at what follows.
    if (json.empty() || json.front() != '{' || json.find('\0') != std::string_view::npos) {
        complaint.raise(903, "a header that begins with '{' and has no zero bytes",
                        in_quotes(json.substr(0, 16)));
    }
    HeaderBuilder builder(file);
    if (!parse_json<nlohmann::json>(json, builder)) {
        complaint.raise(builder.problem_id(), builder.where(), builder.expected(), builder.got());
    }
    return std::move(builder.entries());
}

/// Shapes must fit the bytes, and the bytes of all tensors must tile the data. Sorts the entries by offset.
/// \throws io_error 905, 906
inline void check_layout(std::vector<HeaderEntry>& entries, std::uint64_t data_bytes,
                         const FileComplaint& complaint) {
    for (const HeaderEntry& entry : entries) {
        const StoredTensor& stored = *entry.tensor;
        const auto tensor = [&] { return text("tensor ", in_quotes(*entry.name)); };
        const auto range = [&] { return text("[", entry.begin, ", ", entry.end, ")"); };
        if (entry.begin > entry.end) complaint.raise(906, tensor(), "begin <= end as data_offsets", range());
        if (entry.end > data_bytes) {
            complaint.raise(906, tensor(), text("data_offsets within ", data_bytes, " bytes of data"),
                            range());
        }
        const auto shape = [&] {
            return text(dtype_name(stored.dtype), " of shape ", shape_text(stored.shape));
        };
        TensorSize size;
        if (!measure(stored.shape, stored.dtype, size)) {
            complaint.raise(905, tensor(), "whole bytes, fewer than 2^60", shape());
        }
        if (size.bytes != entry.end - entry.begin) {
            complaint.raise(905, tensor(), text(size.bytes, " bytes for ", shape()),
                            text(entry.end - entry.begin));
        }
    }

    std::sort(entries.begin(), entries.end(), [](const HeaderEntry& a, const HeaderEntry& b) {
        return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::uint64_t filled = 0;
    for (const HeaderEntry& entry : entries) {
        if (entry.begin != filled) {
            complaint.raise(906, text("tensor ", in_quotes(*entry.name)),
                            text("data from offset ", filled, " on, without gap or overlap"),
                            text("offset ", entry.begin));
        }
        filled = entry.end;
    }
    if (filled != data_bytes) {
        complaint.raise(906, text("data of ", filled, " bytes"), text(data_bytes - filled, " bytes more"));
    }
}

/// The metadata's entry of a checksum as the writer puts it.
inline std::string checksum_entry(std::string_view value) {
    return text("\"", checksum_key, "\":\"", value, "\"");
}

/// Takes the entry of a checksum out of the metadata, and its digits out of the header. Returns the value;
/// empty where there is none.
/// \throws io_error 913 where half of one is left
inline std::string take_checksum(std::map<std::string, std::string>& metadata, std::string& header,
                                 const FileComplaint& complaint) {
    const auto entry = metadata.find(checksum_key);
    const bool has_value = std::any_of(metadata.begin(), metadata.end(), [](const auto& named) {
        return named.second.starts_with(checksum_kind);
    });
    if (entry == metadata.end() && !has_value) return {};
    const std::size_t at =
        entry == metadata.end() ? std::string::npos : header.find(checksum_entry(entry->second));
    if (at == std::string::npos || !entry->second.starts_with(checksum_kind)) {
        complaint.raise(913, "metadata", text(in_quotes(checksum_key), " as it was written"), "another one");
    }
    std::string value = std::move(metadata.extract(entry).mapped());
    const std::size_t digits = at + checksum_entry(checksum_kind).size() - 1;
    const std::size_t count = value.size() - checksum_kind.size();
    header.replace(digits, count, count, '0');
    return value;
}

/// What a file that is none of tensors seems to be, and what to do about it; empty where that is not known.
inline std::string_view known_kind(std::uint64_t first_bytes) {
    std::array<char, length_bytes> bytes{};
    std::memcpy(bytes.data(), &first_bytes, length_bytes);
    const std::string_view start(bytes.data(), bytes.size());
    if (start.starts_with("PK")) {
        return "a zip archive, as torch.save and numpy.savez write; for a .pt file, in Python: "
               "safetensors.torch.save_file(torch.load(FILE, weights_only=True), NEW_FILE)";
    }
    if (start[0] == '\x80' && start[1] >= 2 && start[1] <= 5) {
        return "a Python pickle, as old versions of torch.save write; in Python: "
               "safetensors.torch.save_file(torch.load(FILE, weights_only=True), NEW_FILE)";
    }
    const auto is_text = [](char c) { return (c >= ' ' && c <= '~') || c == '\n' || c == '\r' || c == '\t'; };
    return std::all_of(start.begin(), start.end(), is_text) ? "text" : "";
}

/// Reads a file of `size` bytes through read(offset, span), which fills the span.
template <class Read>
TensorFile read_tensor_file(std::uint64_t size, Read&& read, const FileComplaint& complaint) {
    if (size < length_bytes) complaint.raise(902, "8 bytes of header length", text(size, " bytes"));
    std::uint64_t header_bytes = 0;
    read(0, std::as_writable_bytes(std::span(&header_bytes, 1)));
    if (header_bytes > most_header_bytes || header_bytes > size - length_bytes) {
        const std::string_view kind = known_kind(header_bytes);
        if (!kind.empty()) complaint.raise(914, "a safetensors file", kind);
    }
    if (header_bytes > most_header_bytes) {
        complaint.raise(902,
                        text("a safetensors file, with a header of at most ", most_header_bytes, " bytes"),
                        text("one of ", header_bytes));
    }
    if (header_bytes > size - length_bytes) {
        complaint.raise(902, text("a header of ", header_bytes, " bytes"),
                        text(size - length_bytes, " bytes after the header length"));
    }

    std::string json(to_size(header_bytes), '\0');
    read(length_bytes, std::as_writable_bytes(std::span(json)));
    TensorFile file;
    std::vector<HeaderEntry> entries = parse_header(json, file, complaint);
    const std::uint64_t data_begin = length_bytes + header_bytes;
    check_layout(entries, size - data_begin, complaint);
    const std::string checksum = take_checksum(file.metadata, json, complaint);
    file.checksum = !checksum.empty();
    Crc64 crc;
    if (file.checksum) {
        crc.add(std::as_bytes(std::span(&header_bytes, 1))).add(std::as_bytes(std::span(json)));
    }
    json = {};

    for (const HeaderEntry& entry : entries) {
        std::vector<std::byte>& bytes = entry.tensor->bytes;
        bytes.resize(to_size(entry.end - entry.begin));
        read(data_begin + entry.begin, std::span(bytes));
        if (file.checksum) crc.add(bytes);
    }
    const std::string found = text(checksum_kind, crc.text());
    if (file.checksum && found != checksum) {
        complaint.raise(913, text("content of the checksum ", in_quotes(checksum)), in_quotes(found));
    }
    return file;
}

/// The same for a guest that may ask for more memory than there is.
/// \throws io_error 902 to 906, 909, 913, 914
template <class Read>
TensorFile read_tensor_file(std::uint64_t size, Read&& read, const char* function, std::string source) {
    const FileComplaint complaint(function, source);
#if defined(__cpp_exceptions)
    try {
#endif
        TensorFile file = read_tensor_file(size, read, complaint);
        file.source = std::move(source);
        return file;
#if defined(__cpp_exceptions)
    } catch (const std::bad_alloc&) {
        complaint.raise(909, text("memory for a file of ", size, " bytes"), "too little");
    }
#endif
}

/// Bytes of the character of UTF-8 at the start of `rest`; 0 where there is none.
inline std::size_t character_bytes(std::string_view rest) noexcept {
    const auto byte = [&](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(rest[i]));
    };
    const std::uint32_t lead = byte(0);
    if (lead < 0x80) return 1;
    const std::size_t count = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    if (count == 0 || rest.size() < count) return 0;
    std::uint32_t code = lead & (0x7FU >> count);
    for (std::size_t i = 1; i < count; ++i) {
        if ((byte(i) & 0xC0U) != 0x80) return 0;
        code = code << 6U | (byte(i) & 0x3FU);
    }
    // Longer than necessary, half of a pair of UTF-16, beyond the last character.
    const bool wrong = (count == 3 && code < 0x800) || (count == 4 && code < 0x10000) ||
                       (code >= 0xD800 && code < 0xE000) || code > 0x10FFFF;
    return wrong ? 0 : count;
}

/// Appends a JSON string; false where the value is not UTF-8.
inline bool append_json(std::string& to, std::string_view value) {
    constexpr const char* digits = "0123456789abcdef";
    to.push_back('"');
    while (!value.empty()) {
        const std::size_t count = character_bytes(value);
        if (count == 0) return false;
        const char c = value.front();
        if (c == '"' || c == '\\') {
            to.append({'\\', c});
        } else if (static_cast<unsigned char>(c) < 0x20) {
            to.append("\\u00").append({c < 0x10 ? '0' : '1', digits[c & 0xF]});
        } else {
            to.append(value.substr(0, count));
        }
        value.remove_prefix(count);
    }
    to.push_back('"');
    return true;
}

/// The header with its length, and the tensors in the order of their bytes.
/// \throws io_error 907, 911
inline std::pair<std::string, std::vector<const StoredTensor*>> lay_out(const TensorFile& file,
                                                                        const FileComplaint& complaint) {
    using Named = std::pair<const std::string, StoredTensor>;
    std::vector<const Named*> order;
    for (const Named& named : file.tensors) order.push_back(&named);
    // As the reference implementation: larger elements first, so that all are aligned; equal ones by name.
    std::stable_sort(order.begin(), order.end(),
                     [](const Named* a, const Named* b) { return a->second.dtype > b->second.dtype; });

    std::string header(length_bytes, '\0');
    const auto append = [&](const std::string& value, const char* what) {
        if (!append_json(header, value)) complaint.raise(911, text(what, " in UTF-8"), in_quotes(value));
    };
    const auto begin_member = [&] { header.append(header.size() == length_bytes ? "{" : ","); };
    if (file.metadata.count(checksum_key) != 0) {
        complaint.raise(911, "other metadata", in_quotes(checksum_key));
    }
    const std::string no_checksum(16, '0');
    if (file.checksum || !file.metadata.empty()) {
        begin_member();
        header.append("\"").append(metadata_key).append("\":{");
        const char* separator = "";
        if (file.checksum) {
            header.append(checksum_entry(text(checksum_kind, no_checksum)));
            separator = ",";
        }
        for (const auto& [key, value] : file.metadata) {
            header.append(separator);
            append(key, "metadata");
            header.push_back(':');
            append(value, "metadata");
            separator = ",";
        }
        header.append("}");
    }

    std::vector<const StoredTensor*> tensors;
    std::size_t offset = 0;
    for (const auto* const named : order) {
        const auto& [name, tensor] = *named;
        if (name == metadata_key) complaint.raise(911, "a tensor's name", in_quotes(name));
        if (tensor.shape.size() > most_dimensions) {
            complaint.raise(911, text("tensor ", in_quotes(name)),
                            text("at most ", most_dimensions, " dimensions"), text(tensor.shape.size()));
        }
        static_cast<void>(tensor.size());  // throws where the bytes do not fit
        const std::size_t end = offset + tensor.bytes.size();
        begin_member();
        append(name, "a name");
        header.append(":{\"dtype\":\"").append(dtype_name(tensor.dtype));
        header.append("\",\"shape\":[");
        for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
            header.append(i == 0 ? "" : ",").append(std::to_string(tensor.shape[i]));
        }
        header.append(text("],\"data_offsets\":[", offset, ",", end, "]}"));
        offset = end;
        tensors.push_back(&tensor);
    }
    header.append(header.size() == length_bytes ? "{}" : "}");
    header.append((length_bytes - header.size() % length_bytes) % length_bytes, ' ');

    const std::uint64_t header_bytes = header.size() - length_bytes;
    if (header_bytes > most_header_bytes) {
        complaint.raise(911, text("a header of at most ", most_header_bytes, " bytes"), text(header_bytes));
    }
    std::memcpy(header.data(), &header_bytes, length_bytes);
    if (file.checksum) {
        Crc64 crc;
        crc.add(std::as_bytes(std::span(header)));
        for (const StoredTensor* tensor : tensors) crc.add(tensor->bytes);
        header.replace(header.find(no_checksum), no_checksum.size(), crc.text());
    }
    return {std::move(header), std::move(tensors)};
}

}  // namespace detail

/// Reads a file.
/// \throws io_error 901 (no access), 902 (truncated), 903 (not JSON), 904 (not a header), 905 (shapes),
///         906 (offsets), 909 (memory), 913 (checksum), 914 (another kind of file)
/// Cost the bytes | heap: the file's content | thread-safe: yes
inline TensorFile read_safetensors(const std::string& path) {
    const detail::FileReader reader(path, "read_safetensors");
    return detail::read_tensor_file(
        reader.size(), [&](std::uint64_t offset, std::span<std::byte> to) { reader.read(offset, to); },
        "read_safetensors", path);
}

/// Reads a file that lies in memory. `source` is its name in messages.
/// \throws io_error 902 to 906, 909, 913, 914
inline TensorFile parse_safetensors(std::span<const std::byte> bytes, std::string source = "in memory") {
    return detail::read_tensor_file(
        bytes.size(),
        [&](std::uint64_t offset, std::span<std::byte> to) {
            if (!to.empty()) std::memcpy(to.data(), bytes.data() + offset, to.size());
        },
        "parse_safetensors", std::move(source));
}

/// The bytes of a file: the same for the same content, tensors by element size and name.
/// \throws io_error 907 (bytes of a tensor do not fit its shape), 911 (a name, or too many of them)
inline std::vector<std::byte> format_safetensors(const TensorFile& file) {
    const auto [header, tensors] = detail::lay_out(file, {"format_safetensors", file.source});
    const auto head = std::as_bytes(std::span(header));
    std::vector<std::byte> bytes(head.begin(), head.end());
    for (const StoredTensor* tensor : tensors) {
        bytes.insert(bytes.end(), tensor->bytes.begin(), tensor->bytes.end());
    }
    return bytes;
}

/// Writes a file, as replace_file does: completely or not at all.
/// \throws io_error 907, 910 (the file cannot be written; an old one is intact), 911
/// Cost the bytes, and waiting for the disk | heap: the header | thread-safe: yes
inline void write_safetensors(const std::string& path, const TensorFile& file) {
    const auto [header, tensors] = detail::lay_out(file, {"write_safetensors", path});
    std::vector<std::span<const std::byte>> parts{std::as_bytes(std::span(header))};
    for (const StoredTensor* tensor : tensors) parts.emplace_back(tensor->bytes);
    replace_file(path, parts, "write_safetensors");
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
