// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The classical way to take noise away, which a model has to beat.

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "short_time_transform.hpp"

namespace examples {

/// The defaults leave the least error on the voices that train_denoiser trains on: 0.3 dB less than the usual
/// 0.96 and 0.05.
struct WienerOptions {
    double smoothing = 0.9;    ///< α of the a-priori SNR
    double least_gain = 0.02;  ///< of a bin
};

/// A Wiener filter in frames of 32 ms: gains ξ/(1 + ξ), the a-priori SNR ξ by the decision-directed rule
/// (Ephraim and Malah 1984), the noise by the probability of speech in every bin (Gerkmann and Hendriks
/// 2012). The first eighth of a second is taken for noise. Causal; late by delay() samples.
class WienerFilter {
public:
    explicit WienerFilter(const WienerOptions& options = {})
        : options_(options),
          stream_(transform()),
          noise_(bins(), 0.0),
          presence_(bins(), 0.0),
          speech_(bins(), 0.0) {}

    static Index delay() { return transform().delay(); }

    /// The next samples; y may be x.
    void process(std::span<const float> x, std::span<float> y) noexcept {
        stream_.process(x, y, [&](std::span<float> spectrum) { filter(spectrum); });
    }

private:
    static const ShortTimeTransform& transform() {
        static const ShortTimeTransform half_overlapping(256, 128);
        return half_overlapping;
    }
    static std::size_t bins() { return static_cast<std::size_t>(transform().bins()); }

    void filter(std::span<float> spectrum) noexcept {
        constexpr int noise_alone = 8;
        ++frames_;
        for (std::size_t k = 0; k < noise_.size(); ++k) {
            float& re = spectrum[k];
            float& im = spectrum[noise_.size() + k];
            const double power = 1e-12 + static_cast<double>(re * re + im * im);
            double& noise = noise_[k];
            if (frames_ <= noise_alone) {
                noise += (power - noise) / frames_;
            } else {
                // The probability that there is speech, if it is then 15 dB above the noise and as likely as
                // not.
                constexpr double ratio = 31.6;
                double speech = 1 / (1 + (1 + ratio) * std::exp(-power / noise * ratio / (1 + ratio)));
                presence_[k] = 0.9 * presence_[k] + 0.1 * speech;
                if (presence_[k] > 0.99) speech = std::min(speech, 0.99);  // or it could stay so for ever
                noise = 0.8 * noise + 0.2 * (speech * noise + (1 - speech) * power);
            }
            const double fresh = std::max(power / noise - 1, 0.0);
            const double snr = options_.smoothing * speech_[k] / noise + (1 - options_.smoothing) * fresh;
            const double gain = std::max(snr / (1 + snr), options_.least_gain);
            speech_[k] = gain * gain * power;
            re *= static_cast<float>(gain);
            im *= static_cast<float>(gain);
        }
    }

    WienerOptions options_;
    ShortTimeStream stream_;
    std::vector<double> noise_;     ///< power of each bin
    std::vector<double> presence_;  ///< of speech, on average
    std::vector<double> speech_;    ///< power of each bin in the last frame
    int frames_ = 0;
};

}  // namespace examples
