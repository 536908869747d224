// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Files as a whole: read at offsets that were checked before, and replaced either completely or not at all.

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <toeplitz/core/types.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// What the operating system says of the error number.
inline std::string system_text(int error) { return std::generic_category().message(error); }

/// An open file; closed at the end of its life.
class FileDescriptor {
public:
    explicit FileDescriptor(int descriptor) noexcept : descriptor_(descriptor) {}
    ~FileDescriptor() { close(); }
    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;

    int get() const noexcept { return descriptor_; }
    bool is_open() const noexcept { return descriptor_ >= 0; }
    /// 0, or −1 with errno. Some file systems report a full disk only here.
    int close() noexcept {
        const int descriptor = descriptor_;
        descriptor_ = -1;
        return descriptor < 0 ? 0 : ::close(descriptor);
    }

private:
    int descriptor_;
};

/// A regular file opened for reading.
class FileReader {
public:
    /// \throws io_error 901
    FileReader(const std::string& path, const char* where)
        // Without O_NONBLOCK a pipe would wait here for its writer.
        : path_(path), where_(where), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
        struct stat status {};
        if (!file_.is_open() || ::fstat(file_.get(), &status) != 0) fail(system_text(errno));
        if (!S_ISREG(status.st_mode)) fail("something that is not a regular file");
        size_ = static_cast<std::uint64_t>(status.st_size);
    }

    /// Bytes of the file when it was opened.
    std::uint64_t size() const noexcept { return size_; }

    /// Fills `to` from `offset` on.
    /// \throws io_error 901, also where the file has become shorter
    void read(std::uint64_t offset, std::span<std::byte> to) const {
        while (!to.empty()) {
            const ::ssize_t count = ::pread(file_.get(), to.data(), to.size(), static_cast<::off_t>(offset));
            if (count < 0) {
                if (errno == EINTR) continue;
                fail(system_text(errno));
            }
            if (count == 0) fail("a file that became shorter while it was read");
            offset += static_cast<std::uint64_t>(count);
            to = to.subspan(static_cast<std::size_t>(count));
        }
    }

private:
    [[noreturn]] void fail(std::string_view got) const {
        raise<io_error>(901, text(where_, ": file ", in_quotes(path_)), "a regular file that can be read",
                        got);
    }

    std::string path_;
    const char* where_;
    FileDescriptor file_;
    std::uint64_t size_ = 0;
};

/// Writes all bytes; false with errno where that fails.
inline bool write_all(int descriptor, std::span<const std::byte> bytes) noexcept {
    while (!bytes.empty()) {
        const ::ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return true;
}

/// True once the file's content is on the disk, or where the file system has no notion of that.
inline bool synchronize(int descriptor) noexcept { return ::fsync(descriptor) == 0 || errno == EINVAL; }

/// Where a symbolic link leads, so that its file is replaced and not the link; otherwise the path itself.
inline std::string link_target(const std::string& path) {
    char* const resolved = ::realpath(path.c_str(), nullptr);
    if (resolved == nullptr) return path;
    std::string target(resolved);
    std::free(resolved);
    return target;
}

}  // namespace detail

/// Replaces the file at `path` by the parts one after another, or leaves everything as it was.
///
/// The parts go to a new file beside it, are flushed to the disk, and the new file is renamed over the old
/// one: a full disk, a crash or a second writer never leaves half a file under the name. An existing file
/// passes on its permissions; a symbolic link stays and its target is replaced.
/// \throws io_error 910 when the file cannot be written; an old one is intact
/// Cost the bytes, and waiting for the disk | heap: names | thread-safe: yes
inline void replace_file(const std::string& path, std::span<const std::span<const std::byte>> parts,
                         const char* where = "replace_file") {
    const auto fail = [&](std::string_view got) {
        detail::raise<io_error>(910, detail::text(where, ": file ", detail::in_quotes(path)),
                                "a file that can be written (an old one is intact)", got);
    };
    const std::string target = detail::link_target(path);
    struct stat old {};
    const bool exists = ::stat(target.c_str(), &old) == 0;
    // A rename would replace a device or a pipe just as well.
    if (exists && !S_ISREG(old.st_mode)) fail("something that is not a regular file");

    static std::atomic<unsigned> counter{0};
    std::string beside;
    int descriptor = -1;
    for (int attempt = 0; attempt < 100; ++attempt) {
        beside = detail::text(target, ".part-", static_cast<long>(::getpid()), "-", counter++);
        descriptor = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor >= 0 || errno != EEXIST) break;
    }
    if (descriptor < 0) fail(detail::text("creating a file beside it: ", detail::system_text(errno)));

    const char* step = nullptr;
    int error = 0;
    {
        detail::FileDescriptor file(descriptor);
        const auto written = [&] {
            for (const auto part : parts) {
                if (!detail::write_all(file.get(), part)) return false;
            }
            return true;
        };
        if (exists && ::fchmod(file.get(), old.st_mode & 0777U) != 0) {
            step = "copying its permissions: ";
        } else if (!written()) {
            step = "writing: ";
        } else if (!detail::synchronize(file.get())) {
            step = "flushing: ";
        } else if (file.close() != 0) {
            step = "closing: ";
        } else if (::rename(beside.c_str(), target.c_str()) != 0) {
            step = "renaming: ";
        }
        error = errno;
    }
    if (step != nullptr) {
        ::unlink(beside.c_str());
        fail(detail::text(step, detail::system_text(error)));
    }

    // The new name, too, should outlive a power failure. The file is in place by now: no reason to fail.
    const std::size_t slash = target.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : target.substr(0, slash + 1);
    const detail::FileDescriptor directory(::open(folder.c_str(), O_RDONLY | O_CLOEXEC));
    if (directory.is_open()) detail::synchronize(directory.get());
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
