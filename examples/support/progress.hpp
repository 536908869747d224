// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A line on the terminal that says how far a run is.

#include <chrono>
#include <cstdio>
#include <string>

#include <unistd.h>

namespace examples {

/// "1:02:03" or "2:03".
inline std::string clock_text(double seconds) {
    const long all = static_cast<long>(seconds + 0.5);
    char text[48];
    if (all >= 3600) {
        std::snprintf(text, sizeof(text), "%ld:%02ld:%02ld", all / 3600, all / 60 % 60, all % 60);
    } else {
        std::snprintf(text, sizeof(text), "%ld:%02ld", all / 60, all % 60);
    }
    return text;
}

/// Overwrites one line of a terminal, several times a second; elsewhere, one line every ten seconds.
class Progress {
public:
    /// Shows the text unless that would be too often. Shows it in any case if it is the `last` one.
    void show(const std::string& text, bool last) {
        const Clock::time_point now = Clock::now();
        const double pause = is_terminal_ ? 0.2 : 10.0;
        if (!last && std::chrono::duration<double>(now - shown_).count() < pause) return;
        shown_ = now;
        const bool overwrite = is_terminal_ && !last;
        std::fprintf(stderr, "%s%s%s", is_terminal_ ? "\r\033[K" : "", text.c_str(), overwrite ? "" : "\n");
        std::fflush(stderr);
    }

private:
    using Clock = std::chrono::steady_clock;
    bool is_terminal_ = isatty(STDERR_FILENO) != 0;
    Clock::time_point shown_{};
};

}  // namespace examples
