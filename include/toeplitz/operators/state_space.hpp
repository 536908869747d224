// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A causal operator by a recurrence of a few modes: O(s) per time step, whatever the length.

#include <toeplitz/core/parallel.hpp>
#include <toeplitz/operators/modal_recurrence.hpp>
#include <toeplitz/operators/operator.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct StateSpaceOptions {
    Index length = 0;    ///< n ≥ 1
    Index channels = 0;  ///< d ≥ 1
    Index modes = 0;     ///< s ≥ 0, complex ones
    Index taps = 1;      ///< m of 1..64: lags that have values of their own

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("length", sets.length...);
        f("channels", sets.channels...);
        f("modes", sets.modes...);
        f("taps", sets.taps...);
    }
};

/// y_t = Σ_{q<m} direct_q x_{t−q} + Re Σ_i r_i u_i, then u_i ← λ_i u_i + x_{t−m+1}, from u = 0: a band of m
/// taps and s complex modes for each channel.
///
/// The Toeplitz operator whose lags below m are `direct`, and whose lag t ≥ m is Re Σ_i r_i λ_i^{t−m}. Causal
/// bit for bit; in the other direction of time its transpose, of lags t ≤ 0. Poles are not bound to |λ| ≤ 1,
/// and beyond it states grow with n. Results below the smallest normal number are zero.
/// Kernel: poles and residues, s × d and complex, and direct, m × d (StateSpaceKernel).
/// Vectors have a channel per lane, and modes of each in the lanes that fewer channels leave.
/// Cost O(n (s + m) d) | heap: none | thread-safe: yes | threads split batch and channels, gradients the
/// channels, same bits for any number
template <Real ScalarType, Direction time = Direction::forward>
class StateSpace : public Operator<StateSpace<ScalarType, time>, ScalarType> {
    using Base = Operator<StateSpace, ScalarType>;
    friend Base;
    using Recurrence = detail::ModalRecurrence<ScalarType>;

public:
    using Scalar = ScalarType;
    using Kernel = StateSpaceKernel<const Scalar>;
    using KernelValues = StateSpaceKernel<Scalar>;
    using Cache = NoCache;
    using Options = StateSpaceOptions;

    /// The zero operator, until set_kernel is called.
    /// \throws config_error 201, 202, 512 (a negative number of modes) or 513 (taps outside 1..64)
    explicit StateSpace(const Options& options)
        : Base(options.length, options.channels),
          recurrence_(options.channels, checked(options).modes, options.taps) {}

    /// \throws config_error 201, 202, 512 or 513, shape_error 501, value_error 530
    StateSpace(const Options& options, const Kernel& kernel) : Base(options.length, options.channels) {
        require_kernel(kernel, checked(options).modes, options.taps, "StateSpace::set_kernel");
        recurrence_ = Recurrence(options.channels, options.modes, options.taps);
        this->set_kernel(kernel);
    }

    static constexpr Causality causality() noexcept {
        return time == Direction::forward ? Causality::causal : Causality::bidirectional;
    }
    Index modes() const noexcept { return recurrence_.modes(); }
    Index taps() const noexcept { return recurrence_.taps(); }

    /// The kernel that it has. heap: the result
    StateSpaceModes<Scalar> stored_kernel() const { return recurrence_.kernel(); }

    /// Kernel values of the right shapes, not initialised.
    KernelValues take_kernel(Workspace::Scope& scope) const {
        using Complex = std::complex<Scalar>;
        const MatrixView<Complex> poles = scope.template matrix<Complex>(modes(), this->channels());
        const MatrixView<Complex> residues = scope.template matrix<Complex>(modes(), this->channels());
        return {poles, residues, scope.template matrix<Scalar>(taps(), this->channels())};
    }
    /// Bytes that set_kernel takes from its workspace.
    std::size_t kernel_workspace() const noexcept { return 0; }
    /// Bytes held.
    std::size_t state_bytes() const noexcept { return recurrence_.bytes(); }

