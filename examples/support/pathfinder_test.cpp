// SPDX-License-Identifier: MIT
// Checks the generator of paths from its pictures alone; prints what is wrong, and exits with 1 if anything
// is.

#include <cmath>
#include <cstdio>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "pathfinder.hpp"

namespace {

using namespace examples;
using pathfinder::Options, pathfinder::Point, pathfinder::Scene;

int failures = 0;

void expect(bool ok, const std::string& what) {
    if (ok) return;
    std::printf("failed: %s\n", what.c_str());
    ++failures;
}

/// Whether bright pixels lead from one disc to the other, each within `reach` pixels of the next.
bool is_connected(const std::vector<unsigned char>& pixels, Index size, const Point& from, const Point& to,
                  double reach) {
    const auto pixel_of = [&](const Point& p) {
        const double scale = static_cast<double>(size) / 32;
        return static_cast<Index>(p.y * scale) * size + static_cast<Index>(p.x * scale);
    };
    std::vector<bool> reached(pixels.size());
    std::vector<Index> open{pixel_of(from)};
    reached[static_cast<std::size_t>(open[0])] = true;
    const Index span = static_cast<Index>(reach);
    while (!open.empty()) {
        const Index at = open.back();
        open.pop_back();
        for (Index dy = -span; dy <= span; ++dy) {
            for (Index dx = -span; dx <= span; ++dx) {
                const Index y = at / size + dy;
                const Index x = at % size + dx;
                if (y < 0 || x < 0 || y >= size || x >= size) continue;
                if (std::hypot(static_cast<double>(dx), static_cast<double>(dy)) > reach) continue;
                const std::size_t next = static_cast<std::size_t>(y * size + x);
                if (reached[next] || pixels[next] < 100) continue;
                reached[next] = true;
                open.push_back(y * size + x);
            }
        }
    }
    return reached[static_cast<std::size_t>(pixel_of(to))];
}

/// A number of a picture, of those with either answer.
struct Statistic {
    const char* name;
    std::vector<double> of_one, of_two;

    /// Chance that the number of a picture with one path is above that of one with two.
    double area() const {
        double above = 0;
        for (const double a : of_one) {
            for (const double b : of_two) above += a > b ? 1 : a == b ? 0.5 : 0;
        }
        return above / static_cast<double>(of_one.size() * of_two.size());
    }
};

void check_labels(Index pictures, int dashes) {
    // Fine enough that dashes of one path are closer than those of two.
    const Options options{.size = 128, .dashes = dashes};
    pathfinder::Generator generator(options, 1);
    for (Index i = 0; i < pictures; ++i) {
        const Scene scene = generator.next();
        const bool connected =
            is_connected(generator.draw(scene), options.size, scene.first, scene.second, 6);
        expect(connected == scene.is_connected,
               "picture " + std::to_string(i) + " says " + (scene.is_connected ? "one path" : "two"));
        for (const std::size_t path : {0U, 1U}) {
            expect(static_cast<int>(scene.paths[path].middles.size()) == dashes, "both paths are as long");
        }
    }
}

void check_statistics(Index pictures, int dashes) {
    const Options options{.dashes = dashes};
    pathfinder::Generator generator(options, 2);
    std::vector<Statistic> statistics = {{"brightness", {}, {}},
                                         {"bright pixels", {}, {}},
                                         {"dashes", {}, {}},
                                         {"distance of the discs", {}, {}},
                                         {"distance of the discs from the middle", {}, {}}};
    for (Index i = 0; i < pictures; ++i) {
        const Scene scene = generator.next();
        const std::vector<unsigned char> pixels = generator.draw(scene);
        double sum = 0;
        double bright = 0;
        for (const unsigned char pixel : pixels) {
            sum += pixel;
            bright += pixel > 127 ? 1 : 0;
        }
        double dashes = 0;
        for (const auto& path : scene.paths) dashes += static_cast<double>(path.middles.size());
        const Point middle{16, 16};
        const double values[] = {sum, bright, dashes, distance(scene.first, scene.second),
                                 distance(scene.first, middle) + distance(scene.second, middle)};
        for (std::size_t s = 0; s < statistics.size(); ++s) {
            (scene.is_connected ? statistics[s].of_one : statistics[s].of_two).push_back(values[s]);
        }
    }
    // Four deviations of a fair coin, and of the area of two halves that are alike.
    const double n = static_cast<double>(pictures);
    const double ones = static_cast<double>(statistics[0].of_one.size());
    expect(std::abs(ones / n - 0.5) < 4 * 0.5 / std::sqrt(n), "as many with one path as with two");
    for (const Statistic& statistic : statistics) {
        const double area = statistic.area();
        expect(std::abs(area - 0.5) < 4 / std::sqrt(3 * n),
               std::string(statistic.name) + " gives the answer away: " + std::to_string(area));
    }
}

void check_seeds() {
    const Options options{.size = 64};
    const LabelledSequences a = pathfinder::make_data(options, 3, 5);
    const LabelledSequences b = pathfinder::make_data(options, 3, 5);
    const LabelledSequences c = pathfinder::make_data(options, 3, 6);
    expect(a.length == 4096 && a.image_width == 64 && a.tokens.size() == 3 * 4096, "sizes");
    expect(a.tokens == b.tokens && a.labels == b.labels, "the same seed gives the same pictures");
    expect(a.tokens != c.tokens, "another seed gives others");
    const auto brightness = [](const LabelledSequences& data) {
        return std::accumulate(data.tokens.begin(), data.tokens.end(), 0.0);
    };
    const double all = brightness(pathfinder::make_data(options, 40, 5));
    const double fewer = brightness(pathfinder::make_data(options, 4, 40, 5));
    const double fewest = brightness(pathfinder::make_data({.size = 64, .dashes = 4}, 40, 5));
    expect(fewest < 0.8 * fewer && fewer < 0.9 * all, "paths of all lengths");
    expect(!std::equal(a.sequence(0), a.sequence(1), a.sequence(1)), "pictures differ");
}

void check_orientations() {
    // 1 2 / 3 4, each way round.
    const LabelledSequences one{.length = 4, .tokens = {1, 2, 3, 4}, .labels = {1}, .image_width = 2};
    const LabelledSequences all = pathfinder::in_all_orientations(one);
    std::set<std::vector<unsigned char>> seen;
    for (Index i = 0; i < all.count(); ++i) {
        const std::vector<unsigned char> picture(all.sequence(i), all.sequence(i) + 4);
        seen.insert(picture);
        expect(picture[0] + picture[3] == 5 && picture[1] + picture[2] == 5, "corners stay opposite");
    }
    expect(all.count() == 8 && seen.size() == 8 && all.labels == std::vector<Token>(8, 1),
           "eight orientations with one answer");
    expect(std::equal(one.tokens.begin(), one.tokens.end(), all.tokens.begin()), "as they are first");
}

}  // namespace

int main() {
    check_labels(100, 14);
    check_labels(100, 6);
    check_labels(100, 4);
    check_statistics(300, 14);
    check_statistics(1000, 6);
    check_orientations();
    check_seeds();
    if (failures == 0) std::puts("The generator of paths is as described.");
    return failures == 0 ? 0 : 1;
}
