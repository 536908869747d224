// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Ctrl-C, or the end of its time on a cluster, as a request, so that a program can save what it has.

#include <csignal>

namespace examples {

namespace detail {
inline volatile std::sig_atomic_t interrupted = 0;
}  // namespace detail

/// From construction on, the first SIGINT (Ctrl-C) or SIGTERM only makes `requested` true; the second one
/// ends the program.
class Interrupt {
public:
    Interrupt() : interrupt_(std::signal(SIGINT, note)), terminate_(std::signal(SIGTERM, note)) {}
    ~Interrupt() {
        std::signal(SIGINT, interrupt_);
        std::signal(SIGTERM, terminate_);
    }
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    bool requested() const noexcept { return ever_requested(); }
    /// Also when no object is left.
    static bool ever_requested() noexcept { return detail::interrupted != 0; }

private:
    static void note(int signal) {
        detail::interrupted = 1;
        std::signal(signal, SIG_DFL);
    }
    void (*interrupt_)(int);
    void (*terminate_)(int);
};

}  // namespace examples
