// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The right-angle convolution on a splitting tree whose lanes are channels, and time steps where channels
/// are few (docs/transform.md).

#include <bit>
#include <optional>

#include <toeplitz/core/view.hpp>
#include <toeplitz/fft/tree.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Toeplitz products of a group of channels by the splitting tree. Implements ConvolutionEngine
/// (fft/convolution.hpp).
///
/// y = Re[(c·x) mod (z^N − i)] with c_t = k(t) − i k(t−N) for the lags k, any N ≥ n. The points come out in
/// the order of the tree, which is as good as any for a product point by point.
///
/// A group is one cache line of a row, worked on in packs of one register: a channel in each lane. Channels
/// that do not fill a pack share one with time: a power of two of them, and as many time steps as fill it,
/// the phases of the tree. A spectrum holds, pack after pack, N points of these channels. What else is in the
/// group is neither read nor written.
///
/// Cost O(N log N) per channel | heap: none after construction | thread-safe: const, with distinct scratch.
template <Real Scalar>
class TreeConvolution {
public:
    /// Channels per group.
    static constexpr Index lanes = static_cast<Index>(buffer_alignment / sizeof(Scalar));

    /// \param channels d: the groups below are `lanes` or d % lanes channels wide, or, for whole packs, as
    /// wide as you like
    /// \throws config_error 201 or 202
    explicit TreeConvolution(Index length, Index channels = lanes) : widest_((std::min)(channels, lanes)) {
        if (channels >= pack_lanes) add_tree(length, pack_lanes);
        for (Index rest = channels % pack_lanes; rest > 0; rest -= detail::shared_width(rest)) {
            add_tree(length, detail::shared_width(rest));
        }
    }

    /// N of the largest tree, see detail::tree_size.
    Index size() const noexcept { return size_; }

    /// Scalars of the spectra of `width` channels, or of the widest group.
    Index spectrum_size() const noexcept { return spectrum_size(widest_); }
    Index spectrum_size(Index width) const noexcept {
        Index end = 0;
        for_packs(width, [&](const Part& part) { end = part.start + part.tree->pack_size(); });
        return end;
    }

    /// Scalars of scratch that each call below needs at most: the points, and the rows of one pack.
    Index scratch_size() const noexcept { return scratch_size(widest_); }
    Index scratch_size(Index width) const noexcept { return spectrum_size(width) + spare_size_; }
    /// Kernels are transformed where their spectrum will be.
    static constexpr Index kernel_scratch_size() noexcept { return 0; }

    /// spectrum = transform of c/N; row t + negative of `lags` is lag t, |t| ≤ N − 1.
    void transform_kernel(MatrixView<const Scalar> lags, Index negative, Scalar* spectrum,
                          Scalar* /*scratch*/) const noexcept;

    /// spectrum = transform of at most N real rows, zeros after them.
    void transform(MatrixView<const Scalar> x, Scalar* spectrum, Scalar* scratch) const noexcept;

    /// The first rows, as many as y has, of y (= or +=) T x with zeros after the rows of x; Tᵀ x for the
    /// adjoint, whose spectrum is the conjugate because |z| = 1 at all points. y may be x.
    template <Direction direction, Update update>
    void convolve(MatrixView<const Scalar> x, const Scalar* kernel_spectrum, MatrixView<Scalar> y,
                  Scalar* scratch) const noexcept;

    /// convolve() of an x that transform() has turned into `x_spectrum`.
    template <Direction direction, Update update>
    void convolve_spectrum(const Scalar* x_spectrum, const Scalar* kernel_spectrum, MatrixView<Scalar> y,
                           Scalar* scratch) const noexcept;

    /// sum += conj(X)·G point by point: the spectrum of the gradient of ⟨g, T x⟩ with respect to the kernel.
    void accumulate_correlation(const Scalar* x_spectrum, const Scalar* g_spectrum, Index width,
                                Scalar* sum) const noexcept {
        const Index end = spectrum_size(width);
        for (Index i = 0; i < end; i += Complex::size) {
            const Complex product = detail::multiply<Direction::adjoint>(Complex::load(g_spectrum + i),
                                                                         Complex::load(x_spectrum + i));
            const Complex old = Complex::load(sum + i);
            Complex{old.re + product.re, old.im + product.im}.store(sum + i);
        }
    }

