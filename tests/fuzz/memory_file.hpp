// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A file that is never on a disk, for readers that take a path.

#include <stdexcept>
#include <string>
#include <string_view>

#include <sys/mman.h>
#include <unistd.h>

namespace toeplitz::test {

class MemoryFile {
public:
    explicit MemoryFile(std::string_view content) : descriptor_(::memfd_create("guest", MFD_CLOEXEC)) {
        while (!content.empty()) {
            const ssize_t written = ::write(descriptor_, content.data(), content.size());
            if (written < 0) throw std::runtime_error("no memory for a file");
            content.remove_prefix(static_cast<std::size_t>(written));
        }
    }
    ~MemoryFile() { ::close(descriptor_); }
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;

    std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

private:
    int descriptor_;
};

}  // namespace toeplitz::test
