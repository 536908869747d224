// SPDX-License-Identifier: MIT

/// \file
/// Fits the constants of CostModel to this machine and prints them as JSON, which choose() and the certifying
/// example take in place of the defaults.
///
///     toeplitz_cost_model [--channels D] [--double] [--seconds S] [--out FILE]
///
/// One thread. What was measured goes to standard error, beside what the fitted model says.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <toeplitz/approximation/cost_model.hpp>
#include <toeplitz/core/random.hpp>
#include <toeplitz/operators/state_space.hpp>
#include <toeplitz/operators/sum.hpp>

namespace toeplitz::bench {
namespace {

struct Settings {
    Index channels = 64;
    bool use_double = false;
    double seconds = 0.1;  ///< per figure
    std::string out{};
};

/// One figure: nanoseconds per channel, and the sizes it was measured at; taps, rank and modes are 0 where
/// there is no band, no low rank or no state space, and all are where the product is exact.
struct Figure {
    Index length;
    Index taps;
    Index rank;
    double nanoseconds;
    ModeCount modes{};
};

double predicted(const CostModel& model, const Figure& f) {
    if (f.modes.complex + f.modes.real > 0) return model.state_space(f.length, f.modes, f.taps);
    return f.taps == 0 && f.rank == 0 ? model.exact(f.length)
                                      : model.sparse_plus_low_rank(f.length, f.taps, f.rank);
}

template <class Scalar>
Matrix<Scalar> random_matrix(Index rows, Index cols, std::uint64_t seed) {
    const CounterRandom random(seed);
    Matrix<Scalar> result(rows, cols);
    for (Index i = 0; i < result.size(); ++i) {
        result.data()[i] = static_cast<Scalar>(random.uniform(static_cast<std::uint64_t>(i), -1.0, 1.0));
    }
    return result;
}

/// The fastest of several series of products: what disturbs a series makes it slower.
template <class Op>
double nanoseconds_per_channel(const Op& op, double seconds) {
    using Scalar = typename Op::Scalar;
    using Clock = std::chrono::steady_clock;
    const Matrix<Scalar> x = random_matrix<Scalar>(op.length(), op.channels(), 1);
    Matrix<Scalar> y(op.length(), op.channels());
    Workspace ws(op.required_workspace());
    const auto series = [&](Index calls) {
        const Clock::time_point start = Clock::now();
        for (Index i = 0; i < calls; ++i) op.apply(x, y, ws);
        return std::chrono::duration<double>(Clock::now() - start).count();
    };
    series(1);
    constexpr int count = 10;
    const double once = std::max(series(1), 1e-9);
    const Index calls = std::max<Index>(1, static_cast<Index>(seconds / count / once));
    double best = 1e300;
    for (int i = 0; i < count; ++i) best = std::min(best, series(calls) / static_cast<double>(calls));
    return 1e9 * best / static_cast<double>(op.channels());
}

template <class Scalar>
class Measurement {
public:
    explicit Measurement(const Settings& settings) : d_(settings.channels), seconds_(settings.seconds) {}

    Figure exact(Index n) const {
        return {n, 0, 0, time(Fft<Scalar>({.length = n, .channels = d_}, kernel(2 * n - 1)))};
    }
    Figure band(Index n, Index taps) const { return {n, taps, 0, time(make_band(n, taps))}; }
    Figure low_rank(Index n, Index taps, Index rank) const {
        const Ski<Scalar> ski({.length = n, .channels = d_, .rank = rank}, kernel(2 * rank - 1));
        return {n, taps, rank, taps == 0 ? time(ski) : time(make_band(n, taps) + ski)};
    }

    /// Complex modes first.
    Figure state_space(Index n, Index complex, Index real, Index taps = 1) const {
        const Index modes = complex + real;
        Matrix<std::complex<Scalar>> poles(modes, d_);
        poles.topRows(complex).setConstant({Scalar(0.5), Scalar(0.25)});
        poles.bottomRows(real).setConstant(Scalar(0.5));
        const Matrix<Scalar> direct = kernel(taps);
        const StateSpace<Scalar> op({.length = n, .channels = d_, .modes = modes, .taps = taps},
                                    {poles, poles, direct});
        return {n, taps, 0, time(op), count_modes<Scalar>(poles)};
    }

private:
    Matrix<Scalar> kernel(Index rows) const { return random_matrix<Scalar>(rows, d_, 2); }
    Band<Scalar> make_band(Index n, Index taps) const {
        return Band<Scalar>({.length = n, .channels = d_, .taps = taps}, kernel(taps));
    }
    template <class Op>
    double time(const Op& op) const {
        return nanoseconds_per_channel(op, seconds_);
    }

