// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The right-angle convolution on a splitting tree with one SIMD lane per channel (docs/transform.md).

#include <toeplitz/core/view.hpp>
#include <toeplitz/fft/tree.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Toeplitz products of a group of channels by the splitting tree. Implements ConvolutionEngine
/// (fft/convolution.hpp).
///
/// y = Re[(c·x) mod (z^N − i)] with c_t = k(t) − i k(t−N) for the lags k, any N ≥ n. The points come out in
/// the order of the tree, which is as good as any for a product point by point.
///
/// A group is one cache line of a row, worked on in packs of one register. A spectrum holds, pack after pack,
/// N points of one ComplexPack. Packs beyond `width` are neither read nor written.
///
/// Cost O(N log N) per channel | heap: none after construction | thread-safe: const, with distinct scratch.
template <Real Scalar>
class TreeConvolution {
public:
    /// Channels per group.
    static constexpr Index lanes = static_cast<Index>(buffer_alignment / sizeof(Scalar));

    /// \throws config_error 201 or 202
    explicit TreeConvolution(Index length) : tree_(length) {}

    /// N, see detail::tree_size.
    Index size() const noexcept { return tree_.size(); }

    /// Scalars of the spectra of `width` channels.
    Index spectrum_size(Index width = lanes) const noexcept {
        return (width + pack_lanes - 1) / pack_lanes * pack_size();
    }

    /// Scalars of scratch that each call below needs at most: the points, and the rows of an incomplete pack.
    Index scratch_size(Index width = lanes) const noexcept {
        return spectrum_size(width) + pack_lanes * size();
    }
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
        const Index end = (width + pack_lanes - 1) / pack_lanes * pack_size();
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

    Index pack_size() const noexcept { return tree_.pack_size(); }

    // Calls f(pack, channels in it) for the packs that hold `width` channels.
    template <class F>
    static void for_packs(Index width, F&& f) noexcept {
        for (Index pack = 0; pack * pack_lanes < width; ++pack) {
            f(pack, (std::min)(pack_lanes, width - pack * pack_lanes));
        }
    }

    static void add_row(Scalar* p, Pack v, Index count) noexcept {
        S::store_row(p, S::load_row(p, count) + v, count);
    }

    // The root's splits, from rows. An incomplete pack goes through a padded copy in `spare`.
    void split_rows(MatrixView<const Scalar> x, Scalar* points, Scalar* spare) const noexcept {
        const Index whole = x.cols() / pack_lanes;
        const Index rest = x.cols() % pack_lanes;
        tree_.with_root([&]<Index R>() {
            if (whole > 0) split_packs<R>(x, points);
            if (rest == 0) return;
            for (Index t = 0; t < x.rows(); ++t) {
                S::store(spare + t * pack_lanes, S::load_partial(x.row(t) + whole * pack_lanes, rest));
            }
            split_packs<R>({spare, x.rows(), pack_lanes}, points + whole * pack_size());
        });
    }

    // The root's joins, to rows.
    template <Update update>
    void join_rows(const Scalar* points, MatrixView<Scalar> y, Scalar* spare) const noexcept {
        const Index whole = y.cols() / pack_lanes;
        const Index rest = y.cols() % pack_lanes;
        tree_.with_root([&]<Index R>() {
            if (whole > 0) join_packs<R, update>(points, y);
            if (rest == 0) return;
            join_packs<R, Update::assign>(points + whole * pack_size(), {spare, y.rows(), pack_lanes});
            for (Index t = 0; t < y.rows(); ++t) {
                Scalar* tail = y.row(t) + whole * pack_lanes;
                Pack v = S::load(spare + t * pack_lanes);
                if constexpr (update == Update::add) v += S::load_partial(tail, rest);
                S::store_partial(tail, v, rest);
            }
        });
    }

    // The whole packs of x.
    template <Index R>
    void split_packs(MatrixView<const Scalar> x, Scalar* points) const noexcept {
        for_tiles<R>(x.rows(), [&](const Tile& tile) { split_tile<R>(x, tile, points); });
    }

    template <Index R, Update update>
    void join_packs(const Scalar* points, MatrixView<Scalar> y) const noexcept {
        for_tiles<R>(y.rows(), [&](const Tile& tile) { join_tile<R, update>(points, y, tile); });
    }

    // Rows begin + j + m·step, j < count, exist for m < valid, the same number for all j.
    struct Tile {
        Index begin;
        Index count;
        Index valid;
        Index step;
    };
    template <Index R, class F>
    void for_tiles(Index rows, F&& f) const noexcept {
        const Index step = size() / R;
        const Index rest = rows % step;
        const Index valid = rows / step;
        for (Index j = 0; j < rest; j += tile_rows) f({j, (std::min)(tile_rows, rest - j), valid + 1, step});
        for (Index j = rest; j < step; j += tile_rows) f({j, (std::min)(tile_rows, step - j), valid, step});
    }

