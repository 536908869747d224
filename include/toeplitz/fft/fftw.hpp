// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// FFTW behind RAII: plans, the process-wide planner lock, the plan cache and wisdom.
/// The only file that includes <fftw3.h>.

#include <atomic>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <fftw3.h>

#include <toeplitz/core/memory.hpp>
#include <toeplitz/core/types.hpp>

/// State that must exist once per process, whatever the settings of the objects linked into it.
/// FFTW's planner is such a thing: only execution is thread-safe, and shared objects compiled with hidden
/// visibility would otherwise each lock a mutex of their own. (Plugins built by clang need RTLD_GLOBAL for it:
/// g++ alone makes such symbols unique.)
namespace toeplitz::process {

[[gnu::visibility("default")]] inline std::mutex& planner_mutex() {
    static std::mutex mutex;
    return mutex;
}

}  // namespace toeplitz::process

namespace toeplitz::inline TOEPLITZ_ABI {

/// How hard FFTW searches for a fast plan.
enum class PlannerEffort {
    estimate,  ///< no timing: instant, and the same plan, hence the same bits, in every run
    measure,  ///< times candidates: 0.1 s at 2¹¹ points to some seconds at 2¹⁷; 1.3 to 1.7 times faster plans
    patient,      ///< times many more: minutes for long transforms, some 10 % faster from 2¹³ points on
    wisdom_only,  ///< never times: what the loaded wisdom knows, plan_error 301 otherwise
};

namespace detail {

inline std::atomic<PlannerEffort>& planner_effort_setting() {
    static std::atomic<PlannerEffort> effort{PlannerEffort::measure};
    return effort;
}

}  // namespace detail

/// Sets the effort of the plans made from now on, by any thread. The default is `measure`.
inline void set_planner_effort(PlannerEffort effort) { detail::planner_effort_setting() = effort; }
inline PlannerEffort planner_effort() { return detail::planner_effort_setting(); }

namespace detail {

/// The functions of FFTW for one scalar.
template <Real Scalar>
struct Fftw;

// FFTW's names differ by prefix alone; this is the one place that spells them.
#define TOEPLITZ_FFTW_BINDING(Scalar, prefix)                                       \
    template <>                                                                     \
    struct Fftw<Scalar> {                                                           \
        using Plan = prefix##_plan;                                                 \
        using Complex = prefix##_complex;                                           \
        static constexpr auto plan_complex = prefix##_plan_dft_1d;                  \
        static constexpr auto plan_real_forward = prefix##_plan_dft_r2c_1d;         \
        static constexpr auto plan_real_backward = prefix##_plan_dft_c2r_1d;        \
        static constexpr auto execute_complex = prefix##_execute_dft;               \
        static constexpr auto execute_real_forward = prefix##_execute_dft_r2c;      \
        static constexpr auto execute_real_backward = prefix##_execute_dft_c2r;     \
        static constexpr auto destroy = prefix##_destroy_plan;                      \
        static constexpr auto import_wisdom = prefix##_import_wisdom_from_filename; \
        static constexpr auto export_wisdom = prefix##_export_wisdom_to_filename;   \
        static constexpr const char* name = #Scalar;                                \
    }
TOEPLITZ_FFTW_BINDING(float, fftwf);
TOEPLITZ_FFTW_BINDING(double, fftw);
#undef TOEPLITZ_FFTW_BINDING

}  // namespace detail

/// The transforms that the library plans; all unnormalised and out of place.
enum class FftwKind {
    complex_forward,   ///< X_k = Σ x_t e^{−2πi kt/N}
    complex_backward,  ///< x_t = Σ X_k e^{+2πi kt/N}
    real_forward,      ///< N reals to N/2+1 complex
    real_backward,     ///< N/2+1 complex (overwritten) to N reals
};

/// One FFTW plan, immutable and safe to execute from any thread on distinct arrays.
///
/// Arrays must be aligned to 16 bytes and must not overlap. Of your own plans none may live when anybody in
/// the process calls fftw_cleanup(): FFTW cannot destroy them any more.
template <Real Scalar>
class FftwPlan {
    using Api = detail::Fftw<Scalar>;

public:
    using Complex = std::complex<Scalar>;