    /// The lags that a kernel stands for, (2n−1) × d, computed in double: row t + n − 1 is lag t.
    /// \throws shape_error 501
    void kernel_lags(const Kernel& kernel, MatrixView<Scalar> lags, Workspace& ws) const {
        const Index n = this->length();
        require_kernel(kernel, modes(), taps(), "StateSpace::kernel_lags");
        require_kernel_shape(lags, 2 * n - 1, this->channels(), "StateSpace::kernel_lags");
        lags.eigen().setZero();
        // From lag 0 on, in either direction of time.
        const Index step = time == Direction::forward ? lags.row_stride() : -lags.row_stride();
        const MatrixView<Scalar> rows(lags.row(n - 1), n, lags.cols(), step, lags.col_stride());
        Workspace::Scope scope(ws);
        auto* responses = scope.template take<std::complex<double>>(modes());
        for (Index c = 0; c < this->channels(); ++c) {
            for (Index i = 0; i < modes(); ++i) responses[i] = std::complex<double>(kernel.residues(i, c));
            for (Index t = 0; t < (std::min)(taps(), n); ++t) rows(t, c) = kernel.direct(t, c);
            for (Index t = taps(); t < n; ++t) {
                double lag = 0;
                for (Index i = 0; i < modes(); ++i) {
                    lag += responses[i].real();
                    responses[i] *= std::complex<double>(kernel.poles(i, c));
                }
                rows(t, c) = static_cast<Scalar>(lag);
            }
        }
    }

private:
    static constexpr const char* name = "StateSpace";
    static constexpr Index run_rows = Recurrence::run_rows;
    // Packs of a cache line, and the lines that a thread takes at once where it has as many.
    static constexpr Index line_packs =
        static_cast<Index>(buffer_alignment / sizeof(Scalar)) / Recurrence::lanes;
    static constexpr Index group_lines = 4;

    static const Options& checked(const Options& options) {
        if (options.modes < 0) {
            detail::raise<config_error>(512, name, "modes >= 0", std::to_string(options.modes));
        }
        Recurrence::require_taps(options.taps, name);
        return options;
    }

    template <class Views>
    void require_kernel(const Views& kernel, Index modes, Index taps, const char* where) const {
        require_kernel_shape(kernel.poles, modes, this->channels(), where);
        require_kernel_shape(kernel.residues, modes, this->channels(), where);
        require_kernel_shape(kernel.direct, taps, this->channels(), where);
    }

    void assign_kernel(const Kernel& kernel, Workspace&) {
        constexpr const char* where = "StateSpace::set_kernel";
        require_kernel(kernel, modes(), taps(), where);
        require_finite(kernel.poles, where, "pole", 0);
        require_finite(kernel.residues, where, "residue", 0);
        require_finite(kernel.direct, where, "direct", 0);
        recurrence_.set_kernel(kernel);
    }

    Index lines() const noexcept { return (recurrence_.packs() + line_packs - 1) / line_packs; }
    // A vector operation takes about a fifth of a nanosecond, and a vector of modes six.
    Index work(Index batch) const noexcept {
        const Index operations = 6 * recurrence_.most_vectors() + taps() + 3;
        return batch * this->length() * recurrence_.packs() * operations / 5;
    }
    int product_threads(Index batch) const noexcept {
        return detail::thread_count(batch * lines(), work(batch));
    }
    int gradient_threads(Index batch) const noexcept {
        return detail::thread_count(lines(), 2 * work(batch));
    }

    // The states of a group, and two windows.
    Index product_scratch() const noexcept {
        const Index packs = (std::min)(group_lines * line_packs, recurrence_.packs());
        return packs * recurrence_.pack_state() + 2 * recurrence_.window_size();
    }
    static Index run_count(Index length) noexcept { return (length + run_rows - 1) / run_rows; }
    // Of one pack: the states before each run, that of the adjoint, sums, windows of x and g, and the history
    // of a run.
    Index gradient_scratch() const noexcept {
        return (run_count(this->length()) + 1) * recurrence_.pack_state() + recurrence_.sums_size() +
               2 * recurrence_.window_size() + Recurrence::history_size();
    }

    std::size_t product_workspace(Index batch) const noexcept {
        return ThreadScratch<Scalar>::bytes(product_scratch(), product_threads(batch));
    }
    std::size_t gradient_workspace(Index batch) const noexcept {
        return ThreadScratch<Scalar>::bytes(gradient_scratch(), gradient_threads(batch));
    }

    // The adjoint of a causal operator is the operator of reversed time.
    template <Direction direction = Direction::forward, class T>
    static MatrixView<T> in_time(MatrixView<T> rows) noexcept {
        if (direction == time || rows.rows() == 0) return rows;
        return {rows.row(rows.rows() - 1), rows.rows(), rows.cols(), -rows.row_stride(), rows.col_stride()};
    }

