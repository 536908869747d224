// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The recurrence of a state space in modal form, the engine of the operator and of the stream.

#include <algorithm>
#include <bit>

#include <toeplitz/core/memory.hpp>
#include <toeplitz/core/simd.hpp>
#include <toeplitz/operators/modal_layout.hpp>
#include <toeplitz/operators/state_space_kernel.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

namespace detail {

/// y_t = Σ_{q<m} direct_q x_{t−q} + Re Σ_i r_i u_i, then u_i ← λ_i u_i + x_{t−m+1}, for packs of channels.
///
/// Modes are taken a few at a time: their numbers stay in registers while they pass over the rows of a run,
/// adding to y, and the next few find the run in the first-level cache. A product of one row is the same
/// code, so that a sequence has the same bits however it is cut.
///
/// Modes at the end whose poles are real in all channels of a pack take two multiply-adds, others six: Im u
/// stays 0. Where modes share vectors (ModalLayout), the same holds for vectors of them, and the lanes of a
/// channel are summed up for as many rows at once as fill a pack.
///
/// States are zero at the start of a sequence. A window has space for m − 1 inputs in front of a run's rows.
template <Real ScalarType, class V = Simd<ScalarType>>
class ModalRecurrence : public ModalLayout<V::lanes> {
    using Layout = ModalLayout<V::lanes>;
    using Pack = typename V::Pack;

public:
    using Scalar = ScalarType;

    /// Most rows of a call.
    static constexpr Index run_rows = 64;
    /// m at most: windows lie on the stack of streams.
    static constexpr Index most_taps = 64;
    static constexpr Index lanes = V::lanes;

    /// \throws config_error 513
    static void require_taps(Index taps, const char* where) {
        if (taps >= 1 && taps <= most_taps) return;
        raise<config_error>(513, where, text("taps of 1..", most_taps), std::to_string(taps));
    }

    ModalRecurrence() = default;
    ModalRecurrence(Index channels, Index modes, Index taps)
        : Layout(channels, modes, taps),
          coefficients_(checked_product(packs() * mode_size, most_vectors_, "ModalRecurrence")),
          direct_(packs() * taps * lanes),
          complex_(packs()),
          real_(packs()) {
        for (Index pack = 0; pack < packs(); ++pack) real_[pack] = vectors_of(modes, pack);
    }

    using Layout::pack_state;
    using Layout::packs;

    /// Scalars of a window of a run's rows and the inputs before them, at least; of any run.
    Index window_size() const noexcept { return (taps_ - 1 + run_rows) * lanes; }
    static constexpr Index most_window_size() noexcept { return (most_taps - 1 + run_rows) * lanes; }
    std::size_t bytes() const noexcept {
        return static_cast<std::size_t>(coefficients_.size() + direct_.size()) * sizeof(Scalar);
    }

    /// Operations on vectors of one row of all channels, and at most of each of several ones:
    /// multiplications, multiply-adds and sums. Lanes without a channel are computed as others are, and so
    /// are modes that pad a channel, as real ones.
    Index operations() const noexcept {
        Index sum = 0;
        for (Index pack = 0; pack < packs(); ++pack) {
            // Vectors that are taken together are summed over the lanes they share, and added to the output.
            const Index fold = is_shared() ? std::countr_zero(static_cast<std::size_t>(phases(pack))) + 1 : 0;
            sum += taps_ + 6 * complex_[pack] + 2 * real_[pack];
            // Complex ones have a sum of their own for the imaginary parts.
            for_blocks<mode_block>(complex_[pack], [&]<int>(Index) { sum += 1 + fold; });
            for_blocks<mode_block>(real_[pack], [&]<int>(Index) { sum += fold; });
        }
        return sum;
    }

