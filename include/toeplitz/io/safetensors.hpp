// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The safetensors format: 8 bytes of header length, a JSON header, and the tensors' bytes without gaps.
///
/// A file is an untrusted guest. Every number of its header is checked against the file's size before memory
/// is taken or bytes are read by it, and a file that the reference implementation would refuse is refused.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <toeplitz/io/file.hpp>
#include <toeplitz/io/tensor.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// What a safetensors file holds.
struct TensorFile {
    std::map<std::string, StoredTensor> tensors;
    std::map<std::string, std::string> metadata;
    std::string source = "in memory";  ///< where it was read from, for messages

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

namespace detail {

inline constexpr std::size_t length_bytes = sizeof(std::uint64_t);
inline constexpr const char* metadata_key = "__metadata__";

/// What the header says of one tensor.
struct HeaderEntry {
    std::string name;
    Dtype dtype = Dtype::u8;
    std::vector<Index> shape;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

struct Header {
    std::vector<HeaderEntry> entries;
    std::map<std::string, std::string> metadata;
};

/// Takes a header from the events of the JSON parser. It knows at every point what may follow and stops at
/// anything else: nothing is nested deeper than three levels, and no document is built first.
class HeaderBuilder {
public:
    explicit HeaderBuilder(Header& header) : header_(header) {}

    /// Id and text of what was wrong.
    int problem_id() const noexcept { return problem_id_; }
    std::string where() const {
        if (place_ == Place::metadata || place_ == Place::metadata_value) return "metadata";
        return name_.empty() || place_ == Place::file ? "header" : text("tensor ", in_quotes(name_));
    }
    const std::string& expected() const noexcept { return expected_; }
    const std::string& got() const noexcept { return got_; }

    // The parser's events; false stops it. Their names and types are those of nlohmann::json_sax.
    bool null() { return unexpected("null"); }
    bool boolean(bool /*value*/) { return unexpected("a boolean"); }
    bool number_integer(std::int64_t value) { return unexpected(text(value)); }
    bool number_float(double /*value*/, const std::string& source) { return unexpected(in_quotes(source)); }
    bool binary(nlohmann::json::binary_t& /*value*/) { return unexpected("bytes"); }

    bool number_unsigned(std::uint64_t value) {
        if (place_ == Place::dimensions) {
            if (entry_.shape.size() == most_dimensions) {
                return problem(905, text("at most ", most_dimensions, " dimensions"), "more");
            }
            if (!std::in_range<Index>(value)) return problem(905, "a dimension below 2^63", text(value));
            entry_.shape.push_back(static_cast<Index>(value));
            return true;
        }
        if (place_ == Place::offset_values) {
            if (offsets_ == 2) return unexpected("more numbers");
            (offsets_++ == 0 ? entry_.begin : entry_.end) = value;
            return true;
        }
        return unexpected(text(value));
    }

    bool string(std::string& value) {
        if (place_ == Place::metadata_value) {
            header_.metadata[metadata_name_] = std::move(value);
            place_ = Place::metadata;
            return true;
        }
        if (place_ == Place::dtype) {
            place_ = Place::fields;
            for (const Dtype dtype : all_dtypes) {
                if (value == dtype_name(dtype)) {
                    entry_.dtype = dtype;
                    return true;
                }
            }
            std::string known;
            for (const Dtype dtype : all_dtypes) known.append(" ").append(dtype_name(dtype));
            return problem(904, text("a dtype out of", known), in_quotes(value));
        }
        return unexpected("a string");
    }

    bool start_object(std::size_t /*size*/) {
        if (place_ == Place::start) {
            place_ = Place::file;
        } else if (place_ == Place::value && name_ == metadata_key) {
            place_ = Place::metadata;
        } else if (place_ == Place::value) {
            place_ = Place::fields;
        } else {
            return unexpected("an object");
        }
        return true;
    }

    bool key(std::string& value) {
        if (place_ == Place::file) {
            name_ = value;
            place_ = Place::value;
            if (!names_.emplace(value, true).second) return problem(904, "different names", "this one twice");
            entry_ = {.name = std::move(value), .dtype = {}, .shape = {}, .begin = 0, .end = 0};
            offsets_ = 0;
            has_dtype_ = has_shape_ = has_offsets_ = false;
            return true;
        }
        if (place_ == Place::metadata) {
            if (header_.metadata.count(value) != 0) {
                return problem(904, "different keys", text(in_quotes(value), " twice"));
            }
            metadata_name_ = std::move(value);
            place_ = Place::metadata_value;
            return true;
        }
        return field(value);
    }

    bool end_object() {
        if (place_ == Place::fields) {
            const char* missing = !has_dtype_     ? "dtype"
                                  : !has_shape_   ? "shape"
                                  : !has_offsets_ ? "data_offsets"
                                                  : nullptr;
            if (missing != nullptr) {
                return problem(904, "dtype, shape and data_offsets", text("no ", missing));
            }
            header_.entries.push_back(std::move(entry_));
        }
        place_ = Place::file;
        return true;
    }

    bool start_array(std::size_t /*size*/) {
        if (place_ == Place::shape) {
            place_ = Place::dimensions;
        } else if (place_ == Place::offsets) {
            place_ = Place::offset_values;
        } else {
            return unexpected("an array");
        }
        return true;
    }

    bool end_array() {
        if (place_ == Place::offset_values && offsets_ != 2) return unexpected(text(offsets_, " numbers"));
        place_ = Place::fields;
        return true;
    }

