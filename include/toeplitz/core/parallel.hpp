// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Static loops over independent items: OpenMP where the consumer compiles with it, serial otherwise.

#include <algorithm>
#include <atomic>
#include <exception>

#if defined(_OPENMP)
#include <omp.h>
#include <pthread.h>
#endif

#include <toeplitz/core/denormals.hpp>
#include <toeplitz/core/types.hpp>

#if defined(_OPENMP)
/// The threads of a process are one team, whatever the settings of the objects linked into it.
namespace toeplitz::process {

/// Whether this process is a child that fork() made after parallel regions of the library. Such a one has
/// none of its parent's threads, and GNU's OpenMP would wait for them.
[[gnu::visibility("default")]] inline std::atomic<bool>& is_child_without_threads() {
    static std::atomic<bool> is_child{false};
    return is_child;
}

/// From now on children are told apart.
[[gnu::visibility("default")]] inline void watch_forks() {
    static const int registered = ::pthread_atfork(
        nullptr, nullptr, [] { is_child_without_threads().store(true, std::memory_order_relaxed); });
    static_cast<void>(registered);
}

}  // namespace toeplitz::process
#endif

namespace toeplitz::inline TOEPLITZ_ABI {

namespace detail {

/// How many SerialScopes there are on this thread.
inline int& serial_scopes() noexcept {
    static thread_local int count = 0;
    return count;
}

/// While it lives, what this thread calls uses no other thread.
class SerialScope {
public:
    SerialScope() noexcept { ++serial_scopes(); }
    ~SerialScope() { --serial_scopes(); }
    SerialScope(const SerialScope&) = delete;
    SerialScope& operator=(const SerialScope&) = delete;
};

}  // namespace detail

/// Threads that a product called from here may use; 1 inside a parallel region, and in a child of fork()
/// whose parent has used several.
inline int available_threads() noexcept {
#if defined(_OPENMP)
    const bool is_alone = detail::serial_scopes() > 0 || omp_in_parallel() ||
                          process::is_child_without_threads().load(std::memory_order_relaxed);
    return is_alone ? 1 : omp_get_max_threads();
#else
    return 1;
#endif
}

namespace detail {

/// Work below which a fork costs more than it saves, in units of about one nanosecond.
inline constexpr Index parallel_threshold = 20000;

/// Threads for `items` independent items of `work` nanoseconds altogether.
inline int thread_count(Index items, Index work) noexcept {
    if (work < parallel_threshold) return 1;
    return static_cast<int>(std::min<Index>(items, available_threads()));
}

#if defined(_OPENMP)
/// Carries an error out of a parallel region, which no exception may leave. Of several it is that of the
/// lowest chunk: the one that a serial loop stops at.
class FirstError {
public:
    template <class F>
    void guard([[maybe_unused]] Index chunk, F&& f) {
#if defined(__cpp_exceptions)
        try {
            f();
        } catch (...) {
#pragma omp critical(toeplitz_first_error)
            if (chunk < chunk_) {
                chunk_ = chunk;
                error_ = std::current_exception();
            }
        }
#else
        f();
#endif
    }
    void rethrow() const {
        if (error_) std::rethrow_exception(error_);
    }

private:
    std::exception_ptr error_;
    Index chunk_ = (std::numeric_limits<Index>::max)();
};
#endif

/// Calls f(begin, end, thread) on one contiguous chunk of 0..items−1 per thread. Chunks depend on the
/// thread count alone; items must not depend on each other, so results do not depend on it. An error of f is
/// thrown again here, the same one for any number of threads if f takes its items in order. Denormal numbers
/// are zeros in f unless it keeps them.
template <Denormals denormals = Denormals::flush, class F>
void parallel_chunks(Index items, int threads, F&& f) {
    const auto chunk = [&f](Index begin, Index end, int thread) {
        if constexpr (denormals == Denormals::flush) {
            const FlushDenormals guard;
            f(begin, end, thread);
        } else {
            f(begin, end, thread);
        }
    };
#if defined(_OPENMP)
    if (threads > 1) {
        process::watch_forks();
        FirstError error;
#pragma omp parallel num_threads(threads)
        {
            const Index team = omp_get_num_threads();
            const Index thread = omp_get_thread_num();
            error.guard(thread, [&] {
                chunk(items * thread / team, items * (thread + 1) / team, static_cast<int>(thread));
            });
        }
        error.rethrow();
        return;
    }
#endif
    static_cast<void>(threads);
    chunk(Index{0}, items, 0);
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
