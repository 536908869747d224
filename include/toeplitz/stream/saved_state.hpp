// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a saved state begins with, which plan it belongs to, and what is refused.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <toeplitz/core/error.hpp>
#include <toeplitz/core/random.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// A hash of numbers, in their order.
class StreamFingerprint {
public:
    template <class T>
    void add(const T& number) noexcept {
        std::uint64_t word = 0;
        static_assert(sizeof number <= sizeof word);
        std::memcpy(&word, &number, sizeof number);
        hash_ = CounterRandom(hash_).bits(word);
    }
    std::uint64_t value() const noexcept { return hash_; }

private:
    std::uint64_t hash_ = 0;
};

[[noreturn, gnu::cold, gnu::noinline]] inline void refuse_state(const char* plan, const char* function) {
    raise<shape_error>(1002, text(plan, "::", function), "a state of this plan", "one of another plan");
}
[[noreturn, gnu::cold, gnu::noinline]] inline void refuse_bytes(const char* plan, const char* function,
                                                                std::size_t expected, std::size_t got) {
    raise<shape_error>(1005, text(plan, "::", function), text(expected, " bytes"), std::to_string(got));
}

/// The first bytes of a saved state.
struct SavedHead {
    std::uint32_t format;
    std::uint32_t scalar;  ///< bytes of a number
    std::uint64_t fingerprint;
    std::int64_t time;

    /// The head itself and what follows it.
    std::byte* write(std::span<std::byte> to) const noexcept {
        std::memcpy(to.data(), this, sizeof *this);
        return to.data() + sizeof *this;
    }

    /// The time of a saved state of this format, scalar and plan.
    /// \throws shape_error 1005 (too few bytes), value_error 1006, 1007
    static Index read_time(std::span<const std::byte> from, std::uint32_t format, std::size_t scalar,
                           std::uint64_t fingerprint, const char* plan) {
        constexpr std::int64_t most_time = std::int64_t{1} << 62;
        SavedHead head{};
        if (from.size() < sizeof head) refuse_bytes(plan, "restore", sizeof head, from.size());
        std::memcpy(&head, from.data(), sizeof head);
        if (head.format != format || head.scalar != scalar || head.time < 0 || head.time > most_time) {
            raise<value_error>(1006, text(plan, "::restore"),
                               text("a saved state of ", scalar, "-byte scalars"),
                               "other bytes, or a version that this one does not know");
        }
        if (head.fingerprint != fingerprint) {
            raise<value_error>(1007, text(plan, "::restore"),
                               "a state of the same kernel, streams and options", "one of another plan");
        }
        return head.time;
    }
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