    template <Index R>
    void split_tile(const MatrixView<const Scalar>& x, Tile tile, Scalar* points) const noexcept {
        const typename Root<R>::template Factors<Scalar> f(tree_.root_factors());
        const Index stride = x.row_stride();
        const Index row_step = tile.step * stride;
        const Scalar* row = x.row(tile.begin);
        points += tile.begin * Complex::size;
        for (Index pack = 0; pack < x.cols() / pack_lanes; ++pack, row += pack_lanes, points += pack_size()) {
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
    void join_tile(const Scalar* points, const MatrixView<Scalar>& y, Tile tile) const noexcept {
        const typename Root<R>::template Factors<Scalar> f(tree_.root_factors());
        const Index stride = y.row_stride();
        const Index row_step = tile.step * stride;
        Scalar* row = y.row(tile.begin);
        points += tile.begin * Complex::size;
        for (Index pack = 0; pack < y.cols() / pack_lanes; ++pack, row += pack_lanes, points += pack_size()) {
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

    Tree tree_;
};

template <Real Scalar>
void TreeConvolution<Scalar>::transform_kernel(MatrixView<const Scalar> lags, Index negative,
                                               Scalar* spectrum, Scalar* /*scratch*/) const noexcept {
    const Index positive = lags.rows() - 1 - negative;
    const Index stride = lags.row_stride();
    const Pack scale = S::broadcast(Scalar(1) / static_cast<Scalar>(size()));
    for_packs(lags.cols(), [&](Index pack, Index count) {
        const Scalar* lag = lags.row(negative) + pack * pack_lanes;
        Scalar* points = spectrum + pack * pack_size();
        for (Index t = 0; t < size(); ++t) {
            Complex c{};
            if (t <= positive) c.re = scale * S::load_row(lag + t * stride, count);
            if (t >= size() - negative) c.im = -scale * S::load_row(lag + (t - size()) * stride, count);
            c.store(points + t * Complex::size);
        }
        tree_.split(points);
    });
}

template <Real Scalar>
void TreeConvolution<Scalar>::transform(MatrixView<const Scalar> x, Scalar* spectrum,
                                        Scalar* scratch) const noexcept {
    split_rows(x, spectrum, scratch);
    for_packs(x.cols(), [&](Index pack, Index) { tree_.split_children(spectrum + pack * pack_size()); });
}

template <Real Scalar>
template <Direction direction, Update update>
void TreeConvolution<Scalar>::convolve(MatrixView<const Scalar> x, const Scalar* kernel_spectrum,
                                       MatrixView<Scalar> y, Scalar* scratch) const noexcept {
    Scalar* spare = scratch + spectrum_size(x.cols());
    split_rows(x, scratch, spare);
    for_packs(x.cols(), [&](Index pack, Index) {
        const Index start = pack * pack_size();
        tree_.template multiply_children<direction>(scratch + start, kernel_spectrum + start);
    });
    join_rows<update>(scratch, y, spare);
}

template <Real Scalar>
template <Direction direction, Update update>
void TreeConvolution<Scalar>::convolve_spectrum(const Scalar* x_spectrum, const Scalar* kernel_spectrum,
                                                MatrixView<Scalar> y, Scalar* scratch) const noexcept {
    for_packs(y.cols(), [&](Index pack, Index) {
        const Index start = pack * pack_size();
        tree_.template join_product<direction>(x_spectrum + start, kernel_spectrum + start, scratch + start);
    });
    join_rows<update>(scratch, y, scratch + spectrum_size(y.cols()));
}

template <Real Scalar>
void TreeConvolution<Scalar>::accumulate_lags(Scalar* sum, MatrixView<Scalar> lags, Index negative,
                                              Scalar* /*scratch*/) const noexcept {
    const Index positive = lags.rows() - 1 - negative;
    const Index stride = lags.row_stride();
    const Pack scale = S::broadcast(Scalar(1) / static_cast<Scalar>(size()));
    for_packs(lags.cols(), [&](Index pack, Index count) {
        Scalar* lag = lags.row(negative) + pack * pack_lanes;
        Scalar* points = sum + pack * pack_size();
        tree_.join(points);
        for (Index t = 0; t < size(); ++t) {
            const Complex d = Complex::load(points + t * Complex::size);
            if (t <= positive) add_row(lag + t * stride, scale * d.re, count);
            if (t >= size() - negative) add_row(lag + (t - size()) * stride, -scale * d.im, count);
        }
    });
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
