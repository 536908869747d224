// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Pathfinder and Path-X: do two discs lie on the ends of one dashed path, or of two?
///
/// After Linsley et al. (2018) and Long Range Arena, with the parameters of the release at 32 × 32 pixels and
/// their multiples at others. Every picture has two paths of the same length and shorter distractors. The
/// answer is drawn last, by a coin: for both answers the picture has a pair of ends as far from each other,
/// so that all but the discs is the same, and neither brightness nor lengths nor distances say what they are.

#include <algorithm>
#include <cmath>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <toeplitz/core/random.hpp>

#include "labelled_sequences.hpp"
#include "parallel_for.hpp"

namespace examples {

namespace pathfinder {

/// In pixels of a picture of 32 × 32.
struct Options {
    Index size = 32;      ///< pixels of a side
    int dashes = 14;      ///< of a path
    int distractors = 4;  ///< at most: as many as find room; of a third of the dashes
    double dash = 2;      ///< length of one
    double thickness = 0.5;
    double gap = 0.8;            ///< between dashes of a path
    double bend = 0.55;          ///< largest turn from dash to dash, in radians
    double room = 2.8;           ///< between dashes of different paths, and of parts of one that are apart
    double padding = 1;          ///< without dashes, at the border
    double marker = 1.5;         ///< radius of the discs
    double marker_distance = 7;  ///< of the discs, at least
    /// By how much the distances of the discs from the middle of the picture, added, may differ between the
    /// answers.
    double alike = 1;
};

struct Point {
    double x = 0;
    double y = 0;
};
inline double distance(const Point& a, const Point& b) { return std::hypot(a.x - b.x, a.y - b.y); }
inline bool are_closer(const Point& a, const Point& b, double reach) {
    return (a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y) < reach * reach;
}

/// Dashes one after another: the middle of each, and its direction.
struct Path {
    std::vector<Point> middles{};
    std::vector<double> directions{};
};

struct Scene {
    std::vector<Path> paths{};  ///< the two long ones first
    Point first{}, second{};    ///< where the discs are
    bool is_connected = false;
};

class Generator {
public:
    Generator(const Options& options, std::uint64_t seed) : options_(options), random_(seed) {}

    Scene next() {
        while (true) {
            Scene scene;
            if (!add_path(scene, options_.dashes, 40)) continue;
            std::optional<Pairs> pairs;
            for (int i = 0; i < 10 && !pairs; ++i) {
                scene.paths.resize(1);
                if (add_path(scene, options_.dashes, 10)) pairs = choose_pairs(scene);
            }
            if (!pairs) continue;
            for (int i = 0; i < options_.distractors; ++i) add_path(scene, (options_.dashes + 1) / 3, 60);
            scene.is_connected = uniform() < 0.5;
            std::tie(scene.first, scene.second) = scene.is_connected ? pairs->same : pairs->different;
            return scene;
        }
    }

    /// Grey values, row by row.
    std::vector<unsigned char> draw(const Scene& scene) const {
        const Index size = options_.size;
        const double scale = static_cast<double>(size) / 32;
        std::vector<unsigned char> pixels(static_cast<std::size_t>(size * size), 0);
        // How much of a pixel is covered, from the distance of its middle to the shape.
        const auto paint = [&](const Point& middle, double reach, auto&& distance_to) {
            const auto range = [&](double at) {
                const auto clamp = [&](double p) {
                    return std::clamp<Index>(static_cast<Index>(p), 0, size - 1);
                };
                return std::pair(clamp(std::floor((at - reach) * scale) - 1),
                                 clamp(std::ceil((at + reach) * scale) + 1));
            };
            const auto [y0, y1] = range(middle.y);
            const auto [x0, x1] = range(middle.x);
            for (Index y = y0; y <= y1; ++y) {
                for (Index x = x0; x <= x1; ++x) {
                    const Point pixel{(static_cast<double>(x) + 0.5) / scale,
                                      (static_cast<double>(y) + 0.5) / scale};
                    const double cover = std::clamp(0.5 - distance_to(pixel) * scale, 0.0, 1.0);
                    unsigned char& grey = pixels[static_cast<std::size_t>(y * size + x)];
                    grey = std::max(grey, static_cast<unsigned char>(std::lround(255 * cover)));
                }
            }
        };
        for (const Path& path : scene.paths) {
            for (std::size_t i = 0; i < path.middles.size(); ++i) {
                const Point& middle = path.middles[i];
                const double c = std::cos(path.directions[i]);
                const double s = std::sin(path.directions[i]);
                paint(middle, options_.dash, [&](const Point& p) {
                    const double along = (p.x - middle.x) * c + (p.y - middle.y) * s;
                    const double across = (p.y - middle.y) * c - (p.x - middle.x) * s;
                    return std::hypot(std::max(std::abs(along) - options_.dash / 2, 0.0), across) -
                           options_.thickness / 2;
                });
            }
        }
        for (const Point& disc : {scene.first, scene.second}) {
            paint(disc, options_.marker, [&](const Point& p) { return distance(p, disc) - options_.marker; });
        }
        return pixels;
    }

private:
    using Ends = std::pair<Point, Point>;
    struct Pairs {
        Ends same, different;
    };

    double uniform() { return random_.uniform(drawn_++); }