    /// Row t + negative of `lags` += lag t of the kernel whose transform is `sum`. The inverse transform D of
    /// `sum` holds them as D_t = k(t) − i k(t−N). Overwrites `sum`.
    void accumulate_lags(Scalar* sum, MatrixView<Scalar> lags, Index negative,
                         Scalar* /*scratch*/) const noexcept;

private:
    using S = Simd<Scalar>;
    using Pack = typename S::Pack;
    using Tree = detail::SplittingTree<Scalar>;
    using Complex = typename Tree::Complex;
    template <Index R>
    using Root = typename Tree::template Root<R>;
    static constexpr Index pack_lanes = S::lanes;
    static_assert(lanes % pack_lanes == 0, "a group is a whole number of packs");

    // Rows of the root's passes after which the next pack takes its turn: the group's cache lines are still
    // there.
    static constexpr Index tile_rows = 16;

    // Rows are asked for this far ahead: the processor does not foresee strides of half a page.
    static constexpr Index rows_ahead = 4;

    // A pack's channels, and where its points are. Lane m·width + c is time step m of channel c, of
    // `channels` ≤ width that there are.
    struct Part {
        const Tree* tree;
        Index channel;
        Index channels;
        Index width;
        Index start;

        Index phases() const noexcept { return pack_lanes / width; }
    };

