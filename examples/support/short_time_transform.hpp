// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Sound as spectra of short frames and back, with little delay.

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>
#include <vector>

#include <toeplitz/core/types.hpp>

namespace examples {

using toeplitz::Index, toeplitz::Matrix, toeplitz::Vector;

/// Frame t sees the `window` samples up to (t + 1)·hop, weighted by a(i), and its spectrum, changed, adds
/// 2·hop samples, weighted by s(i), to the output. The windows are asymmetric: a is half a sine that rises
/// for window − hop samples and falls for hop; s is such that a s is a Hann window of the last 2·hop samples,
/// and spectra that nobody changes give the input, 2·hop − 1 samples later (Mauler and Martin 2007). So
/// frequencies are told apart as by a long window, and the delay is that of a short one.
///
/// A spectrum is a row of real parts of K = window/2 + 1 bins, then of imaginary ones. Both ways are linear
/// maps with few rows, and kept as matrices.
class ShortTimeTransform {
public:
    /// \param window even, at least 2·hop
    ShortTimeTransform(Index window, Index hop)
        : hop_(hop), analysis_(window, window + 2), synthesis_(window + 2, 2 * hop) {
        const double pi = std::numbers::pi;
        const auto size = static_cast<double>(window);
        for (Index i = 0; i < window; ++i) {
            const Index rise = window - hop;
            const double at = static_cast<double>(i) + 0.5;
            const double a =
                i < rise ? std::sin(pi / 2 * at / static_cast<double>(rise))
                         : std::cos(pi / 2 * (at - static_cast<double>(rise)) / static_cast<double>(hop));
            const Index j = i - (window - 2 * hop);  // place in the output
            const double hann = std::sin(pi / 2 * (static_cast<double>(j) + 0.5) / static_cast<double>(hop));
            const double s = j < 0 ? 0 : hann * hann / a;
            for (Index k = 0; k < bins(); ++k) {
                const double angle = 2 * pi * static_cast<double>(i * k % window) / size;
                const bool is_real = k == 0 || 2 * k == window;
                analysis_(i, k) = static_cast<float>(a * std::cos(angle));
                analysis_(i, bins() + k) = static_cast<float>(-a * std::sin(angle));
                if (j < 0) continue;
                synthesis_(k, j) = static_cast<float>(s * (is_real ? 1 : 2) / size * std::cos(angle));
                synthesis_(bins() + k, j) =
                    static_cast<float>(-s * (is_real ? 0 : 2) / size * std::sin(angle));
            }
        }
    }

    Index window() const noexcept { return analysis_.rows(); }
    Index hop() const noexcept { return hop_; }
    Index bins() const noexcept { return window() / 2 + 1; }
    /// Samples by which the output is late.
    Index delay() const noexcept { return 2 * hop_ - 1; }

    /// window × 2K: spectrum = window's samples · analysis.
    const Matrix<float>& analysis() const noexcept { return analysis_; }
    /// 2K × 2·hop: what a frame adds = spectrum · synthesis.
    const Matrix<float>& synthesis() const noexcept { return synthesis_; }

    /// The spectra of all frames of a signal that begins after silence: signal.size()/hop rows.
    Matrix<float> analyse(std::span<const float> signal) const {
        const Index frames = static_cast<Index>(signal.size()) / hop_;
        std::vector<float> padded(static_cast<std::size_t>(window() - hop_), 0.0F);
        padded.insert(padded.end(), signal.begin(), signal.end());
        using Frames = Eigen::Map<const Matrix<float>, 0, Eigen::OuterStride<>>;
        return Frames(padded.data(), frames, window(), Eigen::OuterStride<>(hop_)) * analysis_;
    }

    /// The signal of changed spectra without the delay: (frames − 1)·hop samples.
    Vector<float> synthesise(const Matrix<float>& spectra) const {
        const Matrix<float> parts = spectra * synthesis_;
        Vector<float> signal(std::max<Index>(0, (parts.rows() - 1) * hop_));
        for (Index t = 0; t + 1 < parts.rows(); ++t) {
            signal.segment(t * hop_, hop_) = parts.row(t).tail(hop_) + parts.row(t + 1).head(hop_);
        }
        return signal;
    }

    /// The gradient with respect to the spectra, given that with respect to synthesise's signal.
    Matrix<float> synthesis_gradient(const Vector<float>& g) const {
        const Index frames = g.size() / hop_ + 1;
        Matrix<float> parts = Matrix<float>::Zero(frames, 2 * hop_);
        for (Index t = 0; t + 1 < frames; ++t) {
            parts.row(t).tail(hop_) = g.segment(t * hop_, hop_);
            parts.row(t + 1).head(hop_) = g.segment(t * hop_, hop_);
        }
        return parts * synthesis_.transpose();
    }

private:
    Index hop_;
    Matrix<float> analysis_;
    Matrix<float> synthesis_;
};

/// A signal that goes through a ShortTimeTransform sample by sample.
class ShortTimeStream {
public:
    explicit ShortTimeStream(const ShortTimeTransform& transform)
        : transform_(&transform),
          heard_(static_cast<std::size_t>(transform.window()), 0.0F),
          spectrum_(static_cast<std::size_t>(2 * transform.bins())),
          sums_(static_cast<std::size_t>(2 * transform.hop()), 0.0F) {}

    /// The next samples; y may be x. change(spectrum) is called once every hop samples, with K real parts and
    /// then K imaginary ones. Any cut of a signal gives the same bits. heap: none
    template <class Change>
    void process(std::span<const float> x, std::span<float> y, Change&& change) noexcept {
        const auto hop = static_cast<std::size_t>(transform_->hop());
        for (std::size_t i = 0; i < x.size(); ++i) {
            heard_[heard_.size() - hop + place_] = x[i];
            if (++place_ == hop) next_frame(change);
            y[i] = sums_[place_];
        }
    }

    void reset() noexcept {
        std::fill(heard_.begin(), heard_.end(), 0.0F);
        std::fill(sums_.begin(), sums_.end(), 0.0F);
        place_ = 0;
    }

private:
    template <class Change>
    void next_frame(Change&& change) {
        const std::size_t hop = sums_.size() / 2;
        place_ = 0;
        multiply(heard_, transform_->analysis(), spectrum_);
        std::copy(heard_.begin() + static_cast<std::ptrdiff_t>(hop), heard_.end(), heard_.begin());
        change(std::span<float>(spectrum_));
        std::copy(sums_.begin() + static_cast<std::ptrdiff_t>(hop), sums_.end(), sums_.begin());
        std::fill(sums_.begin() + static_cast<std::ptrdiff_t>(hop), sums_.end(), 0.0F);
        add_product(spectrum_, transform_->synthesis(), sums_);
    }

    /// y = x A, and y += x A.
    static void multiply(const std::vector<float>& x, const Matrix<float>& a, std::vector<float>& y) {
        std::fill(y.begin(), y.end(), 0.0F);
        add_product(x, a, y);
    }
    static void add_product(const std::vector<float>& x, const Matrix<float>& a, std::vector<float>& y) {
        for (Index i = 0; i < a.rows(); ++i) {
            const float factor = x[static_cast<std::size_t>(i)];
            const float* row = a.data() + i * a.cols();
            for (std::size_t j = 0; j < y.size(); ++j) y[j] += factor * row[j];
        }
    }

    const ShortTimeTransform* transform_;
    std::vector<float> heard_;  ///< the last `window` samples, as far as they are known
    std::vector<float> spectrum_;
    std::vector<float> sums_;  ///< hop samples that are complete, and hop that the next frame completes
    std::size_t place_ = 0;    ///< samples since the last frame
};

}  // namespace examples
