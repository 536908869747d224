// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The exceptions of the library. Every message reads
/// `[toeplitz.<kind>.<id>] <Class>::<function>: expected <this>, got <that>`;
/// the ids are stable and listed in docs/errors.md.

#include <concepts>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>

#include <toeplitz/core/config.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// "[toeplitz.<kind>.<id>] <message>"
inline std::string compose(std::string_view kind, int id, std::string_view message) {
    std::string text("[toeplitz.");
    text.append(kind).append(".").append(std::to_string(id)).append("] ").append(message);
    return text;
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI

/// One catch clause serves objects compiled with different settings: errors live outside the inline
/// namespace. Their constructors have no symbol that such objects could share, and what else they have is no
/// arithmetic.
namespace toeplitz {

/// Base of everything the library throws.
class error : public std::runtime_error {
public:
    /// \param kind "shape", "config", "value", "io", "plan" or "train"
    TOEPLITZ_INLINE error(std::string_view kind, int id, std::string_view message)
        : std::runtime_error(detail::compose(kind, id, message)), id_(id) {}

    /// Stable number of the error, as in the message.
    int id() const noexcept { return id_; }

private:
    int id_;
};

/// An argument has the wrong shape, or two arguments overlap in memory.
class shape_error : public error {
public:
    TOEPLITZ_INLINE shape_error(int id, std::string_view message) : error("shape", id, message) {}
};

/// An option is out of its range.
class config_error : public error {
public:
    TOEPLITZ_INLINE config_error(int id, std::string_view message) : error("config", id, message) {}
};

/// A number is not finite where it must be.
class value_error : public error {
public:
    TOEPLITZ_INLINE value_error(int id, std::string_view message) : error("value", id, message) {}
};

/// A file cannot be read or written, or does not hold what it should.
class io_error : public error {
public:
    TOEPLITZ_INLINE io_error(int id, std::string_view message) : error("io", id, message) {}
};

/// A transform could not be planned, or wisdom could not be read or written.
class plan_error : public error {
public:
    TOEPLITZ_INLINE plan_error(int id, std::string_view message) : error("plan", id, message) {}
};

/// A training step met a loss or a gradient, or would make a parameter, that is not finite; or a process of
/// the run has failed.
class train_error : public error {
public:
    TOEPLITZ_INLINE train_error(int id, std::string_view message) : error("train", id, message) {}
};

}  // namespace toeplitz

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// The only throw site of the library: with -fno-exceptions it terminates instead.
template <class Error>
[[noreturn]] inline void raise(int id, const std::string& message) {
#if defined(__cpp_exceptions)
    throw Error(id, message);
#else
    static_cast<void>(id);
    static_cast<void>(message);
    std::terminate();
#endif
}

inline void append_part(std::string& text, std::string_view part) { text.append(part); }
template <std::integral T>
void append_part(std::string& text, T number) {
    text.append(std::to_string(number));
}

inline void append_part(std::string& text, double number) {
    char digits[32];
    std::snprintf(digits, sizeof(digits), "%g", number);
    text.append(digits[0] == '-' && digits[1] == 'n' ? digits + 1 : digits);  // a NaN has no sign
}

/// Strings and numbers one after another, for messages. Out of line: it runs on the way to a throw.
template <class... Parts>
[[gnu::cold, gnu::noinline]] std::string text(const Parts&... parts) {
    std::string result;
    (append_part(result, parts), ...);
    return result;
}

/// "rows×cols", for messages about shapes.
inline std::string shape_text(long long rows, long long cols) { return text(rows, "×", cols); }

/// `'text'` for messages: one line of bounded length, whatever the text is.
inline std::string in_quotes(std::string_view full) {
    constexpr std::size_t most = 120;
    std::size_t length = full.size();
    if (length > most) {
        length = most;
        // Not inside a character of UTF-8.
        while (length > 0 && (static_cast<unsigned char>(full[length]) & 0xC0U) == 0x80U) --length;
    }
    std::string result = "'";
    for (const char c : full.substr(0, length)) {
        const auto code = static_cast<unsigned char>(c);
        result.push_back(code < 0x20 || code == 0x7F ? '?' : c);
    }
    result.append(length < full.size() ? "…'" : "'");
    return result;
}

/// Throws Error with "<where>: expected <expected>, got <got>".
template <class Error>
[[noreturn]] inline void raise(int id, std::string_view where, std::string_view expected,
                               std::string_view got) {
    raise<Error>(id, text(where, ": expected ", expected, ", got ", got));
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