    /// Plans under the planner lock.
    /// \throws config_error 202 when the size does not fit FFTW, plan_error 301 when FFTW finds no plan
    FftwPlan(FftwKind kind, Index size, PlannerEffort effort) : kind_(kind), size_(size) {
        detail::require_positive(size, "FftwPlan", "size");
        if (size > (std::numeric_limits<int>::max)()) {
            detail::raise<config_error>(202, "FftwPlan", "a transform size below 2^31", std::to_string(size));
        }
        // Measuring overwrites its arrays, so it gets arrays of its own.
        Buffer<Complex> from(size / 2 + size);
        Buffer<Complex> to(size / 2 + size);
        const int n = static_cast<int>(size);
        auto* a = reinterpret_cast<typename Api::Complex*>(from.data());
        auto* b = reinterpret_cast<typename Api::Complex*>(to.data());
        const std::lock_guard<std::mutex> lock(process::planner_mutex());
        switch (kind) {
            case FftwKind::complex_forward:
                plan_ = Api::plan_complex(n, a, b, FFTW_FORWARD, flags(effort));
                break;
            case FftwKind::complex_backward:
                plan_ = Api::plan_complex(n, a, b, FFTW_BACKWARD, flags(effort));
                break;
            case FftwKind::real_forward:
                plan_ = Api::plan_real_forward(n, reinterpret_cast<Scalar*>(a), b, flags(effort));
                break;
            case FftwKind::real_backward:
                plan_ = Api::plan_real_backward(n, a, reinterpret_cast<Scalar*>(b), flags(effort));
                break;
        }
        if (plan_ == nullptr) {
            detail::raise<plan_error>(
                301, "FftwPlan", detail::text("a ", Api::name, " plan of ", size, " points"),
                effort == PlannerEffort::wisdom_only ? "none in the loaded wisdom" : "none from FFTW");
        }
    }

    ~FftwPlan() {
        const std::lock_guard<std::mutex> lock(process::planner_mutex());
        Api::destroy(plan_);
    }

    FftwPlan(const FftwPlan&) = delete;
    FftwPlan& operator=(const FftwPlan&) = delete;

    Index size() const noexcept { return size_; }
    FftwKind kind() const noexcept { return kind_; }

    /// complex_forward and complex_backward.
    void execute(Complex* from, Complex* to) const noexcept {
        Api::execute_complex(plan_, cast(from), cast(to));
    }
    /// real_forward.
    void execute(Scalar* from, Complex* to) const noexcept {
        Api::execute_real_forward(plan_, from, cast(to));
    }
    /// real_backward; overwrites `from`.
    void execute(Complex* from, Scalar* to) const noexcept {
        Api::execute_real_backward(plan_, cast(from), to);
    }

private:
    static unsigned flags(PlannerEffort effort) noexcept {
        switch (effort) {
            case PlannerEffort::estimate:
                return FFTW_ESTIMATE;
            case PlannerEffort::patient:
                return FFTW_PATIENT;
            case PlannerEffort::wisdom_only:
                return FFTW_MEASURE | FFTW_WISDOM_ONLY;
            case PlannerEffort::measure:
                break;
        }
        return FFTW_MEASURE;
    }

    static auto* cast(Complex* p) noexcept { return reinterpret_cast<typename Api::Complex*>(p); }

    FftwKind kind_;
    Index size_;
    typename Api::Plan plan_ = nullptr;
};

/// The plan for a kind and size with the current planner_effort(), made at the first call and kept for the
/// life of the process. Thread-safe; takes a lock, so operators call it at construction only.
///
/// It is never destroyed: that would be at exit, when another library may long have called fftw_cleanup().
/// FFTW promises nothing of plans after such a call; FFTW 3.3 still executes them.
/// \throws config_error 202, plan_error 301
template <Real Scalar>
std::shared_ptr<const FftwPlan<Scalar>> fftw_plan(FftwKind kind, Index size) {
    struct Key {
        FftwKind kind;
        Index size;
        PlannerEffort effort;
        auto operator<=>(const Key&) const = default;
    };
    struct Cache {
        std::mutex mutex;
        std::map<Key, std::shared_ptr<const FftwPlan<Scalar>>> plans;
    };
    static Cache& cache = *new Cache;  // reachable, hence no leak to a sanitizer
    const Key key{kind, size, planner_effort()};
    const std::lock_guard<std::mutex> lock(cache.mutex);
    auto& plan = cache.plans[key];
    if (!plan) plan = std::make_shared<const FftwPlan<Scalar>>(kind, size, key.effort);
    return plan;
}

/// Reads FFTW's accumulated wisdom for one scalar, so that later plans need no measuring.
/// \throws plan_error 302 when the file cannot be read or is not wisdom of this FFTW
template <Real Scalar>
void load_wisdom(const std::string& path) {
    const std::lock_guard<std::mutex> lock(process::planner_mutex());
    if (detail::Fftw<Scalar>::import_wisdom(path.c_str()) == 0) {
        detail::raise<plan_error>(302, "load_wisdom",
                                  detail::text("a readable file of ", detail::Fftw<Scalar>::name, " wisdom"),
                                  detail::text("'", path, "'"));
    }
}

/// Writes what FFTW has learnt for one scalar: beside the file first, then renamed over it, so that a
/// failure leaves an old file intact.
/// \throws plan_error 303 when the file cannot be written
template <Real Scalar>
void save_wisdom(const std::string& path) {
    const std::string beside = detail::text(path, ".part");
    bool written = false;
    {
        const std::lock_guard<std::mutex> lock(process::planner_mutex());
        written = detail::Fftw<Scalar>::export_wisdom(beside.c_str()) != 0;
    }
    if (!written || std::rename(beside.c_str(), path.c_str()) != 0) {
        std::remove(beside.c_str());
        detail::raise<plan_error>(303, "save_wisdom", "a path that can be written",
                                  detail::text("'", path, "'"));
    }
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
