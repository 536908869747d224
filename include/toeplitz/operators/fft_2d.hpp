// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The exact two-level Toeplitz product: one kernel over both lags of an image.

#include <toeplitz/operators/fft.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// The size of the images.
struct Fft2dOptions {
    Index height = 0;    ///< H ≥ 1: rows of pixels
    Index width = 0;     ///< W ≥ 1: pixels in a row
    Index channels = 0;  ///< d ≥ 1

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("height", sets.height...);
        f("width", sets.width...);
        f("channels", sets.channels...);
    }
};

/// y_ij = Σ k(i−i', j−j') x_i'j' over the pixels of an image, which is a sequence of H·W steps, row by row.
///
/// Every kernel of two lags, where a SeparableMixer has products k(p)·l(q) alone. With W − 1 zeros between
/// its rows of pixels, an image is a sequence on which T is a Toeplitz matrix of one lag p·(2W−1) + q: no two
/// pairs share one. So one transform of 4·H·W points does what one of 2H × 2W does.
/// * Kernel: (2H−1)(2W−1) × channels; row (p + H − 1)(2W − 1) + q + W − 1 is lag p down and q to the right.
/// * Images within their frames, Sequences::images with heights and widths, are padded with zeros.
/// * Cost O(H·W log H·W) per channel, and a copy of each image | heap: none | thread-safe: yes |
///   same bits for any number of threads
template <Real ScalarType>
class Fft2d : public Operator<Fft2d<ScalarType>, ScalarType> {
    using Base = Operator<Fft2d, ScalarType>;
    using Product = Fft<ScalarType>;
    friend Base;

public:
    using Scalar = ScalarType;
    using Kernel = MatrixView<const Scalar>;
    using KernelValues = MatrixView<Scalar>;
    using Options = Fft2dOptions;
    using Cache = typename Product::Cache;
    static constexpr bool takes_images = true;  ///< its sequences are images

    /// The zero operator, until set_kernel is called.
    /// \throws config_error 201 or 202, plan_error 301
    explicit Fft2d(const Options& options)
        : Base(pixels(options), options.channels),
          width_(options.width),
          product_({.length = padded_length(options), .channels = options.channels}) {}

    /// \throws config_error 201 or 202, shape_error 501, value_error 530, plan_error 301
    Fft2d(const Options& options, Kernel kernel) : Fft2d(options) { this->set_kernel(kernel); }

    static constexpr Causality causality() noexcept { return Causality::bidirectional; }
    /// H, rows of pixels.
    Index height() const noexcept { return this->length() / width_; }
    Index width() const noexcept { return width_; }

    /// Kernel values of the right shape, not initialised.
    KernelValues take_kernel(Workspace::Scope& scope) const { return product_.take_kernel(scope); }
    /// Bytes that set_kernel takes from its workspace.
    std::size_t kernel_workspace() const { return product_.kernel_workspace(); }
    /// Bytes held.
    std::size_t state_bytes() const noexcept { return product_.state_bytes(); }

private:
    static constexpr const char* name = "Fft2d";

    static Index pixels(const Options& options) {
        detail::require_positive(options.height, name, "height");
        detail::require_positive(options.width, name, "width");
        return detail::checked_product(options.height, options.width, name);
    }
    /// Of the image with zeros between its rows.
    static Index padded_length(const Options& options) {
        return detail::checked_product(options.height, 2 * options.width - 1, name) - (options.width - 1);
    }

    std::size_t padded_bytes(Index batch) const {
        return Workspace::bytes_for<Scalar>(batch * product_.length() * this->channels());
    }
    std::size_t product_workspace(Index batch) const {
        return 2 * padded_bytes(batch) + product_.apply_workspace(batch);
    }
    std::size_t gradient_workspace(Index batch) const {
        return 3 * padded_bytes(batch) + product_.required_workspace(batch);
    }

    void assign_kernel(Kernel kernel, Workspace& ws) { product_.set_kernel(kernel, ws); }