    /// A kernel of the right shape.
    void set_kernel(const StateSpaceKernel<const Scalar>& kernel) noexcept {
        for (Index pack = 0; pack < packs(); ++pack) {
            const auto poles = kernel.poles.middle_cols(first_channel(pack), used_lanes(pack));
            complex_[pack] = vectors_of(complex_modes<Scalar>(poles), pack);
            real_[pack] = vectors_of(modes_, pack) - complex_[pack];
        }
        for (Index c = 0; c < channels_; ++c) {
            const Index pack = pack_of(c);
            for (Index q = 0; q < taps_; ++q) {
                Scalar* to = direct_.data() + tap_index(q, c);
                for (Index p = 0; p < phases(pack); ++p) to[p * width(pack)] = kernel.direct(q, c);
            }
            for (Index i = 0; i < vectors(pack) * phases(pack); ++i) {
                const std::complex<Scalar> pole = kernel.poles((std::min)(i, modes_ - 1), c);
                // What fills the last vector up adds nothing.
                const std::complex<Scalar> residue = i < modes_ ? kernel.residues(i, c) : Scalar(0);
                Scalar* to = coefficients_.data() + place(i, c);
                to[0] = pole.real();
                to[lanes] = pole.imag();
                to[2 * lanes] = residue.real();
                to[3 * lanes] = residue.imag();
            }
        }
    }

    /// What set_kernel was given.
    StateSpaceModes<Scalar> kernel() const {
        StateSpaceModes<Scalar> kernel;
        kernel.poles.resize(modes_, channels_);
        kernel.residues.resize(modes_, channels_);
        kernel.direct.resize(taps_, channels_);
        for (Index c = 0; c < channels_; ++c) {
            for (Index q = 0; q < taps_; ++q) kernel.direct(q, c) = direct_[tap_index(q, c)];
            for (Index i = 0; i < modes_; ++i) {
                const Scalar* from = coefficients_.data() + place(i, c);
                kernel.poles(i, c) = {from[0], from[lanes]};
                kernel.residues(i, c) = {from[2 * lanes], from[3 * lanes]};
            }
        }
        return kernel;
    }

    /// The outputs of at most run_rows rows, which have neighbouring channels and are apart from y's.
    /// \param windows two windows
    template <Update update>
    void advance(Index pack, MatrixView<const Scalar> x, MatrixView<Scalar> y, Scalar* state,
                 Scalar* windows) const noexcept {
        const Index first = pack * lanes;
        const bool is_whole = channels_ - first >= lanes;
        if (is_whole && begins_with_modes()) {
            run_modes<update, true>(pack, state, x.row(0) + first, x.row_stride(), y.row(0) + first,
                                    y.row_stride(), x.rows());
            return;
        }
        read_window(pack, x, windows);
        if (is_whole) {
            run<update>(pack, windows, y.row(0) + first, y.row_stride(), x.rows(), state);
            return;
        }
        Scalar* sums = windows + window_size();
        if constexpr (update == Update::add) read_window<Scalar>(pack, y, sums);
        run<update>(pack, windows, rows_of(pack, sums), lanes, x.rows(), state);
        write_window(pack, sums, y);
    }

    /// Whether the only tap is added in one pass with the first modes.
    bool begins_with_modes() const noexcept { return taps_ == 1 && modes_ > 0; }

    /// One row of all channels, where begins_with_modes(): the sums stay in registers. y may be x.
    [[gnu::noinline]] void advance_row(const Scalar* x, Scalar* y, Scalar* state) const noexcept {
        if (is_shared()) return advance_shared_row(x, y, state);
        for (Index pack = 0; pack < packs(); ++pack, x += lanes, y += lanes, state += pack_state()) {
            const Index count = (std::min)(lanes, channels_ - pack * lanes);
            const Pack from = V::load_row(x, count);
            Pack sum = V::load(direct(pack)) * from;
            for_mode_blocks(pack, state, [&](auto modes) TOEPLITZ_LAMBDA {
                sum = modes.next(from, sum);
                modes.store();
            });
            V::store_row(y, sum, count);
        }
    }

    /// The same from a window and into one.
    void advance(Index pack, Scalar* x_window, Scalar* y_window, Index rows, Scalar* state) const noexcept {
        run<Update::assign>(pack, x_window, rows_of(pack, y_window), lanes, rows, state);
    }

    /// The state after at most run_rows rows in a window.
    void advance_state(Index pack, Scalar* window, Index rows, Scalar* state) const noexcept {
        const Scalar* c = coefficients(pack);
        begin_window(pack, state, window);
        with_width(pack, [&]<Index width>() TOEPLITZ_LAMBDA {
            for_blocks<mode_block>(vectors(pack), [&]<int count>(Index i) TOEPLITZ_LAMBDA {
                follow<width, count>(c + i * mode_size, state + i * 2 * lanes, window, rows);
            });
        });
        end_window(pack, window, rows, state);
    }