    static constexpr std::size_t tree_index(Index width) noexcept {
        return static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(width) | 16U));
    }

    void add_tree(Index length, Index width) {
        auto& tree = trees_[tree_index(width)];
        if (tree) return;
        tree.emplace(length, pack_lanes / width);
        size_ = (std::max)(size_, tree->size());
        spare_size_ = (std::max)(spare_size_, tree->packs() * pack_lanes);
    }

    // Calls f(part) for the packs that hold `width` channels; for_shared: those beyond the whole packs.
    template <class F>
    void for_packs(Index width, F&& f) const noexcept {
        const auto& tree = trees_[tree_index(pack_lanes)];
        Index channel = 0;
        for (; channel + pack_lanes <= width; channel += pack_lanes) {
            f(Part{&*tree, channel, pack_lanes, pack_lanes, channel / pack_lanes * tree->pack_size()});
        }
        for_shared(width, f);
    }
    template <class F>
    void for_shared(Index width, F&& f) const noexcept {
        Index channel = width / pack_lanes * pack_lanes;
        Index start = channel == 0 ? 0 : channel / pack_lanes * trees_[tree_index(pack_lanes)]->pack_size();
        while (channel < width) {
            const Index rest = width - channel;
            Index shared = detail::shared_width(rest);
            if (!trees_[tree_index(shared)]) shared = pack_lanes;
            const Tree& tree = *trees_[tree_index(shared)];
            f(Part{&tree, channel, (std::min)(rest, shared), shared, start});
            channel += shared;
            start += tree.pack_size();
        }
    }

    // Rows of a pack that are t..t + phases − 1 of `rows`, zeros outside.
    TOEPLITZ_INLINE static Pack load_steps(const MatrixView<const Scalar>& rows, Index t,
                                           const Part& part) noexcept {
        if (t + part.phases() <= 0 || t >= rows.rows()) return Pack{};
        if (part.width == pack_lanes) return S::load_row(rows.row(t) + part.channel, part.channels);
        if (is_run(rows, t, part)) return S::load_unaligned(rows.row(t));
        return gather_steps(rows, t, part);
    }
    TOEPLITZ_INLINE static void add_steps(const MatrixView<Scalar>& rows, Index t, const Part& part,
                                          Pack v) noexcept {
        if (t + part.phases() <= 0 || t >= rows.rows()) return;
        if (part.width == pack_lanes) {
            Scalar* p = rows.row(t) + part.channel;
            S::store_row(p, S::load_row(p, part.channels) + v, part.channels);
        } else if (is_run(rows, t, part)) {
            S::store_unaligned(rows.row(t), S::load_unaligned(rows.row(t)) + v);
        } else {
            scatter_steps(rows, t, part, v);
        }
    }
    template <class T>
    static bool is_run(const MatrixView<T>& rows, Index t, const Part& part) noexcept {
        return t >= 0 && t + part.phases() <= rows.rows() && rows.row_stride() == part.width &&
               part.channels == part.width;
    }
    [[gnu::noinline]] static Pack gather_steps(const MatrixView<const Scalar>& rows, Index t,
                                               const Part& part) noexcept {
        alignas(buffer_alignment) Scalar v[std::size_t{pack_lanes}] = {};
        const Index end = (std::min)(part.phases(), rows.rows() - t);
        for (Index m = t < 0 ? -t : 0; m < end; ++m) {
            std::copy_n(rows.row(t + m) + part.channel, part.channels, v + m * part.width);
        }
        return S::load(v);
    }
    [[gnu::noinline]] static void scatter_steps(const MatrixView<Scalar>& rows, Index t, const Part& part,
                                                Pack added) noexcept {
        alignas(buffer_alignment) Scalar v[std::size_t{pack_lanes}];
        S::store(v, added);
        const Index end = (std::min)(part.phases(), rows.rows() - t);
        for (Index m = t < 0 ? -t : 0; m < end; ++m) {
            Scalar* row = rows.row(t + m) + part.channel;
            for (Index c = 0; c < part.channels; ++c) row[c] += v[m * part.width + c];
        }
    }

    // A pack's rows in place, where time steps follow each other without a gap and fill them.
    template <class T>
    static bool is_packed(const MatrixView<T>& rows, const Part& part) noexcept {
        return rows.rows() % part.phases() == 0 && is_run(rows, 0, part);
    }
    static Index row_count(Index steps, const Part& part) noexcept {
        return (steps + part.phases() - 1) / part.phases();
    }
    // Calls f with the channels of a time step as a constant, where it is a small one.
    template <class F>
    static void with_width(Index width, F&& f) noexcept {
        switch (width) {
            case 1:
                return f(std::integral_constant<Index, 1>{});
            case 2:
                return f(std::integral_constant<Index, 2>{});
            case 4:
                return f(std::integral_constant<Index, 4>{});
            default:
                return f(width);
        }
    }

    // The rows that a pack reads: x itself or a padded copy.
    MatrixView<const Scalar> packed_rows(const MatrixView<const Scalar>& x, const Part& part,
                                         Scalar* spare) const noexcept {
        const Index rows = row_count(x.rows(), part);
        if (is_packed(x, part)) return {x.data(), rows, pack_lanes};
        std::fill_n(spare + x.rows() * part.width, rows * pack_lanes - x.rows() * part.width, Scalar(0));
        if (part.channels < part.width) std::fill_n(spare, x.rows() * part.width, Scalar(0));
        with_width(part.channels, [&](auto channels) {
            for (Index t = 0; t < x.rows(); ++t) {
                std::copy_n(x.row(t) + part.channel, Index{channels}, spare + t * part.width);
            }
        });
        return {spare, rows, pack_lanes};
    }

    // y = or += the rows that a pack wrote.
    template <Update update>
    static void unpack_rows(const Scalar* spare, const Part& part, const MatrixView<Scalar>& y) noexcept {
        with_width(part.channels, [&](auto channels) {
            for (Index t = 0; t < y.rows(); ++t) {
                const Scalar* from = spare + t * part.width;
                Scalar* row = y.row(t) + part.channel;
                for (Index c = 0; c < channels; ++c) {
                    row[c] = update == Update::add ? row[c] + from[c] : from[c];
                }
            }
        });
    }

    // The root's splits, from rows.
    void split_rows(MatrixView<const Scalar> x, Scalar* points, Scalar* spare) const noexcept {
        if (x.cols() >= pack_lanes) split_packs(*trees_[tree_index(pack_lanes)], x, points);
        for_shared(x.cols(), [&](const Part& part) {
            split_packs(*part.tree, packed_rows(x, part, spare), points + part.start);
        });
    }

    // The root's joins, to rows.
    template <Update update>
    void join_rows(const Scalar* points, MatrixView<Scalar> y, Scalar* spare) const noexcept {
        if (y.cols() >= pack_lanes) join_packs<update>(*trees_[tree_index(pack_lanes)], points, y);
        for_shared(y.cols(), [&](const Part& part) {
            const Index rows = row_count(y.rows(), part);
            if (is_packed(y, part)) {
                return join_packs<update>(*part.tree, points + part.start, {y.data(), rows, pack_lanes});
            }
            join_packs<Update::assign>(*part.tree, points + part.start, {spare, rows, pack_lanes});
            unpack_rows<update>(spare, part, y);
        });
    }

    // The whole packs of x.
    static void split_packs(const Tree& tree, const MatrixView<const Scalar>& x, Scalar* points) noexcept {
        tree.with_root([&]<Index R>() {
            for_tiles<R>(tree, x.rows(), [&](const Tile& tile) { split_tile<R>(tree, x, tile, points); });
        });
    }

    template <Update update>
    static void join_packs(const Tree& tree, const Scalar* points, const MatrixView<Scalar>& y) noexcept {
        tree.with_root([&]<Index R>() {
            for_tiles<R>(tree, y.rows(),
                         [&](const Tile& tile) { join_tile<R, update>(tree, points, y, tile); });
        });
    }

    // Rows begin + j + m·step, j < count, exist for m < valid, the same number for all j.
    struct Tile {
        Index begin;
        Index count;
        Index valid;
        Index step;
    };
    template <Index R, class F>
    static void for_tiles(const Tree& tree, Index rows, F&& f) noexcept {
        const Index step = tree.packs() / R;
        const Index rest = rows % step;
        const Index valid = rows / step;
        for (Index j = 0; j < rest; j += tile_rows) f({j, (std::min)(tile_rows, rest - j), valid + 1, step});
        for (Index j = rest; j < step; j += tile_rows) f({j, (std::min)(tile_rows, step - j), valid, step});
    }

    template <Index R>
    static void split_tile(const Tree& tree, const MatrixView<const Scalar>& x, Tile tile,
                           Scalar* points) noexcept {
        const typename Root<R>::template Factors<Scalar> f(tree.root_factors());
        const Index stride = x.row_stride();
        const Index row_step = tile.step * stride;
        const Scalar* row = x.row(tile.begin);
        points += tile.begin * Complex::size;
        for (Index pack = 0; pack < x.cols() / pack_lanes;
             ++pack, row += pack_lanes, points += tree.pack_size()) {
            for (Index j = 0; j < tile.count; ++j) {
                Pack a[std::size_t{R}];
                detail::unroll<R>([&](auto m) TOEPLITZ_LAMBDA {
                    const Scalar* p = row + j * stride + m * row_step;
                    a[m] = m < tile.valid ? S::load_unaligned(p) : Pack{};
                    __builtin_prefetch(p + rows_ahead * stride);
                });
                Complex z[std::size_t{R}];
                Root<R>::split_real(a, z, f);
                detail::store_points<R, Scalar>(points + j * Complex::size, tile.step * Complex::size, z);
            }
        }
    }

    template <Index R, Update update>
    static void join_tile(const Tree& tree, const Scalar* points, const MatrixView<Scalar>& y,
                          Tile tile) noexcept {
        const typename Root<R>::template Factors<Scalar> f(tree.root_factors());
        const Index stride = y.row_stride();
        const Index row_step = tile.step * stride;
        Scalar* row = y.row(tile.begin);
        points += tile.begin * Complex::size;
        for (Index pack = 0; pack < y.cols() / pack_lanes;
             ++pack, row += pack_lanes, points += tree.pack_size()) {
            for (Index j = 0; j < tile.count; ++j) {
                Complex z[std::size_t{R}];
                detail::load_points<R, Scalar>(points + j * Complex::size, tile.step * Complex::size, z);
                Pack a[std::size_t{R}];
                Root<R>::join_real(z, a, f);
                detail::unroll<R>([&](auto m) TOEPLITZ_LAMBDA {
                    if (m >= tile.valid) return;
                    Scalar* p = row + j * stride + m * row_step;
                    __builtin_prefetch(p + rows_ahead * stride, 1);
                    if constexpr (update == Update::add) a[m] += S::load_unaligned(p);
                    S::store_unaligned(p, a[m]);
                });
            }
        }
    }

    std::array<std::optional<Tree>, 5> trees_;  ///< by the channels in a pack, powers of two
    Index widest_;
    Index size_ = 0;
    Index spare_size_ = 0;
};