    Index d_;
    double seconds_;
};

/// value ≈ offset + slope · x by least squares of relative errors; neither is negative.
struct Line {
    double offset;
    double slope;
};
Line fit(const std::vector<std::pair<double, double>>& points) {
    // Sums of w, wx, wxx, wy, wxy with weights w = 1/y².
    double w = 0, wx = 0, wxx = 0, wy = 0, wxy = 0;
    for (const auto& [x, y] : points) {
        w += 1 / (y * y);
        wx += x / (y * y);
        wxx += x * x / (y * y);
        wy += 1 / y;
        wxy += x / y;
    }
    const double slope = (w * wxy - wx * wy) / (w * wxx - wx * wx);
    const double offset = (wy - slope * wx) / w;
    if (slope < 0) return {wy / w, 0};
    if (offset < 0) return {0, wxy / wxx};
    return {offset, slope};
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

template <class Scalar>
CostModel calibrate(const Settings& settings) {
    const Measurement<Scalar> measure(settings);
    CostModel model;
    std::vector<Figure> figures;
    const auto keep = [&](const Figure& f) {
        figures.push_back(f);
        return f.nanoseconds;
    };

    constexpr Index direct = most_direct_lags / 2;
    const double steps = static_cast<double>(direct);
    model.direct_length = steps;
    model.direct_tap = keep(measure.exact(direct)) / (steps * steps);

    std::vector<std::pair<double, double>> points;
    for (const Index n : {128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768}) {
        const double size = static_cast<double>(detail::tree_size(n));
        points.emplace_back(std::log2(size), keep(measure.exact(n)) / size);
    }
    const Line transform = fit(points);
    model.transform_point = transform.offset;
    model.transform_level = transform.slope;

    points.clear();
    for (const Index n : {2048, 8192}) {
        for (const Index taps : {1, 5, 9, 17, 33, 65, 129}) {
            points.emplace_back(static_cast<double>(taps),
                                keep(measure.band(n, taps)) / static_cast<double>(n));
        }
    }
    const Line band = fit(points);
    model.band_step = band.offset;
    model.band_tap = band.slope;

    std::vector<double> rests;
    for (const Index n : {2048, 8192}) {
        for (const Index taps : {0, 9, 33}) {
            for (const Index rank : {16, 64, 256}) {
                const Figure f = measure.low_rank(n, taps, rank);
                model.ski_step = 0;
                rests.push_back((keep(f) - predicted(model, f)) / static_cast<double>(n));
            }
        }
    }
    model.ski_step = std::max(0.0, median(rests));

    std::vector<std::pair<double, double>> real;
    points.clear();
    for (const Index n : {2048, 8192}) {
        for (const Index modes : {1, 2, 4, 6, 8, 16}) {
            const auto count = static_cast<double>(modes);
            points.emplace_back(count, keep(measure.state_space(n, modes, 0)) / static_cast<double>(n));
            real.emplace_back(count, keep(measure.state_space(n, 0, modes)) / static_cast<double>(n));
        }
        for (const Index taps : {1, 2, 8, 32}) keep(measure.state_space(n, 1, 4, taps));
    }
    const Line complex_modes = fit(points);
    const Line real_modes = fit(real);
    model.modes_step = (complex_modes.offset + real_modes.offset) / 2;
    model.complex_mode = complex_modes.slope;
    model.real_mode = real_modes.slope;

    std::fprintf(stderr, "%8s %6s %6s %8s %6s %16s %10s\n", "n", "taps", "rank", "complex", "real",
                 "ns per channel", "model");
    double worst = 1;
    for (const Figure& f : figures) {
        const double ratio = predicted(model, f) / f.nanoseconds;
        worst = std::max({worst, ratio, 1 / ratio});
        std::fprintf(stderr, "%8td %6td %6td %8.1f %6.1f %16.0f %9.2fx\n", f.length, f.taps, f.rank,
                     f.modes.complex, f.modes.real, f.nanoseconds, ratio);
    }
    std::fprintf(stderr, "The model is off by at most a factor of %.2f.\n", worst);
    return model;
}

Settings parse(int argc, char** argv) {
    Settings settings;
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        if (option == "--double") {
            settings.use_double = true;
            continue;
        }
        if (i + 1 == argc)
            throw std::invalid_argument("a value is missing, or unknown: " + std::string(option));
        const char* value = argv[++i];
        if (option == "--channels") {
            settings.channels = std::atoll(value);
        } else if (option == "--seconds") {
            settings.seconds = std::atof(value);
        } else if (option == "--out") {
            settings.out = value;
        } else {
            throw std::invalid_argument("unknown option " + std::string(option));
        }
    }
    if (settings.channels < 1 || !(settings.seconds > 0)) {
        throw std::invalid_argument("--channels and --seconds take positive numbers");
    }
    return settings;
}

int main(int argc, char** argv) {
    try {
        const Settings settings = parse(argc, argv);
        const CostModel model =
            settings.use_double ? calibrate<double>(settings) : calibrate<float>(settings);
        std::ostringstream json;
        const char* separator = "{\n  ";
        CostModel::for_each_option(
            [&](const char* name, const double& value) {
                json << separator << '"' << name << "\": " << value;
                separator = ",\n  ";
            },
            model);
        json << "\n}\n";
        if (settings.out.empty()) {
            std::cout << json.str();
        } else if (!(std::ofstream(settings.out) << json.str() << std::flush)) {
            throw std::runtime_error("cannot write " + settings.out);
        }
    } catch (const std::invalid_argument& failure) {
        std::cerr << failure.what()
                  << "\nusage: toeplitz_cost_model [--channels D] [--double] [--seconds S] [--out FILE]\n";
        return 2;
    } catch (const std::exception& failure) {
        std::cerr << failure.what() << '\n';
        return 1;
    }
    return 0;
}

}  // namespace
}  // namespace toeplitz::bench

int main(int argc, char** argv) { return toeplitz::bench::main(argc, argv); }