    /// Scalars of the sums below: for each mode Σ g_t u_t and Σ u_t v_t, and for each tap Σ g_t x_{t−q}.
    Index sums_size() const noexcept { return (4 * most_vectors_ + taps_) * lanes; }
    /// Scalars of scratch that add_products needs.
    static constexpr Index history_size() noexcept { return run_rows * gradient_block * 2 * lanes; }

    /// Adds the products of a run to the sums. u is the state before it, as advance_state leaves it, and v,
    /// v_t = λ v_{t+1} + g_{t+1}, the state of the adjoint behind it, which becomes that before the run.
    void add_products(Index pack, Scalar* x_window, const Scalar* g_window, Index rows, const Scalar* u,
                      Scalar* v, Scalar* sums, Scalar* history) const noexcept {
        const Scalar* c = coefficients(pack);
        const Scalar* x = rows_of(pack, x_window);
        const Scalar* g = rows_of(pack, g_window);
        begin_window(pack, u, x_window);
        with_width(pack, [&]<Index width>() TOEPLITZ_LAMBDA {
            for_blocks<gradient_block>(vectors(pack), [&]<int count>(Index i) TOEPLITZ_LAMBDA {
                remember<width, count>(c + i * mode_size, u + i * 2 * lanes, x_window, rows, history);
                correlate<width, count>(c + i * mode_size, v + i * 2 * lanes, g, rows, history,
                                        sums + i * 4 * lanes);
            });
            Scalar* total = sums + 4 * most_vectors_ * lanes;
            for (Index q = 0; q < taps_; ++q, total += lanes) {
                Pack sum{};
                for (Index at = 0; at < rows * width; at += lanes) {
                    sum += load_rows<width>(g + at) * load_rows<width>(x + at - q * width);
                }
                V::store(total, V::load(total) + sum);
            }
        });
    }

    /// Adds to the gradient of the kernel what its sums of products mean: ∂/∂r = conj(Σ g u) and
    /// ∂/∂λ = conj(r Σ u v).
    void add_gradient(Index pack, const Scalar* sums,
                      const StateSpaceKernel<Scalar>& gradient) const noexcept {
        using Complex = std::complex<Scalar>;
        const Index first = first_channel(pack);
        for (Index c = first; c < first + used_lanes(pack); ++c) {
            for (Index i = 0; i < modes_; ++i) {
                const Scalar* sum = sums + i / phases(pack) * 4 * lanes + lane(i, c);
                const Scalar* coefficient = coefficients_.data() + place(i, c);
                const Scalar re = coefficient[2 * lanes];
                const Scalar im = coefficient[3 * lanes];
                gradient.residues(i, c) += Complex(sum[0], -sum[lanes]);
                gradient.poles(i, c) += Complex(re * sum[2 * lanes] - im * sum[3 * lanes],
                                                -(re * sum[3 * lanes] + im * sum[2 * lanes]));
            }
            for (Index q = 0; q < taps_; ++q) {
                const Scalar* sum = sums + (4 * most_vectors_ + q) * lanes + c - first;
                for (Index p = 0; p < phases(pack); ++p) gradient.direct(q, c) += sum[p * width(pack)];
            }
        }
    }