    template <Direction direction, Update update>
    void product(MatrixView<const Scalar> x, MatrixView<Scalar> y, const Sequences& sequences,
                 Workspace& ws) const {
        const int threads = product_threads(sequences.batch());
        ws.reserve(product_workspace(sequences.batch()));
        Workspace::Scope scope(ws);
        const ThreadScratch<Scalar> scratch(scope, product_scratch(), threads);
        detail::parallel_chunks(
            sequences.batch() * lines(), threads, [&](Index begin, Index end, int thread) {
                for (Index item = begin; item < end;) {
                    const Index b = item / lines();
                    const Index first = item % lines();
                    const Index count = (std::min)({group_lines, lines() - first, end - item});
                    product_group<update>(in_time<direction>(sequences.valid_of(x, b)),
                                          in_time<direction>(sequences.valid_of(y, b)), first * line_packs,
                                          (std::min)((first + count) * line_packs, recurrence_.packs()),
                                          scratch[thread]);
                    item += count;
                }
            });
    }

    template <Update update>
    void product_group(MatrixView<const Scalar> x, MatrixView<Scalar> y, Index first, Index last,
                       Scalar* scratch) const noexcept {
        const Index size = recurrence_.pack_state();
        Scalar* windows = std::fill_n(scratch, (last - first) * size, Scalar(0));
        for (Index i = 0; i < x.rows(); i += run_rows) {
            const Index rows = (std::min)(run_rows, x.rows() - i);
            for (Index pack = first; pack < last; ++pack) {
                recurrence_.template advance<update>(pack, x.middle_rows(i, rows), y.middle_rows(i, rows),
                                                     scratch + (pack - first) * size, windows);
            }
        }
    }

    void kernel_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g, const KernelValues& dkernel,
                         const Sequences& sequences, Workspace& ws) const {
        require_kernel(dkernel, modes(), taps(), "StateSpace, dkernel");
        const int threads = gradient_threads(sequences.batch());
        ws.reserve(gradient_workspace(sequences.batch()));
        Workspace::Scope scope(ws);
        const ThreadScratch<Scalar> scratch(scope, gradient_scratch(), threads);
        detail::parallel_chunks(lines(), threads, [&](Index begin, Index end, int thread) {
            const Index last = (std::min)(end * line_packs, recurrence_.packs());
            for (Index pack = begin * line_packs; pack < last; ++pack) {
                gradient_pack(pack, x, g, dkernel, sequences, scratch[thread]);
            }
        });
    }

    // States cannot run backwards: they are computed once and kept where runs begin, then again run by run,
    // from the last on, beside those of the adjoint.
    void gradient_pack(Index pack, MatrixView<const Scalar> x, MatrixView<const Scalar> g,
                       const KernelValues& dkernel, const Sequences& sequences,
                       Scalar* scratch) const noexcept {
        const Index size = recurrence_.pack_state();
        Scalar* adjoint = scratch + run_count(this->length()) * size;
        Scalar* sums = adjoint + size;
        Scalar* x_window = sums + recurrence_.sums_size();
        Scalar* g_window = x_window + recurrence_.window_size();
        Scalar* history = g_window + recurrence_.window_size();
        std::fill_n(sums, recurrence_.sums_size(), Scalar(0));
        for (Index b = 0; b < sequences.batch(); ++b) {
            const MatrixView<const Scalar> xs = in_time(sequences.valid_of(x, b));
            const MatrixView<const Scalar> gs = in_time(sequences.valid_of(g, b));
            const Index runs = run_count(xs.rows());
            const auto rows = [&](Index run) { return (std::min)(run_rows, xs.rows() - run * run_rows); };
            std::fill_n(scratch, size, Scalar(0));
            for (Index run = 0; run + 1 < runs; ++run) {
                Scalar* state = std::copy_n(scratch + run * size, size, scratch + (run + 1) * size) - size;
                recurrence_.read_window(pack, xs.middle_rows(run * run_rows, rows(run)), x_window);
                recurrence_.advance_state(pack, x_window, rows(run), state);
            }
            std::fill_n(adjoint, size, Scalar(0));
            for (Index run = runs - 1; run >= 0; --run) {
                recurrence_.read_window(pack, xs.middle_rows(run * run_rows, rows(run)), x_window);
                recurrence_.read_window(pack, gs.middle_rows(run * run_rows, rows(run)), g_window);
                recurrence_.add_products(pack, x_window, g_window, rows(run), scratch + run * size, adjoint,
                                         sums, history);
            }
        }
        recurrence_.add_gradient(pack, sums, dkernel);
    }

    Recurrence recurrence_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
