// SPDX-License-Identifier: MIT
// Looks for a kernel and an approximation whose error exceeds its bound, without gradients: the largest error
// / bound survives, and its neighbours are tried. TOEPLITZ_SEARCH_SECONDS of the environment says for how
// long.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <vector>

#include <gtest/gtest.h>

#include <support/certificate.hpp>

#include <toeplitz/approximation/dense_bound.hpp>
#include <toeplitz/approximation/nystrom.hpp>
#include <toeplitz/core/random.hpp>

namespace toeplitz::test {
namespace {

enum class Bound { window, spectrum, dense, nystrom_route };
constexpr Bound all_bounds[] = {Bound::window, Bound::spectrum, Bound::dense, Bound::nystrom_route};
constexpr const char* bound_names[] = {"window", "spectrum", "dense", "nystrom_route"};

// One channel of 2^exponent times these numbers.
template <class S>
struct Case {
    Matrix<S> lags;
    Approximation<S> made;
    int exponent = 0;
};

template <class S>
double bound_of(Bound bound, const Case<S>& c) {
    switch (bound) {
        case Bound::window:
            return error_bound(c.lags, c.made, ErrorBound::window)(0);
        case Bound::spectrum:
            return error_bound(c.lags, c.made, ErrorBound::spectrum)(0);
        case Bound::dense:
            return dense_error_bound(c.lags, c.made)(0);
        default:
            return nystrom_route_bound(c.lags, c.made.inducing)(0);
    }
}

// ‖E‖₂ / bound; 0 where both are.
template <class S>
long double ratio(Bound bound, const Case<S>& c) {
    const auto scaled = [&](const Matrix<S>& values) -> Matrix<double> {
        return values.template cast<double>().unaryExpr([&](double v) { return std::ldexp(v, -c.exponent); });
    };
    const long double norm =
        exact_norm(error_matrix(scaled(c.lags), scaled(c.made.taps), scaled(c.made.inducing), 0));
    const long double proven = std::ldexp(static_cast<long double>(bound_of(bound, c)), -c.exponent);
    return norm > 0 ? norm / proven : 0;
}

template <class S>
class Search {
public:
    Search(Bound bound, std::uint64_t seed) : bound_(bound), random_(seed) {}

    /// The largest ratio of one start and its descendants.
    long double climb() {
        Case<S> best = start();
        long double largest = ratio(bound_, best);
        double step = 0.5;
        // Gains may become small without an end.
        for (int tries = 0, since = 0; tries < 2000 && since < 150; ++tries, ++since) {
            Case<S> next = best;
            change(next, step);
            const long double r = ratio(bound_, next);
            step *= r >= largest ? 1.5 : 0.93;
            if (step < 1e-17) step = 1;
            if (r > largest) since = 0;
            if (r >= largest) {
                largest = r;
                best = std::move(next);
            }
        }
        if (largest > most_) {
            most_ = largest;
            worst_ = best;
        }
        return largest;
    }

    long double most() const { return most_; }
    const Case<S>& worst() const { return worst_; }

private:
    double uniform(double low, double high) { return random_.uniform(next_++, low, high); }
    Index whole(Index low, Index high) {  // inclusive
        return low + static_cast<Index>(random_.bits(next_++) % static_cast<std::uint64_t>(high - low + 1));
    }
    double normal() { return random_.normal(next_++); }

    Case<S> start() {
        using Limits = std::numeric_limits<S>;
        const Index n = whole(1, 9);
        Case<S> c;
        // Half of them ordinary, others where numbers are rounded most, or beside the largest.
        constexpr int lowest = Limits::min_exponent - Limits::digits;
        const Index where = whole(0, 3);
        if (where == 2) c.exponent = static_cast<int>(whole(lowest, Limits::min_exponent + 60));
        if (where == 3)
            c.exponent = static_cast<int>(whole(Limits::max_exponent - 60, Limits::max_exponent - 8));
        c.lags = Matrix<S>(2 * n - 1, 1);
        const bool alike = whole(0, 1) == 0;
        for (Index i = 0; i < c.lags.size(); ++i) c.lags(i, 0) = number(alike ? 1 : normal(), c.exponent);
        const Index rank = bound_ == Bound::nystrom_route ? whole(1, n) : whole(0, n);
        const Index half_width = bound_ == Bound::nystrom_route ? -1 : whole(-1, n - 1);
        c.made = approximate(
            c.lags, {.half_width = half_width, .rank = rank, .mode = static_cast<InducingMode>(whole(0, 3))});
        return c;
    }

    static S number(double value, int exponent) {
        return static_cast<S>(std::ldexp(std::clamp(value, -64.0, 64.0), exponent));
    }

    // Some numbers move by about `step`, vanish, or become like others.
    void change(Case<S>& c, double step) {
        Matrix<S>* parts[] = {&c.lags, &c.made.taps, &c.made.inducing};
        const Index kind = whole(0, 9);
        for (Matrix<S>* part : parts) {
            for (Index i = 0; i < part->size(); ++i) {
                if (whole(0, 2) != 0) continue;
                const double value = std::ldexp(static_cast<double>((*part)(i, 0)), -c.exponent);
                double to = value + step * normal();
                if (kind == 0) to = 0;
                if (kind == 1)
                    to = std::ldexp(static_cast<double>((*part)(whole(0, part->size() - 1), 0)), -c.exponent);
                if (kind == 2) to = value * (1 + step * normal());
                if (kind == 3) to = -value;
                (*part)(i, 0) = number(to, c.exponent);
            }
        }
    }