    /// A pack's channels of some rows, zeros beyond the last channel, and beyond the last row of a pack.
    template <class T>
    void read_window(Index pack, MatrixView<T> rows, Scalar* window) const noexcept {
        const Index first = pack * lanes;
        const Index count = used_lanes(pack);
        window = rows_of(pack, window);
        if (is_shared()) return read_shared(pack, rows, window);
        for (Index t = 0; t < rows.rows(); ++t, window += lanes) {
            if (!rows.has_contiguous_rows()) {
                for (Index c = 0; c < lanes; ++c) window[c] = c < count ? rows(t, first + c) : Scalar(0);
            } else {
                V::store(window, V::load_row(rows.row(t) + first, count));
            }
        }
    }
    void write_window(Index pack, const Scalar* window, MatrixView<Scalar> rows) const noexcept {
        const Index first = pack * lanes;
        const Index count = used_lanes(pack);
        window = rows_of(pack, window);
        if (is_shared()) return write_shared(pack, window, rows);
        for (Index t = 0; t < rows.rows(); ++t, window += lanes) {
            if (!rows.has_contiguous_rows()) {
                for (Index c = 0; c < count; ++c) rows(t, first + c) = window[c];
            } else {
                V::store_row(rows.row(t) + first, V::load(window), count);
            }
        }
    }

private:
    // Of a mode: Re λ, Im λ, Re r, Im r.
    static constexpr Index mode_size = 4 * lanes;
    // Modes whose six numbers stay in registers, of which 16 hold what is written, and those whose eight do
    // in the gradient.
    static constexpr int mode_block = 4;
    static constexpr int gradient_block = vector_registers == 32 ? 2 : 1;
    // Rows whose sums stay in registers while taps pass over them.
    static constexpr int tile_rows = 8;

    using Layout::channels_;
    using Layout::first_channel;
    using Layout::inputs;
    using Layout::is_shared;
    using Layout::lane;
    using Layout::modes_;
    using Layout::most_vectors_;
    using Layout::pack_of;
    using Layout::phases;
    using Layout::taps_;
    using Layout::used_lanes;
    using Layout::vectors_of;
    using Layout::whole_packs;
    using Layout::width;
    using Layout::with_width;

    Index vectors(Index pack) const noexcept { return complex_[pack] + real_[pack]; }

    // Of mode i of channel c, the first of its numbers in coefficients_; the others are lanes apart.
    Index place(Index i, Index c) const noexcept {
        const Index pack = pack_of(c);
        return (pack * most_vectors_ + i / phases(pack)) * mode_size + lane(i, c);
    }
    const Scalar* coefficients(Index pack) const noexcept {
        return coefficients_.data() + pack * most_vectors_ * mode_size;
    }
    const Scalar* direct(Index pack) const noexcept { return direct_.data() + pack * taps_ * lanes; }
    Index tap_index(Index q, Index c) const noexcept { return (pack_of(c) * taps_ + q) * lanes + lane(0, c); }

    // The first row of a run in a window.
    template <class T>
    T* rows_of(Index pack, T* window) const noexcept {
        return window + (taps_ - 1) * width(pack);
    }
    // The inputs before a run, from its state, and the last ones of it.
    void begin_window(Index pack, const Scalar* state, Scalar* window) const noexcept {
        std::copy_n(state + inputs(), (taps_ - 1) * width(pack), window);
    }
    void end_window(Index pack, const Scalar* window, Index rows, Scalar* state) const noexcept {
        std::copy_n(window + rows * width(pack), (taps_ - 1) * width(pack), state + inputs());
    }

    // Rows that fill a pack.
    template <Index width>
    TOEPLITZ_INLINE static Pack load_rows(const Scalar* p) noexcept {
        if constexpr (width == lanes) return V::load(p);
        return V::load_unaligned(p);
    }

    // Whether rows are in memory as they are in the window of a pack.
    template <class T>
    bool is_window(Index pack, const MatrixView<T>& rows) const noexcept {
        return width(pack) == channels_ && rows.has_contiguous_rows() && rows.row_stride() == channels_;
    }
    template <class T>
    void read_shared(Index pack, MatrixView<T> rows, Scalar* window) const noexcept {
        const Index count = width(pack);
        const Index size = rows.rows() * count;
        std::fill(window + size, window + whole_packs(size), Scalar(0));
        if (is_window(pack, rows)) {
            std::copy_n(rows.row(0), size, window);
            return;
        }
        for (Index c = 0; c < count; ++c) {
            const Index channel = first_channel(pack) + c;
            for (Index t = 0; t < rows.rows(); ++t) window[t * count + c] = rows(t, channel);
        }
    }
    void write_shared(Index pack, const Scalar* window, MatrixView<Scalar> rows) const noexcept {
        const Index count = width(pack);
        if (is_window(pack, rows)) {
            std::copy_n(window, rows.rows() * count, rows.row(0));
            return;
        }
        for (Index c = 0; c < count; ++c) {
            const Index channel = first_channel(pack) + c;
            for (Index t = 0; t < rows.rows(); ++t) rows(t, channel) = window[t * count + c];
        }
    }

