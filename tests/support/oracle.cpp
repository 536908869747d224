// SPDX-License-Identifier: MIT
#include <support/oracle.hpp>

#include <cmath>
#include <numbers>

#include <support/tolerance.hpp>

namespace toeplitz::test {
namespace {

using LongVector = std::vector<long double>;

Index inducing_points(const OraclePart& part) { return (part.lags.rows() + 1) / 2; }

LongVector column(const LongMatrix& matrix, Index first, Index count, Index c) {
    LongVector values(static_cast<std::size_t>(count));
    for (Index i = 0; i < count; ++i) values[static_cast<std::size_t>(i)] = matrix(first + i, c);
    return values;
}

long double& at(LongVector& v, Index i) { return v[static_cast<std::size_t>(i)]; }
long double at(const LongVector& v, Index i) { return v[static_cast<std::size_t>(i)]; }
Index size(const LongVector& v) { return static_cast<Index>(v.size()); }

long double norm_of(const LongVector& v) {
    long double sum = 0;
    for (const long double a : v) sum += a * a;
    return std::sqrt(sum);
}

LongVector magnitudes(LongVector v) {
    for (long double& a : v) a = std::abs(a);
    return v;
}

/// L k for one channel.
LongVector lags_of(const OraclePart& part, const LongVector& k) {
    LongVector lags(static_cast<std::size_t>(part.lags.rows()));
    for (Index t = 0; t < size(lags); ++t) {
        for (Index p = 0; p < size(k); ++p) at(lags, t) += part.lags(t, p) * at(k, p);
    }
    return lags;
}

/// Wᵀ x
LongVector gather(const OraclePart& part, const LongVector& x) {
    if (part.weights.size() == 0) return x;
    LongVector z(static_cast<std::size_t>(part.weights.cols()));
    for (Index i = 0; i < part.weights.rows(); ++i) {
        for (Index a = 0; a < size(z); ++a) at(z, a) += part.weights(i, a) * at(x, i);
    }
    return z;
}

/// ‖κ‖₂, or an upper bound by Parseval where a transform computed κ.
long double kernel_norm(const OraclePart& part, const LongVector& lags, const LongVector& k) {
    if (part.grid == 0) return norm_of(lags);
    return std::max(norm_of(lags), 2 * norm_of(k) * std::sqrt(2 / static_cast<long double>(part.grid)));
}

/// Rounding units per ‖κ‖₂ ‖Wᵀ|x|‖₂: transforms, and sums of n/r rows.
long double product_error(const OraclePart& part, Index length) {
    const Index r = inducing_points(part);
    const long double transforms = transform_error(r) + (part.grid > 0 ? transform_error(part.grid) : 0);
    const long double rows = static_cast<long double>(length) / static_cast<long double>(r);
    return transforms + (part.weights.size() > 0 ? std::sqrt(rows) + 4 : 0) + part.recurrence;
}

}  // namespace

LongMatrix long_product(const LongMatrix& a, const LongMatrix& b) {
    LongMatrix c = LongMatrix::Zero(a.rows(), b.cols());
    for (Index i = 0; i < c.rows(); ++i) {
        for (Index k = 0; k < a.cols(); ++k) {
            for (Index j = 0; j < c.cols(); ++j) c(i, j) += a(i, k) * b(k, j);
        }
    }
    return c;
}

LongMatrix toeplitz_product(Direction direction, const LongMatrix& lags, Index negative, const LongMatrix& x,
                            Index rows) {
    LongMatrix y = LongMatrix::Zero(rows, x.cols());
    const Index sign = direction == Direction::forward ? 1 : -1;
    for (Index i = 0; i < rows; ++i) {
        for (Index row = 0; row < lags.rows(); ++row) {
            const Index j = i - sign * (row - negative);
            if (j < 0 || j >= x.rows()) continue;
            for (Index c = 0; c < x.cols(); ++c) y(i, c) += lags(row, c) * x(j, c);
        }
    }
    return y;
}

Reference causal_convolution(const LongMatrix& lags, const LongMatrix& x, Index streams, Index settling,
                             long double unit, Index block) {
    Reference result{LongMatrix::Zero(x.rows(), x.cols()), LongMatrix::Zero(x.rows(), x.cols())};
    for (Index c = 0; c < x.cols(); ++c) {
        const LongVector h = column(lags, 0, lags.rows(), c);
        const long double factor = transform_error(settling) * unit * norm_of(h);
        const LongVector from = column(x, 0, x.rows(), c);
        for (Index row = 0; row < x.rows(); ++row) {
            long double squares = 0;
            const Index to_block_end = block - 1 - row / streams % block;
            for (Index t = -to_block_end; t < settling && row - t * streams >= 0; ++t) {
                if (row - t * streams >= x.rows()) continue;
                const long double input = at(from, row - t * streams);
                if (t >= 0 && t < size(h)) result.value(row, c) += at(h, t) * input;
                squares += input * input;
            }
            result.tolerance(row, c) = factor * std::sqrt(squares);
        }
    }
    return result;
}

Index Oracle::parameters() const {
    Index count = 0;
    for (const OraclePart& part : parts_) count += part.lags.cols();
    return count;
}

Reference Oracle::product(Direction direction, const LongMatrix& kernel, const LongMatrix& x,
                          const std::vector<Index>& lengths, long double unit) const {
    Reference result{LongMatrix::Zero(x.rows(), x.cols()), LongMatrix::Zero(x.rows(), x.cols())};
    for (Index b = 0; b < x.rows() / length_; ++b) {
        const Index valid = lengths.empty() ? length_ : lengths[static_cast<std::size_t>(b)];
        for (Index c = 0; c < x.cols(); ++c) {
            LongVector xs = column(x, b * length_, valid, c);
            xs.resize(static_cast<std::size_t>(length_));
            Index first = 0;
            for (const OraclePart& part : parts_) {
                const LongVector k = column(kernel, first, part.lags.cols(), c);
                first += part.lags.cols();
                const LongVector lags = lags_of(part, k);
                const LongVector z = gather(part, xs);
                const Index r = size(z);
                LongVector u(static_cast<std::size_t>(r));
                for (Index a = 0; a < r; ++a) {
                    for (Index j = 0; j < r; ++j) {
                        const Index t = direction == Direction::forward ? a - j : j - a;
                        at(u, a) += at(lags, t + r - 1) * at(z, j);
                    }
                }
                const long double tolerance = unit * product_error(part, length_) *
                                              kernel_norm(part, lags, k) *
                                              norm_of(gather(part, magnitudes(xs)));
                for (Index i = 0; i < valid; ++i) {
                    long double y = 0;
                    if (part.weights.size() == 0) {
                        y = at(u, i);
                    } else {
                        for (Index a = 0; a < r; ++a) y += part.weights(i, a) * at(u, a);
                    }
                    result.value(b * length_ + i, c) += y;
                    result.tolerance(b * length_ + i, c) += tolerance;
                }
            }
        }
    }
    return result;
}

Reference Oracle::gradient(const LongMatrix& x, const LongMatrix& g, const std::vector<Index>& lengths,
                           long double unit) const {
    Reference result{LongMatrix::Zero(parameters(), x.cols()), LongMatrix::Zero(parameters(), x.cols())};
    for (Index b = 0; b < x.rows() / length_; ++b) {
        const Index valid = lengths.empty() ? length_ : lengths[static_cast<std::size_t>(b)];
        for (Index c = 0; c < x.cols(); ++c) {
            LongVector xs = column(x, b * length_, valid, c);
            LongVector gs = column(g, b * length_, valid, c);
            xs.resize(static_cast<std::size_t>(length_));
            gs.resize(static_cast<std::size_t>(length_));
            Index first = 0;
            for (const OraclePart& part : parts_) {
                const LongVector zx = gather(part, xs);
                const LongVector zg = gather(part, gs);
                const Index r = size(zx);
                LongVector dlags(static_cast<std::size_t>(2 * r - 1));
                for (Index a = 0; a < r; ++a) {
                    for (Index j = 0; j < r; ++j) at(dlags, a - j + r - 1) += at(zg, a) * at(zx, j);
                }
                // A spectrum's gradient averages over lags that are each wrong by the transforms before it.
                const long double tolerance = unit * product_error(part, length_) * (part.grid > 0 ? 8 : 1) *
                                              norm_of(gather(part, magnitudes(xs))) *
                                              norm_of(gather(part, magnitudes(gs)));
                for (Index p = 0; p < part.lags.cols(); ++p) {
                    for (Index t = 0; t < size(dlags); ++t) {
                        result.value(first + p, c) += part.lags(t, p) * at(dlags, t);
                    }
                    result.tolerance(first + p, c) += tolerance;
                }
                first += part.lags.cols();
            }
        }
    }
    return result;
}

OraclePart lag_part(Index length, Index first, Index count) {
    OraclePart part{LongMatrix::Zero(2 * length - 1, count), {}};
    for (Index p = 0; p < count; ++p) {
        const Index lag = first + p;
        if (lag > -length && lag < length) part.lags(lag + length - 1, p) = 1;
    }
    return part;
}

OraclePart interpolation_part(Index length, Index rank) {
    const Index r = std::min(length, rank);
    OraclePart part = lag_part(r, 1 - r, 2 * r - 1);
    part.weights = LongMatrix::Zero(length, r);
    for (Index i = 0; i < length; ++i) {
        if (r == 1) {
            part.weights(i, 0) = 1;
            continue;
        }
        // The hat functions of the inducing points a (n−1)/(r−1).
        const long double position =
            static_cast<long double>(i * (r - 1)) / static_cast<long double>(length - 1);
        for (Index a = 0; a < r; ++a) {
            part.weights(i, a) = std::max(0.0L, 1 - std::abs(position - static_cast<long double>(a)));
        }
    }
    return part;
}

namespace {

long double angle(Index k, Index t, Index grid) {
    return 2 * std::numbers::pi_v<long double> * static_cast<long double>(k * t % grid) /
           static_cast<long double>(grid);
}

/// Multiplicity of frequency k of N/2+1, and the causal window at lag k.
long double fold(Index k, Index grid) { return k == 0 || 2 * k == grid ? 1 : 2; }

}  // namespace

OraclePart causal_spectrum_part(Index length, Index grid) {
    const Index frequencies = grid / 2 + 1;
    OraclePart part{LongMatrix::Zero(2 * length - 1, frequencies), {}, grid};
    for (Index t = 0; t < length && 2 * t <= grid; ++t) {
        for (Index k = 0; k < frequencies; ++k) {
            part.lags(t + length - 1, k) =
                fold(t, grid) * fold(k, grid) * std::cos(angle(k, t, grid)) / static_cast<long double>(grid);
        }
    }
    return part;
}

OraclePart bidirectional_spectrum_part(Index length, Index grid) {
    const Index frequencies = grid / 2 + 1;
    OraclePart part{LongMatrix::Zero(2 * length - 1, 2 * frequencies), {}, grid};
    for (Index t = 1 - length; t < length; ++t) {
        for (Index k = 0; k < frequencies; ++k) {
            const long double w = fold(k, grid) / static_cast<long double>(grid);
            const long double phase = angle(k, t < 0 ? t + grid : t, grid);
            part.lags(t + length - 1, k) = w * std::cos(phase);
            const bool real_only = k == 0 || 2 * k == grid;
            part.lags(t + length - 1, frequencies + k) = real_only ? 0 : -w * std::sin(phase);
        }
    }
    return part;
}

OraclePart state_space_part(Index length, const std::vector<std::complex<long double>>& poles, Index taps,
                            Direction time) {
    const auto modes = static_cast<Index>(poles.size());
    OraclePart part{LongMatrix::Zero(2 * length - 1, taps + 2 * modes), {}};
    const auto row = [&](Index t) { return length - 1 + (time == Direction::forward ? t : -t); };
    for (Index t = 0; t < (std::min)(taps, length); ++t) part.lags(row(t), t) = 1;
    for (Index i = 0; i < modes; ++i) {
        const std::complex<long double> pole = poles[static_cast<std::size_t>(i)];
        std::complex<long double> power = 1;
        for (Index t = taps; t < length; ++t, power *= pole) {
            part.lags(row(t), taps + i) = power.real();
            part.lags(row(t), taps + modes + i) = -power.imag();
        }
        // A state forgets its roundings as it forgets its inputs.
        part.recurrence += 4 / (1 - std::abs(pole));
    }
    return part;
}

}  // namespace toeplitz::test
