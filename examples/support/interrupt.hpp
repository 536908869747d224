// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Ctrl-C as a request, so that a program can save what it has.

#include <csignal>

namespace examples {

namespace detail {
inline volatile std::sig_atomic_t interrupted = 0;
}  // namespace detail

/// From construction on, the first Ctrl-C only makes `requested` true; the second one ends the program.
class Interrupt {
public:
    Interrupt() : previous_(std::signal(SIGINT, note)) {}
    ~Interrupt() { std::signal(SIGINT, previous_); }
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    bool requested() const noexcept { return ever_requested(); }
    /// Also when no object is left.
    static bool ever_requested() noexcept { return detail::interrupted != 0; }

private:
    static void note(int) {
        detail::interrupted = 1;
        std::signal(SIGINT, SIG_DFL);
    }
    void (*previous_)(int);
};

}  // namespace examples