    // f<count>(i) for all i < size, most at a time.
    template <int count, class F>
    TOEPLITZ_INLINE static void for_blocks(Index size, F&& f, Index i = 0) {
        for (; i + count <= size; i += count) f.template operator()<count>(i);
        if constexpr (count > 1) for_blocks<count / 2>(size, f, i);
    }

    // Numbers of a few modes, in registers.
    template <int count>
    struct Modes {
        Pack pole_re[std::size_t{count}];
        Pack pole_im[std::size_t{count}];
        Pack re[std::size_t{count}];
        Pack im[std::size_t{count}];

        TOEPLITZ_INLINE Modes(const Scalar* coefficients, const Scalar* state) {
            unroll<count>([&](auto k) TOEPLITZ_LAMBDA {
                pole_re[k] = V::load(coefficients + k * mode_size);
                pole_im[k] = V::load(coefficients + k * mode_size + lanes);
                re[k] = V::load(state + k * 2 * lanes);
                im[k] = V::load(state + k * 2 * lanes + lanes);
            });
        }
        // u ← λ u + x
        template <bool is_real = false>
        TOEPLITZ_INLINE void advance(Pack x) {
            unroll<count>([&](auto k) TOEPLITZ_LAMBDA {
                const Pack next = x + pole_re[k] * re[k];
                if constexpr (is_real) {
                    re[k] = next;
                } else {
                    const Pack turned = pole_re[k] * im[k];
                    const Pack old = re[k];
                    re[k] = next - pole_im[k] * im[k];
                    im[k] = turned + pole_im[k] * old;
                }
            });
        }
        template <bool is_real = false>
        TOEPLITZ_INLINE void store(Scalar* state) const {
            unroll<count>([&](auto k) TOEPLITZ_LAMBDA {
                V::store(state + k * 2 * lanes, re[k]);
                if constexpr (!is_real) V::store(state + k * 2 * lanes + lanes, im[k]);
            });
        }
    };

    // Of a pack's state, with their residues.
    template <bool is_real, int count>
    struct OutputModes {
        Scalar* state;
        Modes<count> modes;
        Pack residue_re[std::size_t{count}];
        Pack residue_im[std::size_t{count}];

        TOEPLITZ_INLINE OutputModes(const Scalar* coefficients, Scalar* u)
            : state(u), modes(coefficients, u) {
            unroll<count>([&](auto k) TOEPLITZ_LAMBDA {
                residue_re[k] = V::load(coefficients + k * mode_size + 2 * lanes);
                residue_im[k] = V::load(coefficients + k * mode_size + 3 * lanes);
            });
        }
        // sum + Re Σ r u, and u ← λ u + x
        TOEPLITZ_INLINE Pack next(Pack x, Pack sum) {
            Pack rest{};
            unroll<count>([&](auto k) TOEPLITZ_LAMBDA {
                sum += residue_re[k] * modes.re[k];
                if constexpr (!is_real) rest += residue_im[k] * modes.im[k];
            });
            modes.template advance<is_real>(x);
            return is_real ? sum : sum - rest;
        }
        TOEPLITZ_INLINE void store() const { modes.template store<is_real>(state); }
    };

    // f(OutputModes) for all modes of a pack, some at a time.
    template <class F>
    TOEPLITZ_INLINE void for_mode_blocks(Index pack, Scalar* state, F&& f) const noexcept {
        const Scalar* c = coefficients(pack);
        const auto with_modes = [&]<bool is_real, int count>(Index i) TOEPLITZ_LAMBDA {
            f(OutputModes<is_real, count>(c + i * mode_size, state + i * 2 * lanes));
        };
        const Index complex = complex_[pack];
        for_blocks<mode_block>(complex, [&]<int count>(Index i) TOEPLITZ_LAMBDA {
            with_modes.template operator()<false, count>(i);
        });
        for_blocks<mode_block>(real_[pack], [&]<int count>(Index i) TOEPLITZ_LAMBDA {
            with_modes.template operator()<true, count>(complex + i);
        });
    }

