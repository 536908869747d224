// SPDX-License-Identifier: MIT

#include "denoiser.hpp"

#include <charconv>
#include <cmath>

#include <toeplitz/io/model_architecture.hpp>
#include <toeplitz/nn/linear.hpp>
#include <toeplitz/nn/model.hpp>
#include <toeplitz/nn/tno.hpp>
#include <toeplitz/stream/model_stream.hpp>
#include <toeplitz/train/batches.hpp>

#include "parallel_for.hpp"
#include "short_time_transform.hpp"

namespace examples {

namespace {

using namespace toeplitz;
using Net = Model<Tno<float, Causality::causal>, RowNorm<float>, Linear<float>>;

/// Spectra of 32 ms of sound every 8 ms.
const ShortTimeTransform& transform() {
    static const ShortTimeTransform low_delay(256, 64);
    return low_delay;
}
Index bins() { return transform().bins(); }

/// What the model sees of a sound: of every bin its loudness, and then of every bin a floor that follows the
/// loudness down at once and up within a second: that of the noise, as long as people pause.
class Loudness {
public:
    Loudness() : floor_(static_cast<std::size_t>(bins())) {}

    /// From a spectrum of K bins the 2K features of the frame.
    void next(const float* spectrum, float* features) noexcept {
        constexpr float down = 0.2F;
        constexpr float up = 0.01F;
        const std::size_t size = floor_.size();
        const float at_first = 1 / static_cast<float>(++frames_);
        for (std::size_t k = 0; k < size; ++k) {
            const float power = spectrum[k] * spectrum[k] + spectrum[size + k] * spectrum[size + k];
            // About ±2; all below −70 dB is silence.
            const float loudness = 0.25F * (std::log(power + 1e-5F) + 4);
            const float rate = loudness < floor_[k] ? down : up;
            floor_[k] += std::max(rate, at_first) * (loudness - floor_[k]);
            features[k] = loudness;
            features[size + k] = floor_[k];
        }
    }
    void reset() noexcept {
        std::fill(floor_.begin(), floor_.end(), 0.0F);
        frames_ = 0;
    }

private:
    std::vector<float> floor_;
    Index frames_ = 0;
};

void write_features(MatrixView<const float> spectra, MatrixView<float> features) {
    Loudness loudness;
    for (Index t = 0; t < spectra.rows(); ++t) loudness.next(spectra.row(t), features.row(t));
}

/// The gain of a bin: that of a Wiener filter for amplitudes, a/(a + b), where a is how far the sound is
/// above the floor, and the model says b.
float gain(const float* features, const float* outputs, Index bin) {
    const float above = features[bin] - features[bins() + bin];
    return 1 / (1 + std::exp(2 * (outputs[bin] - above)));
}
constexpr float gain_slope = -2;  ///< the derivative with respect to the output is this times g (1 − g)

/// Spectra times the gains; these take the place of the outputs of the model.
Matrix<float> with_gains(MatrixView<const float> spectra, MatrixView<const float> features,
                         MatrixView<float> gains) {
    Matrix<float> changed(spectra.rows(), spectra.cols());
    for (Index t = 0; t < spectra.rows(); ++t) {
        for (Index k = 0; k < bins(); ++k) {
            gains(t, k) = gain(features.row(t), gains.row(t), k);
            changed(t, k) = gains(t, k) * spectra(t, k);
            changed(t, bins() + k) = gains(t, k) * spectra(t, bins() + k);
        }
    }
    return changed;
}

Net make_net(const DenoiserOptions& options) {
    Net::Options net{.input = {.inputs = 2 * bins()}, .width = options.width, .layers = options.layers};
    net.outputs = bins();
    net.block.gtu.inner_width = options.inner_width;
    net.block.gtu.mixer.mlp.width = options.mlp_width;
    // Channels that remember from one frame to a hundred, 0.8 s.
    Vector<double> rates(options.inner_width);
    for (Index c = 0; c < rates.size(); ++c) {
        const double part = (static_cast<double>(c) + 0.5) / static_cast<double>(rates.size());
        rates(c) = std::exp(-1 / std::pow(100, part));
    }
    net.block.gtu.mixer.decay.per_channel = rates;
    return Net(net);
}

NoiseKind any_kind(std::uint64_t number, std::span<const float> music) {
    return static_cast<NoiseKind>(number % noise_kinds(music));
}

/// A cut of the speech with noise. The kind of the noise, its level and how loud both are come from `seed`.
NoisySpeech training_clip(const DenoiserCorpus& corpus, Index first, std::size_t size, std::uint64_t seed) {
    const CounterRandom random(seed);
    const auto at = corpus.speech.begin() + first;
    NoisySpeech clip;
    clip.clean.assign(at, at + static_cast<Index>(size));
    clip.noisy =
        make_noise(any_kind(random.bits(0), corpus.music), size, random.bits(1), corpus.train_noise());
    const double snr = random.uniform(2, -8, 20);
    const double loudness = std::pow(10, random.uniform(3, -25, 5) / 20);
    // Where nobody speaks the noise is as loud as with quiet speech.
    const double noise = std::sqrt((power(clip.clean) + 1e-5) * std::pow(10, -snr / 10));
    for (std::size_t i = 0; i < size; ++i) {
        clip.clean[i] *= static_cast<float>(loudness);
        clip.noisy[i] = clip.clean[i] + static_cast<float>(loudness * noise) * clip.noisy[i];
    }
    return clip;
}

/// The error that the outputs of the model leave of a clip, in dB of the clip's energy. Their gradient takes
/// their place.
double clip_loss(const NoisySpeech& clip, MatrixView<const float> spectra, MatrixView<const float> features,
                 MatrixView<float> outputs) {
    const Vector<float> signal = transform().synthesise(with_gains(spectra, features, outputs));
    const Vector<float> error = signal - Eigen::Map<const Vector<float>>(clip.clean.data(), signal.size());
    const double energy = power(clip.noisy) * static_cast<double>(clip.noisy.size()) + 1e-9;
    const double left = static_cast<double>(error.squaredNorm()) + 1e-3 * energy;
    const auto factor = static_cast<float>(20 / (std::log(10.0) * left));
    const Matrix<float> gradient = transform().synthesis_gradient(factor * error);
    for (Index t = 0; t < spectra.rows(); ++t) {
        for (Index k = 0; k < bins(); ++k) {
            const float g = outputs(t, k);
            const float dg =
                gradient(t, k) * spectra(t, k) + gradient(t, bins() + k) * spectra(t, bins() + k);
            outputs(t, k) = gain_slope * g * (1 - g) * dg;
        }
    }
    return 10 * std::log10(left / energy);
}

}  // namespace

NoisySpeech add_noise(std::span<const float> speech, NoiseKind kind, double snr, std::uint64_t seed,
                      const NoiseSources& sources) {
    NoisySpeech result;
    result.clean.assign(sample_rate / 2, 0.0F);
    result.clean.insert(result.clean.end(), speech.begin(), speech.end());
    result.noisy = make_noise(kind, result.clean.size(), seed, sources);
    const auto loudness = static_cast<float>(std::sqrt(power(speech) * std::pow(10, -snr / 10)));
    for (std::size_t i = 0; i < result.clean.size(); ++i) {
        result.noisy[i] = result.clean[i] + loudness * result.noisy[i];
    }
    return result;
}

double signal_to_noise(std::span<const float> clean, std::span<const float> output, Index delay) {
    double signal = 0;
    double noise = 0;
    const auto late = static_cast<std::size_t>(delay);
    for (std::size_t i = 0; i + late < output.size() && i < clean.size(); ++i) {
        const auto wanted = static_cast<double>(clean[i]);
        const double error = static_cast<double>(output[i + late]) - wanted;
        signal += wanted * wanted;
        noise += error * error;
    }
    return 10 * std::log10(signal / noise);
}

struct Denoiser::Plan {
    Plan(const Net& net, const Net::Parameters& parameters, Index length)
        : stream(net.prepare(parameters, length)) {}
    ModelStream<Net::Prepared> stream;
};

struct Denoiser::State {
    explicit State(const Plan& plan)
        : sound(transform()), model(plan.stream.make_state()), features(1, 2 * bins()), outputs(1, bins()) {}
    ShortTimeStream sound;
    Loudness loudness{};
    ModelStream<Net::Prepared>::State model;
    Matrix<float> features;
    Matrix<float> outputs;
};

Denoiser::Denoiser(std::shared_ptr<const Plan> plan)
    : plan_(std::move(plan)), state_(std::make_unique<State>(*plan_)) {}
Denoiser::Denoiser(const Denoiser& other)
    : plan_(other.plan_), state_(std::make_unique<State>(*other.state_)) {}
Denoiser::Denoiser(Denoiser&&) noexcept = default;
Denoiser::~Denoiser() = default;

Denoiser Denoiser::load(const std::string& path) {
    LoadedModel<Net> loaded = load_model<Net>(path);
    const auto& options = loaded.model.options();
    const std::string& context = loaded.metadata["context"];
    Index length = 0;
    std::from_chars(context.data(), context.data() + context.size(), length);
    if (length < 1 || length > longest_context || options.input.inputs != 2 * bins() ||
        options.outputs != bins()) {
        throw std::runtime_error("'" + path + "' holds no model of train_denoiser");
    }
    return Denoiser(std::make_shared<Plan>(loaded.model, loaded.parameters, length));
}

Index Denoiser::delay() { return transform().delay(); }
Index Denoiser::longest_evaluation() const { return plan_->stream.model().length() * transform().hop(); }

void Denoiser::process(std::span<const float> x, std::span<float> y) noexcept {
    State& state = *state_;
    state.sound.process(x, y, [&](std::span<float> spectrum) {
        state.loudness.next(spectrum.data(), state.features.data());
        plan_->stream.step(state.features, state.outputs, state.model);
        for (Index k = 0; k < bins(); ++k) {
            const float g = gain(state.features.data(), state.outputs.data(), k);
            spectrum[static_cast<std::size_t>(k)] *= g;
            spectrum[static_cast<std::size_t>(bins() + k)] *= g;
        }
    });
}

void Denoiser::reset() noexcept {
    state_->sound.reset();
    state_->loudness.reset();
    plan_->stream.reset(state_->model);
}

std::vector<float> Denoiser::evaluate(std::span<const float> x) const {
    const Net::Prepared& net = plan_->stream.model();
    const Matrix<float> spectra = transform().analyse(x);
    if (spectra.rows() > net.length()) {
        throw std::runtime_error("evaluate takes " + std::to_string(longest_evaluation()) +
                                 " samples at most");
    }
    const std::vector<Index> lengths = {spectra.rows()};
    Matrix<float> features = Matrix<float>::Zero(net.length(), 2 * bins());
    Matrix<float> outputs(net.length(), bins());
    const auto rows = [&](Matrix<float>& all) {
        return MatrixView<float>(all).middle_rows(0, spectra.rows());
    };
    write_features(spectra, rows(features));
    Workspace ws;
    net.evaluate(features, outputs, ws, Sequences{net.length(), lengths});
    const Vector<float> signal = transform().synthesise(with_gains(spectra, rows(features), rows(outputs)));
    return {signal.begin(), signal.end()};
}

/// What the stream of a model gains, in dB, on files of the trained voices that are not trained on, with
/// every kind of noise at 5 dB.
double Denoiser::mean_gain(const std::shared_ptr<const Plan>& plan, const DenoiserCorpus& corpus,
                           Communicator& processes) {
    constexpr std::size_t clips = 28;
    const std::vector<float>& all = corpus.other_speech;
    const std::size_t size = std::min<std::size_t>(all.size(), 4 * sample_rate);
    const std::vector<double> gains = parallel_map(clips, processes, [&](Index i, int) {
        const auto at = static_cast<std::size_t>(i);
        const auto speech = std::span(all).subspan(at * (all.size() - size) / clips, size);
        const NoisySpeech clip =
            add_noise(speech, any_kind(at, corpus.other_music), 5, at, corpus.test_noise());
        std::vector<float> output(clip.noisy.size());
        Denoiser(plan).process(clip.noisy, output);
        return signal_to_noise(clip.clean, output, delay()) - signal_to_noise(clip.clean, clip.noisy);
    });
    double sum = 0;
    for (const double value : gains) sum += value;
    return sum / static_cast<double>(clips);
}

DenoiserReport train_denoiser(const DenoiserOptions& options, const TrainingSettings& settings,
                              const DenoiserCorpus& corpus) {
    const Index n = options.length;
    const Index hop = transform().hop();
    const Index starts = static_cast<Index>(corpus.speech.size()) - n * hop;
    if (starts < 1) {
        throw std::runtime_error("there is too little speech: " + std::to_string(corpus.speech.size()) +
                                 " samples, and a clip has " + std::to_string(n * hop));
    }
    const Net net = make_net(options);
    Net::Parameters parameters = net.make_parameters(settings.seed);
    DenoiserReport report;
    report.parameters = parameter_count(parameters);

    // What one shard works with.
    struct Shard {
        std::vector<NoisySpeech> clips;
        Matrix<float> spectra;
        Matrix<float> features;
        Matrix<float> outputs;
        Net::Cache cache;
        Workspace ws;
    };
    std::vector<Shard> shards(static_cast<std::size_t>(settings.shards));
    const Batches batches(starts, settings.batch, settings.seed);
    const auto objective = [&](const Net::Parameters& p, const Part& part, Net::Parameters& gradients) {
        Shard& shard = shards[static_cast<std::size_t>(part.shard)];
        const Index count = batches.count(part);
        LossSum loss{.sum = 0, .count = static_cast<double>(count)};
        if (count == 0) return loss;
        shard.clips.clear();
        shard.spectra.resize(count * n, 2 * bins());
        shard.features.resize(count * n, 2 * bins());
        shard.outputs.resize(count * n, bins());
        const auto clip_rows = [&](Matrix<float>& all, Index j) {
            return MatrixView<float>(all).middle_rows(j * n, n);
        };
        const CounterRandom seeds(part.seed);
        for (Index j = 0; j < count; ++j) {
            shard.clips.push_back(training_clip(corpus, batches.sample(part, j),
                                                static_cast<std::size_t>(n * hop),
                                                seeds.bits(static_cast<std::uint64_t>(j))));
            shard.spectra.middleRows(j * n, n) = transform().analyse(shard.clips.back().noisy);
            write_features(clip_rows(shard.spectra, j), clip_rows(shard.features, j));
        }
        net.forward(p, shard.features, {n}, shard.outputs, shard.cache, shard.ws, part.seed);
        for (Index j = 0; j < count; ++j) {
            loss.sum += clip_loss(shard.clips[static_cast<std::size_t>(j)], clip_rows(shard.spectra, j),
                                  clip_rows(shard.features, j), clip_rows(shard.outputs, j));
        }
        net.backward(p, shard.features, shard.cache, shard.outputs, gradients, shard.ws, part.finished);
        return loss;
    };

    const RunDescription description{.name = "denoiser",
                                     .tokens_per_step = settings.batch * n,
                                     .input = {{"data", fingerprint(corpus.speech, corpus.music)},
                                               {"window", std::to_string(n) + " steps"}},
                                     .validation = "dB gained",
                                     .validate_every = options.validate_every};
    const auto make_plan = [&](const Net::Parameters& p) {
        return std::make_shared<const Denoiser::Plan>(net, p, n);
    };
    Communicator& processes = settings.all_processes();
    report.run = train(parameters, settings, description, objective, [&](const Net::Parameters& p) {
        return Denoiser::mean_gain(make_plan(p), corpus, processes);
    });
    if (!processes.is_first()) return report;

    report.file = settings.out + "/denoiser.safetensors";
    const Index frames = std::min(n, static_cast<Index>(corpus.held_back.size()) / hop);
    const auto sound = std::span(corpus.held_back).first(static_cast<std::size_t>(frames * hop));
    Matrix<float> probe(frames, 2 * bins());
    write_features(transform().analyse(sound), probe);
    save_model(report.file, net, parameters, probe, frames, {{"context", std::to_string(n)}});
    return report;
}

}  // namespace examples