    template <Direction direction, Update update>
    void product(MatrixView<const Scalar> x, MatrixView<Scalar> y, const Sequences& sequences,
                 Workspace& ws) const {
        Workspace::Scope scope(ws);
        const MatrixView<Scalar> out = take_padded(sequences, scope);
        const MatrixView<const Scalar> in = padded(x, sequences, scope);
        if constexpr (direction == Direction::forward) {
            product_.apply(in, out, ws);
        } else {
            product_.apply_adjoint(in, out, ws);
        }
        take_pixels<update>(out, sequences, y);
    }

    void forward_product(MatrixView<const Scalar> x, MatrixView<Scalar> y, Cache& cache,
                         const Sequences& sequences, Workspace& ws) const {
        Workspace::Scope scope(ws);
        const MatrixView<Scalar> out = take_padded(sequences, scope);
        product_.forward(padded(x, sequences, scope), out, cache, ws);
        take_pixels<Update::assign>(out, sequences, y);
    }

    void backward_product(MatrixView<const Scalar> x, const Cache& cache, MatrixView<const Scalar> g,
                          MatrixView<Scalar> dx, const KernelValues& dkernel, const Sequences& sequences,
                          Workspace& ws) const {
        Workspace::Scope scope(ws);
        const MatrixView<Scalar> out = take_padded(sequences, scope);
        product_.backward(padded(x, sequences, scope), cache, padded(g, sequences, scope), out, dkernel, ws);
        take_pixels<Update::assign>(out, sequences, dx);
    }

    void kernel_gradient(MatrixView<const Scalar> x, MatrixView<const Scalar> g, const KernelValues& dkernel,
                         const Sequences& sequences, Workspace& ws) const {
        Workspace::Scope scope(ws);
        product_.accumulate_kernel_gradient(padded(x, sequences, scope), padded(g, sequences, scope), dkernel,
                                            ws);
    }

    MatrixView<Scalar> take_padded(const Sequences& sequences, Workspace::Scope& scope) const {
        return scope.matrix<Scalar>(sequences.batch() * product_.length(), this->channels());
    }
    /// Where pixel i of image b is in those.
    Index padded_row(Index b, Index i) const noexcept {
        return b * product_.length() + i / width_ * (2 * width_ - 1) + i % width_;
    }

    /// The valid pixels of images, and zeros around them.
    MatrixView<const Scalar> padded(MatrixView<const Scalar> x, const Sequences& sequences,
                                    Workspace::Scope& scope) const {
        const MatrixView<Scalar> rows = take_padded(sequences, scope);
        rows.eigen().setZero();
        for_valid_pixels(sequences, [&](Index b, Index i) {
            std::copy_n(x.row(sequences.row(b, i)), this->channels(), rows.row(padded_row(b, i)));
        });
        return rows;
    }
    template <Update update>
    void take_pixels(MatrixView<const Scalar> rows, const Sequences& sequences, MatrixView<Scalar> y) const {
        for_valid_pixels(sequences, [&](Index b, Index i) {
            const Scalar* from = rows.row(padded_row(b, i));
            Scalar* to = y.row(sequences.row(b, i));
            if constexpr (update == Update::assign) {
                std::copy_n(from, this->channels(), to);
            } else {
                for (Index c = 0; c < this->channels(); ++c) to[c] += from[c];
            }
        });
    }

    template <class F>
    void for_valid_pixels(const Sequences& sequences, F&& f) const {
        const int threads = detail::thread_count(sequences.batch(),
                                                 sequences.batch() * this->length() * this->channels() / 4);
        detail::parallel_chunks(sequences.batch(), threads, [&](Index begin, Index end, int) {
            for (Index b = begin; b < end; ++b) {
                sequences.for_valid_runs(b, [&](Index first, Index count) {
                    for (Index i = first; i < first + count; ++i) f(b, i);
                });
            }
        });
    }

    Index width_;
    Product product_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
