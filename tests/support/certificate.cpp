// SPDX-License-Identifier: MIT
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <numbers>

#include <Eigen/SVD>

#include <support/certificate.hpp>
#include <support/oracle.hpp>

#include <toeplitz/core/random.hpp>

namespace toeplitz::test {

std::function<double(double)> random_perceptron(double lambda, std::uint64_t seed,
                                                std::function<double(double)> unit) {
    return [=](double t) {
        constexpr int p = 16;
        const CounterRandom random(seed);
        std::uint64_t next = 0;
        const auto draw = [&] { return random.uniform(next++, -1, 1); };
        double x[p];
        for (double& v : x) {
            const double weight = draw();
            v = weight * t + draw();
        }
        const auto activate = [&] {
            double square = 0;
            for (const double v : x) square += v * v;
            const double scale = 1 / (std::sqrt(square / p) + 1e-8);
            for (double& v : x) v = unit(v * scale);
        };
        for (int layer = 0; layer < 3; ++layer) {
            activate();
            double y[p];
            for (double& v : y) {
                v = draw() / 4;
                for (const double u : x) v += draw() / 4 * u;
            }
            std::copy(y, y + p, x);
        }
        activate();
        double value = 0;
        for (const double u : x) value += draw() / 4 * u;
        return value * std::pow(lambda, std::abs(t));
    };
}

std::vector<NamedKernel> typical_kernels(Index length) {
    const double n = static_cast<double>(length);
    constexpr double pi = std::numbers::pi;
    const auto square = [](double x) { return x * x; };
    const auto relu = [](double x) { return std::max(x, 0.0); };
    const auto silu = [](double x) { return x / (1 + std::exp(-x)); };
    const auto spikes = [](double t) {
        constexpr double height[] = {0, 3.1, -5.2, 1.9, 6.3, -4.4, 0.8, -2.5, 0};
        const double at = t + 4;
        if (at <= 0 || at >= 8) return 0.0;
        const auto below = static_cast<int>(at);
        const double f = at - below;
        return (1 - f) * height[below] + f * height[below + 1];
    };
    std::vector<double> knots(33);
    const CounterRandom random(7);
    double walk = 0;
    for (std::size_t i = 0; i < knots.size(); ++i) knots[i] = walk += 0.3 * random.normal(i);
    for (const double middle = knots[16]; double& knot : knots) knot -= middle;
    const auto warp = [=](double t) {
        const double z = ((t < 0 ? -1 : 1) * std::pow(0.99, std::abs(t)) + 1) * 16;
        const auto below = static_cast<std::size_t>(std::clamp(std::floor(z), 0.0, 31.0));
        const double f = z - static_cast<double>(below);
        return (1 - f) * knots[below] + f * knots[below + 1];
    };
    return {
        {"shifted Gauss", [=](double t) { return std::exp(-square((t - n / 20) / (n / 8))); }},
        {"asymmetric Cauchy", [=](double t) { return 1 / (1 + square(t / (t < 0 ? n / 10 : n / 16))); }},
        {"exponential kink", [=](double t) { return std::exp(-std::abs(t) / (n / 8)); }},
        {"slow oscillation",
         [=](double t) { return std::cos(2 * pi * t / (n / 6) + 0.5) * std::exp(-std::abs(t) / (n / 4)); }},
        {"fast oscillation",
         [=](double t) { return std::sin(2 * pi * t / (n / 30)) * std::exp(-square(t / (n / 3))); }},
        {"spikes and Gauss", [=](double t) { return std::exp(-square(t / (n / 6))) + spikes(t); }},
        {"ReLU perceptron", random_perceptron(0.99, 1, relu)},
        {"SiLU perceptron", random_perceptron(0.99, 2, silu)},
        {"slow SiLU perceptron", random_perceptron(0.999, 3, silu)},
        {"warp", warp},
    };
}

Matrix<double> lags_of(const std::function<double(double)>& kernel, Index length) {
    Matrix<double> lags(2 * length - 1, 1);
    for (Index t = 1 - length; t < length; ++t) lags(t + length - 1, 0) = kernel(static_cast<double>(t));
    return lags;
}

Matrix<double> error_matrix(const Matrix<double>& lags, const Matrix<double>& taps,
                            const Matrix<double>& inducing, Index c) {
    const Index n = (lags.rows() + 1) / 2;
    const Index b = (taps.rows() - 1) / 2;
    LongMatrix error(n, n);
    for (Index i = 0; i < n; ++i) {
        for (Index j = 0; j < n; ++j) {
            error(i, j) = static_cast<long double>(lags(i - j + n - 1, c));
            if (taps.rows() > 0 && std::abs(i - j) <= b) {
                error(i, j) -= static_cast<long double>(taps(i - j + b, c));
            }
        }
    }
    if (inducing.rows() > 0) {
        const Index r = (inducing.rows() + 1) / 2;
        const LongMatrix w = interpolation_part(n, r).weights;
        LongMatrix half = LongMatrix::Zero(r, n);  // A Wᵀ; W has two entries per row
        for (Index j = 0; j < n; ++j) {
            for (Index q = 0; q < r; ++q) {
                if (w(j, q) == 0) continue;
                for (Index p = 0; p < r; ++p) {
                    half(p, j) += static_cast<long double>(inducing(p - q + r - 1, c)) * w(j, q);
                }
            }
        }
        for (Index i = 0; i < n; ++i) {
            for (Index p = 0; p < r; ++p) {
                if (w(i, p) == 0) continue;
                for (Index j = 0; j < n; ++j) error(i, j) -= w(i, p) * half(p, j);
            }
        }
    }
    return error.cast<double>();
}

double spectral_norm(const Matrix<double>& matrix) {
    const CounterRandom random(11);
    Vector<double> v(matrix.cols());
    for (Index i = 0; i < v.size(); ++i) v(i) = random.normal(static_cast<std::uint64_t>(i));
    double norm = 0;
    for (int step = 0; step < 400; ++step) {
        if (v.norm() == 0) break;
        v.normalize();
        const Vector<double> w = matrix * v;
        const double next = w.norm();
        v = matrix.transpose() * w;
        const bool settled = step > 20 && next - norm <= 1e-6 * next;
        norm = next;
        if (settled) break;
    }
    return norm;
}

long double exact_norm(const Matrix<double>& matrix) {
    return Eigen::JacobiSVD<LongMatrix>(matrix.cast<long double>()).singularValues()(0);
}

std::uint64_t seed_of_today() {
    const char* given = std::getenv("TOEPLITZ_TEST_SEED");
    const auto seed =
        given != nullptr
            ? std::strtoull(given, nullptr, 10)
            : static_cast<unsigned long long>(std::chrono::system_clock::now().time_since_epoch().count());
    std::cout << "TOEPLITZ_TEST_SEED=" << seed << '\n';
    return seed;
}

}  // namespace toeplitz::test
