// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A causal TNN that takes noise from speech: training, saving, loading, and running sample by sample.
/// train_denoiser and denoise are the programs around it.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "noise.hpp"
#include "training_run.hpp"

namespace examples {

inline constexpr Index longest_context = 1 << 16;  ///< frames

struct DenoiserOptions {
    Index length = 256;  ///< frames n of a training clip, and lags of the kernels
    Index width = 96;
    Index layers = 3;
    Index inner_width = 96;      ///< channels of the mixers
    Index mlp_width = 32;        ///< of the perceptrons that make the kernels
    Index validate_every = 500;  ///< steps
};

/// Speech and noise to train on, and others to watch and to test with.
struct DenoiserCorpus {
    std::vector<float> speech;        ///< of the voices to train on, one file after another
    std::vector<float> music;         ///< may be empty
    std::vector<float> other_speech;  ///< of files of these voices that are not trained on
    std::vector<float> other_music;
    std::vector<float> held_back;  ///< of a voice that is not trained on

    NoiseSources train_noise() const { return {speech, music}; }
    NoiseSources test_noise() const { return {other_speech, other_music}; }
};

/// Speech with noise, and what it was before.
struct NoisySpeech {
    std::vector<float> noisy;
    std::vector<float> clean;
};

/// `speech` after half a second of silence, with noise at a signal-to-noise ratio in dB.
NoisySpeech add_noise(std::span<const float> speech, NoiseKind kind, double snr, std::uint64_t seed,
                      const NoiseSources& sources);

/// In dB, of an output that is late by `delay` samples.
double signal_to_noise(std::span<const float> clean, std::span<const float> output, Index delay = 0);

/// A trained model at work: samples in, samples out, in blocks of any size; the same bits for any. A value: a
/// copy goes on by itself, and shares what does not change.
class Denoiser {
public:
    /// Of a file that train_denoiser has written. \throws toeplitz::error; std::runtime_error for another
    /// model
    static Denoiser load(const std::string& path);

    Denoiser(const Denoiser& other);
    Denoiser(Denoiser&&) noexcept;
    Denoiser& operator=(const Denoiser&) = delete;
    ~Denoiser();

    /// Samples by which the output is late.
    static Index delay();

    /// The next samples; y may be x. Allocates nothing, takes no lock.
    void process(std::span<const float> x, std::span<float> y) noexcept;
    /// Silence before, as at the beginning.
    void reset() noexcept;

    /// The output of a whole signal without its delay, as far as it is complete, by an evaluation of all
    /// steps at once: what process computes, within rounding. \throws std::runtime_error for more than
    /// longest_evaluation() samples, what the kernels see
    std::vector<float> evaluate(std::span<const float> x) const;
    Index longest_evaluation() const;

private:
    struct Plan;
    struct State;
    explicit Denoiser(std::shared_ptr<const Plan> plan);
    static double mean_gain(const std::shared_ptr<const Plan>& plan, const DenoiserCorpus& corpus,
                            toeplitz::Communicator& processes);
    friend struct DenoiserReport train_denoiser(const DenoiserOptions& options,
                                                const TrainingSettings& settings,
                                                const DenoiserCorpus& corpus);

    std::shared_ptr<const Plan> plan_;
    std::unique_ptr<State> state_;
};

struct DenoiserReport {
    RunReport run;
    Index parameters = 0;
    std::string file{};  ///< with the model
};

/// Trains, saves and loads.
DenoiserReport train_denoiser(const DenoiserOptions& options, const TrainingSettings& settings,
                              const DenoiserCorpus& corpus);

}  // namespace examples