    Bound bound_;
    CounterRandom random_;
    std::uint64_t next_ = 0;
    long double most_ = 0;
    Case<S> worst_;
};

template <class S>
void print(const char* name, const Matrix<S>& values) {
    std::cout << "    " << name << ' ';
    for (Index i = 0; i < values.size(); ++i) std::cout << std::hexfloat << values(i, 0) << ", ";
    std::cout << std::defaultfloat << '\n';
}

template <class S>
void search(double seconds) {
    using Clock = std::chrono::steady_clock;
    const std::uint64_t seed = seed_of_today();
    for (const Bound bound : all_bounds) {
        Search<S> search(bound, seed);
        const auto end = Clock::now() + std::chrono::duration<double>(seconds / std::size(all_bounds));
        long climbs = 0;
        while (Clock::now() < end) {
            search.climb();
            ++climbs;
        }
        const char* name = bound_names[static_cast<int>(bound)];
        std::cout << name << ": error / bound <= 1 - " << static_cast<double>(1 - search.most()) << " in "
                  << climbs << " climbs; 2^" << search.worst().exponent << '\n';
        print("lags", search.worst().lags);
        print("taps", search.worst().made.taps);
        print("inducing", search.worst().made.inducing);
        EXPECT_LE(search.most(), 1) << name;
    }
}

double seconds_of_search() {
    const char* given = std::getenv("TOEPLITZ_SEARCH_SECONDS");
    return given != nullptr ? std::atof(given) : 20;
}

// The largest ratios that were found, 1 less the bound's own roundings, in 27 minutes of both scalars and in
// some shorter searches.
template <class S>
void expect_to_hold(Bound bound, int exponent, const std::vector<double>& lags,
                    const std::vector<double>& taps, const std::vector<double>& inducing) {
    const auto column = [&](const std::vector<double>& values) {
        Matrix<S> matrix(static_cast<Index>(values.size()), 1);
        for (std::size_t i = 0; i < values.size(); ++i) {
            matrix(static_cast<Index>(i), 0) = static_cast<S>(std::ldexp(values[i], exponent));
        }
        return matrix;
    };
    const Case<S> c = {column(lags), {.taps = column(taps), .inducing = column(inducing)}, exponent};
    const long double found = ratio(bound, c);
    EXPECT_LE(found, 1) << bound_names[static_cast<int>(bound)];
    EXPECT_GE(found, 1 - 1e-4L) << bound_names[static_cast<int>(bound)];
}

TEST(CertificateSearch, TheWorstThatWasFoundIsWithinItsBound) {
    expect_to_hold<float>(Bound::window, 0, {0x1.b724b6p+4, 0, 0}, {}, {0});
    expect_to_hold<float>(Bound::spectrum, -91,
                          {0x1.87750cp-2, 0x1.6741f2p-1, -0x1.400a8ep-2, 0x1.503b4ep+0, -0x1.400a8ep-2}, {0},
                          {-0x1.6767bcp-1, 0x1.6741f2p-1, -0x1.400a8ep-2, 0x1.503b4ep+0, -0x1.400a8ep-2});
    expect_to_hold<float>(Bound::dense, -123, {-0x1.09fc0cp+5, 0, 0}, {0}, {0});
    expect_to_hold<double>(Bound::window, 0, {0x1.325324829635dp+3, 0, 0}, {0}, {0, 0, 0});
    expect_to_hold<double>(Bound::spectrum, 0, {0, 0, 0x1.5a42b13c4bae6p+4}, {0}, {});
    expect_to_hold<double>(Bound::dense, 998, {0, 0, 0x1.24f3b84536426p+5}, {0, 0, 0}, {0, 0, 0});
    expect_to_hold<double>(Bound::nystrom_route, 0, {0, 0, -0x1.26f6d54b63e6p-5}, {}, {0});
    expect_to_hold<double>(Bound::nystrom_route, 0,
                           {-0x1.5ba0dfae04862p-2, 0x1.3e5445ac0593ep-3, -0x1.3aa4058df4e63p+0,
                            -0x1.5ba0dfae04862p-2, -0x1.2087829a44ce9p+0},
                           {},
                           {0x1.5ba0dfae04862p-2, 0x1.3e5445ac0593ep-3, 0x1.cf32dfe583154p-3,
                            0x1.5ba0dfae04862p-2, -0x1.2087829a44ce9p+0});
}

TEST(SlowCertificateSearch, FindsNoFloatKernelBeyondItsBound) { search<float>(seconds_of_search()); }
TEST(SlowCertificateSearch, FindsNoDoubleKernelBeyondItsBound) { search<double>(seconds_of_search()); }

}  // namespace
}  // namespace toeplitz::test