    // The outputs of a window's rows, whose space in front is filled in, and the state behind them.
    template <Update update>
    void run(Index pack, Scalar* window, Scalar* y, Index y_stride, Index rows,
             Scalar* state) const noexcept {
        begin_window(pack, state, window);
        if (!is_shared() && begins_with_modes()) {
            run_modes<update, true>(pack, state, window, lanes, y, y_stride, rows);
            return;
        }
        with_width(pack, [&]<Index width>() TOEPLITZ_LAMBDA {
            for_blocks<tile_rows>(whole_packs(rows * width) / lanes, [&]<int count>(Index t) TOEPLITZ_LAMBDA {
                add_taps<update, width, count>(direct(pack), taps_, rows_of(pack, window) + t * lanes,
                                               y + t * y_stride, y_stride);
            });
            if constexpr (width == lanes) {
                run_modes<Update::add, false>(pack, state, window, lanes, y, y_stride, rows);
            } else {
                run_shared_modes<width>(pack, state, window, y, rows);
            }
        });
        end_window(pack, window, rows, state);
    }

    // y_t = Σ_q direct_q x_{t−q} of the rows of a few packs in a window, or added to y.
    template <Update update, Index width, int count>
    [[gnu::noinline]] static void add_taps(const Scalar* direct, Index taps, const Scalar* x, Scalar* y,
                                           Index y_stride) noexcept {
        Pack sum[std::size_t{count}] = {};
        if constexpr (update == Update::add) {
            unroll<count>([&](auto r) TOEPLITZ_LAMBDA { sum[r] = V::load_unaligned(y + r * y_stride); });
        }
        for (Index q = 0; q < taps; ++q, direct += lanes, x -= width) {
            const Pack tap = V::load(direct);
            unroll<count>([&](auto r) TOEPLITZ_LAMBDA { sum[r] += tap * load_rows<width>(x + r * lanes); });
        }
        unroll<count>([&](auto r) TOEPLITZ_LAMBDA { V::store_unaligned(y + r * y_stride, sum[r]); });
    }

    // Adds the modes of x to y, or to direct x where they come first.
    template <Update update, bool with_direct>
    [[gnu::noinline]] void run_modes(Index pack, Scalar* state, const Scalar* x, Index x_stride, Scalar* y,
                                     Index y_stride, Index rows) const noexcept {
        const auto add = [](Pack, const Scalar* to) TOEPLITZ_LAMBDA { return V::load_unaligned(to); };
        const Pack gain = V::load(direct(pack));
        const auto begin = [gain](Pack from, const Scalar* to) TOEPLITZ_LAMBDA {
            return update == Update::add ? V::load_unaligned(to) + gain * from : gain * from;
        };
        bool is_first = with_direct;
        for_mode_blocks(pack, state, [&](auto modes) TOEPLITZ_LAMBDA {
            is_first ? add_modes(modes, x, x_stride, y, y_stride, rows, begin)
                     : add_modes(modes, x, x_stride, y, y_stride, rows, add);
            is_first = false;
        });
    }

    // y_t = begin(x_t, y_t) + Re Σ r u.
    template <class SomeModes, class Begin>
    TOEPLITZ_INLINE static void add_modes(SomeModes& modes, const Scalar* x, Index x_stride, Scalar* y,
                                          Index y_stride, Index rows, const Begin& begin) noexcept {
        for (Index t = 0; t < rows; ++t, x += x_stride, y += y_stride) {
            const Pack from = V::load_unaligned(x);
            V::store_unaligned(y, modes.next(from, begin(from, y)));
        }
        modes.store();
    }

    // y_t += Re Σ r u of modes that share vectors, of as many rows at a time as a pack has.
    template <Index width>
    [[gnu::noinline]] void run_shared_modes(Index pack, Scalar* state, const Scalar* x, Scalar* y,
                                            Index rows) const noexcept {
        for_mode_blocks(pack, state,
                        [&](auto modes) TOEPLITZ_LAMBDA { add_shared_modes<width>(modes, x, y, rows); });
    }