    bool parse_error(std::size_t /*position*/, const std::string& /*token*/,
                     const nlohmann::json::exception& problem_found) {
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
    };

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
        } else {
            return problem(904, "dtype, shape and data_offsets", in_quotes(value));
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

    Header& header_;
    Place place_ = Place::start;
    std::map<std::string, bool> names_;
    std::string name_;
    std::string metadata_name_;
    HeaderEntry entry_;
    int offsets_ = 0;
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

/// \throws io_error 903, 904, 905
inline Header parse_header(std::string_view json, const FileComplaint& complaint) {
    // The parser takes a zero byte for the end and would not look at what follows.
    if (json.empty() || json.front() != '{' || json.find('\0') != std::string_view::npos) {
        complaint.raise(903, "a header that begins with '{' and has no zero bytes",
                        in_quotes(json.substr(0, 16)));
    }
    Header header;
    HeaderBuilder builder(header);
    if (!nlohmann::json::sax_parse(json.data(), json.data() + json.size(), &builder)) {
        complaint.raise(builder.problem_id(), builder.where(), builder.expected(), builder.got());
    }
    return header;
}

/// Shapes must fit the bytes, and the bytes of all tensors must tile the data. Sorts the entries by offset.
/// \throws io_error 905, 906
inline void check_layout(Header& header, std::uint64_t data_bytes, const FileComplaint& complaint) {
    for (const HeaderEntry& entry : header.entries) {
        const auto tensor = [&] { return text("tensor ", in_quotes(entry.name)); };
        const auto range = [&] { return text("[", entry.begin, ", ", entry.end, ")"); };
        if (entry.begin > entry.end) complaint.raise(906, tensor(), "begin <= end as data_offsets", range());
        if (entry.end > data_bytes) {
            complaint.raise(906, tensor(), text("data_offsets within ", data_bytes, " bytes of data"),
                            range());
        }
        Index count = 0;
        if (!count_elements(entry.shape, entry.dtype, count)) {
            complaint.raise(905, tensor(), "a size below 2^63", text("shape ", shape_text(entry.shape)));
        }
        const std::uint64_t bytes = static_cast<std::uint64_t>(count) * element_size(entry.dtype);
        if (bytes != entry.end - entry.begin) {
            complaint.raise(
                905, tensor(),
                text(bytes, " bytes for ", dtype_name(entry.dtype), " of shape ", shape_text(entry.shape)),
                text(entry.end - entry.begin));
        }
    }

    std::sort(header.entries.begin(), header.entries.end(), [](const HeaderEntry& a, const HeaderEntry& b) {
        return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::uint64_t filled = 0;
    for (const HeaderEntry& entry : header.entries) {
        if (entry.begin != filled) {
            complaint.raise(906, text("tensor ", in_quotes(entry.name)),
                            text("data from offset ", filled, " on, without gap or overlap"),
                            text("offset ", entry.begin));
        }
        filled = entry.end;
    }
    if (filled != data_bytes) {
        complaint.raise(906, text("data of ", filled, " bytes"), text(data_bytes - filled, " bytes more"));
    }
}

/// Reads a file of `size` bytes through read(offset, span), which fills the span.
template <class Read>
TensorFile read_tensor_file(std::uint64_t size, Read&& read, const char* function, std::string source) {
    const FileComplaint complaint(function, source);
    if (size < length_bytes) complaint.raise(902, "8 bytes of header length", text(size, " bytes"));
    std::uint64_t header_bytes = 0;
    read(0, std::as_writable_bytes(std::span(&header_bytes, 1)));
    if (header_bytes > most_header_bytes) {
        complaint.raise(902, text("a header of at most ", most_header_bytes, " bytes"), text(header_bytes));
    }
    if (header_bytes > size - length_bytes) {
        complaint.raise(902, text("a header of ", header_bytes, " bytes"),
                        text(size - length_bytes, " bytes after the header length"));
    }

    std::string json(to_size(header_bytes), '\0');
    read(length_bytes, std::as_writable_bytes(std::span(json)));
    Header header = parse_header(json, complaint);
    json = {};
    const std::uint64_t data_begin = length_bytes + header_bytes;
    check_layout(header, size - data_begin, complaint);

    TensorFile file;
    file.source = std::move(source);
    file.metadata = std::move(header.metadata);
    for (HeaderEntry& entry : header.entries) {
        StoredTensor& tensor = file.tensors[std::move(entry.name)];
        tensor.dtype = entry.dtype;
        tensor.shape = std::move(entry.shape);
        tensor.bytes.resize(to_size(entry.end - entry.begin));
        read(data_begin + entry.begin, std::span(tensor.bytes));
    }
    return file;
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
    if (!file.metadata.empty()) {
        begin_member();
        header.append("\"").append(metadata_key).append("\":{");
        const char* separator = "";
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
        const std::size_t end = offset + static_cast<std::size_t>(tensor.size()) * element_size(tensor.dtype);
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
    return {std::move(header), std::move(tensors)};
}

}  // namespace detail

/// Reads a file.
/// \throws io_error 901 (no access), 902 (truncated), 903 (not JSON), 904 (not a header), 905 (shapes),
///         906 (offsets)
/// Cost the bytes | heap: the file's content | thread-safe: yes
inline TensorFile read_safetensors(const std::string& path) {
    const detail::FileReader reader(path, "read_safetensors");
    return detail::read_tensor_file(
        reader.size(), [&](std::uint64_t offset, std::span<std::byte> to) { reader.read(offset, to); },
        "read_safetensors", path);
}

/// Reads a file that lies in memory. `source` is its name in messages.
/// \throws io_error 902 to 906
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