    /// Ends of one path, and of two, that are as far from each other, to a pixel.
    std::optional<Pairs> choose_pairs(const Scene& scene) {
        std::vector<Ends> same;
        std::vector<Ends> different;
        const auto& a = scene.paths[0].middles;
        const auto& b = scene.paths[1].middles;
        same = {{a.front(), a.back()}, {b.front(), b.back()}};
        for (const Point& p : {a.front(), a.back()}) {
            for (const Point& q : {b.front(), b.back()}) different.emplace_back(p, q);
        }
        const auto from_middle = [](const Ends& ends) {
            const Point middle{16, 16};
            return distance(ends.first, middle) + distance(ends.second, middle);
        };
        std::vector<Pairs> fitting;
        for (const Ends& s : same) {
            for (const Ends& d : different) {
                const double apart = distance(s.first, s.second);
                const double others_apart = distance(d.first, d.second);
                if (std::min(apart, others_apart) >= options_.marker_distance &&
                    std::abs(apart - others_apart) <= 1 &&
                    std::abs(from_middle(s) - from_middle(d)) <= options_.alike) {
                    fitting.push_back({s, d});
                }
            }
        }
        if (fitting.empty()) return std::nullopt;
        return fitting[static_cast<std::size_t>(uniform() * static_cast<double>(fitting.size()))];
    }

    bool add_path(Scene& scene, int dashes, int attempts) {
        for (int i = 0; i < attempts; ++i) {
            Path path;
            if (grow(scene, dashes, path)) {
                scene.paths.push_back(std::move(path));
                return true;
            }
        }
        return false;
    }

    /// A path that turns by up to `bend` from dash to dash, and keeps away from all others and from itself.
    bool grow(const Scene& scene, int dashes, Path& path) {
        const double border = options_.padding + options_.dash / 2;
        const double inside = 32 - 2 * border;
        const double step = options_.dash + options_.gap;
        Point at{border + inside * uniform(), border + inside * uniform()};
        double direction = 2 * pi * uniform();
        while (static_cast<int>(path.middles.size()) < dashes) {
            bool placed = false;
            const Point ahead{std::cos(direction), std::sin(direction)};
            for (int attempt = 0; attempt < 12 && !placed; ++attempt) {
                double turned = direction;
                Point to = at;
                if (!path.middles.empty()) {
                    turned += options_.bend * (2 * uniform() - 1);
                    // From the end of a dash to the beginning of the next, half of the way in each direction.
                    to.x += step / 2 * (ahead.x + std::cos(turned));
                    to.y += step / 2 * (ahead.y + std::sin(turned));
                }
                if (!has_room(scene, path, to, border)) continue;
                path.middles.push_back(to);
                path.directions.push_back(turned);
                at = to;
                direction = turned;
                placed = true;
            }
            if (!placed) return false;
        }
        return true;
    }

    bool has_room(const Scene& scene, const Path& path, const Point& to, double border) const {
        const double far = 32 - border;
        if (to.x < border || to.y < border || to.x > far || to.y > far) return false;
        // Dashes reach half their length to each side.
        const double apart = options_.room + options_.dash / 2;
        for (const Path& other : scene.paths) {
            for (const Point& middle : other.middles) {
                if (are_closer(middle, to, apart + options_.dash / 2)) return false;
            }
        }
        for (std::size_t i = 0; i + 2 < path.middles.size(); ++i) {
            if (are_closer(path.middles[i], to, apart)) return false;
        }
        return true;
    }

    static constexpr double pi = 3.14159265358979323846;

    Options options_;
    toeplitz::CounterRandom random_;
    std::uint64_t drawn_ = 0;
};

/// Pictures with the answer as label: 1 where the discs are on one path. Each has a seed of its own, and
/// paths of least_dashes to options.dashes dashes.
inline LabelledSequences make_data(const Options& options, int least_dashes, Index count,
                                   std::uint64_t seed) {
    LabelledSequences data{.length = options.size * options.size, .image_width = options.size};
    data.tokens.resize(static_cast<std::size_t>(count * data.length));
    data.labels.resize(static_cast<std::size_t>(count));
    const toeplitz::CounterRandom seeds(seed);
    parallel_for(count, [&](Index i, int) {
        Options of = options;
        const double lengths = static_cast<double>(options.dashes - least_dashes + 1);
        of.dashes =
            least_dashes + static_cast<int>(lengths * seeds.uniform(static_cast<std::uint64_t>(count + i)));
        Generator generator(of, seeds.bits(static_cast<std::uint64_t>(i)));
        const Scene scene = generator.next();
        const std::vector<unsigned char> pixels = generator.draw(scene);
        std::copy(pixels.begin(), pixels.end(), data.tokens.begin() + i * data.length);
        data.labels[static_cast<std::size_t>(i)] = scene.is_connected ? 1 : 0;
    });
    return data;
}

inline LabelledSequences make_data(const Options& options, Index count, std::uint64_t seed) {
    return make_data(options, options.dashes, count, seed);
}

/// Each picture as it is, turned and mirrored, eight in all, with the same answer; as they are first.
inline LabelledSequences in_all_orientations(const LabelledSequences& pictures) {
    const Index size = pictures.image_width;
    LabelledSequences all = pictures;
    all.tokens.reserve(8 * pictures.tokens.size());
    for (int orientation = 1; orientation < 8; ++orientation) {
        for (Index i = 0; i < pictures.count(); ++i) {
            const unsigned char* const from = pictures.sequence(i);
            for (Index y = 0; y < size; ++y) {
                for (Index x = 0; x < size; ++x) {
                    Index row = (orientation & 1) != 0 ? size - 1 - y : y;
                    Index column = (orientation & 2) != 0 ? size - 1 - x : x;
                    if ((orientation & 4) != 0) std::swap(row, column);
                    all.tokens.push_back(from[row * size + column]);
                }
            }
        }
        all.labels.insert(all.labels.end(), pictures.labels.begin(), pictures.labels.end());
    }
    return all;
}

}  // namespace pathfinder
}  // namespace examples