template <Real Scalar>
void TreeConvolution<Scalar>::transform_kernel(MatrixView<const Scalar> lags, Index negative,
                                               Scalar* spectrum, Scalar* /*scratch*/) const noexcept {
    const MatrixView<const Scalar> before = lags.middle_rows(0, negative);
    const MatrixView<const Scalar> from_zero = lags.middle_rows(negative, lags.rows() - negative);
    for_packs(lags.cols(), [&](const Part& part) {
        const Index size = part.tree->size();
        const Pack scale = S::broadcast(Scalar(1) / static_cast<Scalar>(size));
        Scalar* points = spectrum + part.start;
        for (Index t = 0; t < size; t += part.phases(), points += Complex::size) {
            Complex{scale * load_steps(from_zero, t, part),
                    -scale * load_steps(before, t - (size - negative), part)}
                .store(points);
        }
        part.tree->split(spectrum + part.start);
    });
}

template <Real Scalar>
void TreeConvolution<Scalar>::transform(MatrixView<const Scalar> x, Scalar* spectrum,
                                        Scalar* scratch) const noexcept {
    split_rows(x, spectrum, scratch);
    for_packs(x.cols(), [&](const Part& part) { part.tree->split_children(spectrum + part.start); });
}

template <Real Scalar>
template <Direction direction, Update update>
void TreeConvolution<Scalar>::convolve(MatrixView<const Scalar> x, const Scalar* kernel_spectrum,
                                       MatrixView<Scalar> y, Scalar* scratch) const noexcept {
    Scalar* spare = scratch + spectrum_size(x.cols());
    split_rows(x, scratch, spare);
    for_packs(x.cols(), [&](const Part& part) {
        part.tree->template multiply_children<direction>(scratch + part.start, kernel_spectrum + part.start);
    });
    join_rows<update>(scratch, y, spare);
}