    template <Index width, class SomeModes>
    TOEPLITZ_INLINE static void add_shared_modes(SomeModes& modes, const Scalar* x, Scalar* y,
                                                 Index rows) noexcept {
        constexpr Index phases = lanes / width;
        const auto next = [&](Index t) TOEPLITZ_LAMBDA {
            return modes.next(V::template load_repeated<width>(x + t * width), Pack{});
        };
        Index t = 0;
        for (; t + phases <= rows; t += phases) {
            Pack sums[std::size_t{phases}];
            unroll<phases>([&](auto r) TOEPLITZ_LAMBDA { sums[r] = next(t + r); });
            Scalar* to = y + t * width;
            V::store_unaligned(to, V::load_unaligned(to) + V::template sum_blocks<phases>(sums));
        }
        for (; t < rows; ++t) {
            Scalar* to = y + t * width;
            const Pack sum = V::load_unaligned(to) + V::template sum_blocks<phases>(next(t));
            V::store_partial(to, sum, width);
        }
        modes.store();
    }

    [[gnu::noinline]] void advance_shared_row(const Scalar* x, Scalar* y, Scalar* state) const noexcept {
        for (Index pack = 0; pack < packs(); ++pack, state += pack_state()) {
            with_width(pack, [&]<Index width>() TOEPLITZ_LAMBDA {
                if constexpr (width < lanes) {
                    advance_shared_row<width>(pack, x, y, state);
                    x += width;
                    y += width;
                }
            });
        }
    }
    template <Index width>
    [[gnu::noinline]] void advance_shared_row(Index pack, const Scalar* x, Scalar* y,
                                              Scalar* state) const noexcept {
        alignas(buffer_alignment) Scalar row[std::size_t{width}];
        std::copy_n(x, width, row);
        const Pack from = V::template load_repeated<width>(row);
        Pack sum{};
        sum += V::load(direct(pack)) * from;
        for_mode_blocks(pack, state, [&](auto modes) TOEPLITZ_LAMBDA {
            sum = sum + V::template sum_blocks<lanes / width>(modes.next(from, Pack{}));
            modes.store();
        });
        V::store_partial(y, sum, width);
    }

    template <Index width, int count>
    [[gnu::noinline]] static void follow(const Scalar* coefficients, Scalar* state, const Scalar* window,
                                         Index rows) noexcept {
        Modes<count> modes(coefficients, state);
        for (Index t = 0; t < rows; ++t) modes.advance(V::template load_repeated<width>(window + t * width));
        modes.store(state);
    }

    // history_t = u_t, the state before row t.
    template <Index width, int count>
    [[gnu::noinline]] static void remember(const Scalar* coefficients, const Scalar* state,
                                           const Scalar* window, Index rows, Scalar* history) noexcept {
        Modes<count> modes(coefficients, state);
        for (Index t = 0; t < rows; ++t, history += 2 * count * lanes) {
            modes.store(history);
            modes.advance(V::template load_repeated<width>(window + t * width));
        }
    }

    // sums += Σ_t (g_t u_t, u_t v_t).
    template <Index width, int count>
    [[gnu::noinline]] static void correlate(const Scalar* coefficients, Scalar* state, const Scalar* window,
                                            Index rows, const Scalar* history, Scalar* sums) noexcept {
        Modes<count> modes(coefficients, state);
        Pack sum[std::size_t{count} * 4] = {};
        for (Index t = rows - 1; t >= 0; --t) {
            const Pack g = V::template load_repeated<width>(window + t * width);
            const Scalar* u = history + t * 2 * count * lanes;
            unroll<count>([&](auto k) TOEPLITZ_LAMBDA {
                const Pack re = V::load(u + k * 2 * lanes);
                const Pack im = V::load(u + k * 2 * lanes + lanes);
                sum[4 * k] += g * re;
                sum[4 * k + 1] += g * im;
                sum[4 * k + 2] += re * modes.re[k];
                sum[4 * k + 2] -= im * modes.im[k];
                sum[4 * k + 3] += re * modes.im[k];
                sum[4 * k + 3] += im * modes.re[k];
            });
            modes.advance(g);
        }
        modes.store(state);
        unroll<4 * count>(
            [&](auto k) TOEPLITZ_LAMBDA { V::store(sums + k * lanes, V::load(sums + k * lanes) + sum[k]); });
    }

    Buffer<Scalar> coefficients_;  // packs × most_vectors × mode_size
    Buffer<Scalar> direct_;        // packs × taps × lanes
    Buffer<Index> complex_;        // of each pack: vectors of modes before those at the end …
    Buffer<Index> real_;           // … whose poles are real
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
