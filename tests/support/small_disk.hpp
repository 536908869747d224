// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a full disk is like.

#include <csignal>

#include <sys/resource.h>

namespace toeplitz::test {

/// Files of this process may not grow beyond some bytes while it lives.
class SmallDisk {
public:
    explicit SmallDisk(::rlim_t bytes) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const ::rlimit limit{bytes, before_.rlim_max};
        handler_ = std::signal(SIGXFSZ, SIG_IGN);
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~SmallDisk() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;

private:
    ::rlimit before_{};
    void (*handler_)(int) = nullptr;
};

}  // namespace toeplitz::test
