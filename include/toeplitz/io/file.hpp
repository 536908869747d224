// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Files as a whole: read at offsets that were checked before, and replaced either completely or not at all.

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <toeplitz/core/types.hpp>
#include <toeplitz/io/checksum.hpp>

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
        if (path.find('\0') != std::string::npos) fail("a path with a zero byte");
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

/// The folder of a path, with its slash; "./" where the path has none.
inline std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "./" : path.substr(0, slash + 1);
}

/// Where a chain of symbolic links ends, whether there is a file or not. A path of a loop where it is one:
/// whatever uses that fails.
inline std::string link_target(std::string path) {
    constexpr int most_links = 40;
    for (int links = 0; links < most_links; ++links) {
        char to[4096];
        const ::ssize_t length = ::readlink(path.c_str(), to, sizeof(to));
        if (length <= 0) break;
        const std::string_view target(to, static_cast<std::size_t>(length));
        path = target.front() == '/' ? std::string(target) : text(folder_of(path), target);
    }
    return path;
}

/// Whether the open file is the one of this name.
inline bool has_name(int descriptor, const std::string& name) noexcept {
    struct stat open {};
    struct stat named {};
    return ::fstat(descriptor, &open) == 0 && ::lstat(name.c_str(), &named) == 0 &&
           open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

/// Creates a file for the parts of the file `target`, which nobody else writes to, and puts its name into
/// `name`; below 0 with errno where that fails.
///
/// Its writer holds a lock, which ends with the process: a file of such a name that can be locked is what a
/// crash left, and is removed.
inline int create_part(const std::string& target, std::string& name) {
    constexpr int most_attempts = 10'000;
    const std::string folder = folder_of(target);
    // Of the target's name a hash, as names have a largest length.
    const std::string_view base = std::string_view(target).substr(target.rfind('/') + 1);
    const std::string prefix =
        text(folder, ".toeplitz-part-", Crc64().add(std::as_bytes(std::span(base))).text());
    for (int attempt = 0; attempt < most_attempts; ++attempt) {
        name = text(prefix, "-", attempt);
        {
            const FileDescriptor stale(::open(name.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
            if (stale.is_open() && ::flock(stale.get(), LOCK_EX | LOCK_NB) == 0 &&
                has_name(stale.get(), name)) {
                ::unlink(name.c_str());
            }
        }
        const int descriptor = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor < 0) {
            if (errno != EEXIST) return descriptor;
            continue;
        }
        // Before it was locked, somebody may have removed it. Some file systems have no locks: nobody removes
        // files there.
        const bool locked = ::flock(descriptor, LOCK_EX | LOCK_NB) == 0;
        if (locked ? has_name(descriptor, name) : errno != EWOULDBLOCK) return descriptor;
        ::close(descriptor);
    }
    errno = EEXIST;
    return -1;
}

}  // namespace detail

/// Replaces the file at `path` by the parts one after another, or leaves everything as it was.
///
/// The parts go to a new file beside it, are flushed to the disk, and the new file is renamed over the old
/// one: a full disk, a crash or a second writer never leaves half a file under the name. An existing file
/// passes on its permissions, and one that may not be written is refused; a symbolic link stays and its
/// target is written. A crash leaves a file `.toeplitz-part-…`, which the next save of this name removes.
/// \throws io_error 910 when the file cannot be written; an old one is intact
/// Cost the bytes, and waiting for the disk | heap: names | thread-safe: yes
inline void replace_file(const std::string& path, std::span<const std::span<const std::byte>> parts,
                         const char* where = "replace_file") {
    const auto fail = [&](std::string_view got) {
        detail::raise<io_error>(910, detail::text(where, ": file ", detail::in_quotes(path)),
                                "a file that can be written (an old one is intact)", got);
    };
    if (path.find('\0') != std::string::npos) fail("a path with a zero byte");
    const std::string target = detail::link_target(path);
    struct stat old {};
    const bool exists = ::stat(target.c_str(), &old) == 0;
    if (!exists && errno != ENOENT) fail(detail::system_text(errno));
    // A rename asks for the permissions of the folder alone, and replaces a device or a pipe just as well.
    if (exists && !S_ISREG(old.st_mode)) fail("something that is not a regular file");
    if (exists && ::faccessat(AT_FDCWD, target.c_str(), W_OK, AT_EACCESS) != 0) {
        fail(detail::system_text(errno));
    }

    std::string beside;
    const int descriptor = detail::create_part(target, beside);
    if (descriptor < 0) fail(detail::text("creating a file beside it: ", detail::system_text(errno)));
    // Keeps the lock until the file has its name.
    const detail::FileDescriptor lock(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));

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
    const detail::FileDescriptor directory(::open(detail::folder_of(target).c_str(), O_RDONLY | O_CLOEXEC));
    if (directory.is_open()) detail::synchronize(directory.get());
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