template <Real Scalar>
template <Direction direction, Update update>
void TreeConvolution<Scalar>::convolve_spectrum(const Scalar* x_spectrum, const Scalar* kernel_spectrum,
                                                MatrixView<Scalar> y, Scalar* scratch) const noexcept {
    for_packs(y.cols(), [&](const Part& part) {
        part.tree->template join_product<direction>(x_spectrum + part.start, kernel_spectrum + part.start,
                                                    scratch + part.start);
    });
    join_rows<update>(scratch, y, scratch + spectrum_size(y.cols()));
}

template <Real Scalar>
void TreeConvolution<Scalar>::accumulate_lags(Scalar* sum, MatrixView<Scalar> lags, Index negative,
                                              Scalar* /*scratch*/) const noexcept {
    const MatrixView<Scalar> before = lags.middle_rows(0, negative);
    const MatrixView<Scalar> from_zero = lags.middle_rows(negative, lags.rows() - negative);
    for_packs(lags.cols(), [&](const Part& part) {
        const Index size = part.tree->size();
        const Pack scale = S::broadcast(Scalar(1) / static_cast<Scalar>(size));
        const Scalar* points = sum + part.start;
        part.tree->join(sum + part.start);
        for (Index t = 0; t < size; t += part.phases(), points += Complex::size) {
            const Complex d = Complex::load(points);
            add_steps(from_zero, t, part, scale * d.re);
            add_steps(before, t - (size - negative), part, -scale * d.im);
        }
    });
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
