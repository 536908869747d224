// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Powers of two that bring kernels of any amplitude to about 1, so that their squares neither vanish nor
/// overflow, and the way back, rounded to the safe side.

#include <algorithm>
#include <cmath>
#include <limits>

#include <toeplitz/core/finite.hpp>
#include <toeplitz/core/memory.hpp>
#include <toeplitz/core/parallel.hpp>
#include <toeplitz/core/view.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// The power of two that takes `largest` to [1/2, 1), within 2^±1000, so that its inverse is a normal number;
/// 1 for 0 and for infinity.
inline double unit_scale(double largest) noexcept {
    if (!(largest > 0) || !is_finite(largest)) return 1;
    int exponent = 0;
    static_cast<void>(std::frexp(largest, &exponent));
    return std::ldexp(1.0, std::clamp(-exponent, -1000, 1000));
}

/// The smallest number that is not below value/scale: infinity beyond the range.
inline double scaled_back_up(double value, double scale) noexcept {
    const double back = value / scale;
    return back * scale < value ? std::nextafter(back, std::numeric_limits<double>::infinity()) : back;
}

/// The largest number that is not above value/scale ≥ 0: the largest of all beyond the range.
inline double scaled_back_down(double value, double scale) noexcept {
    const double back = (std::min)(value / scale, (std::numeric_limits<double>::max)());
    return back * scale > value ? std::nextafter(back, 0.0) : back;
}

/// unit_scale of the largest magnitude of each channel.
class ChannelScales {
public:
    explicit ChannelScales(Index channels)
        : largest_(Vector<double>::Zero(channels)), scales_(Vector<double>::Ones(channels)) {}

    template <Real Scalar>
    explicit ChannelScales(MatrixView<const Scalar> values) : ChannelScales(values.cols()) {
        include(values);
    }

    /// Takes the numbers of another matrix into account, rows of neighbours; one without rows has none.
    template <Real Scalar>
    void include(MatrixView<const Scalar> values) {
        if (values.rows() == 0) return;
        constexpr Index group = static_cast<Index>(buffer_alignment / sizeof(Scalar));
        const Index groups = (values.cols() + group - 1) / group;
        const int threads = thread_count(groups, values.size() / 2);
        parallel_chunks<Denormals::keep>(groups, threads, [&](Index begin, Index end, int) {
            const Index first = begin * group;
            const Index last = (std::min)(end * group, values.cols());
            for (Index i = 0; i < values.rows(); ++i) {
                const Scalar* row = values.row(i);
                for (Index c = first; c < last; ++c) {
                    const double size = std::abs(static_cast<double>(row[c]));
                    largest_(c) = largest_(c) < size ? size : largest_(c);
                }
            }
        });
        for (Index c = 0; c < scales_.size(); ++c) scales_(c) = unit_scale(largest_(c));
    }

    /// Those of some neighbouring channels.
    ChannelScales segment(Index first, Index count) const {
        ChannelScales some(count);
        some.largest_ = largest_.segment(first, count);
        some.scales_ = scales_.segment(first, count);
        return some;
    }

    const double* data() const noexcept { return scales_.data(); }
    double operator[](Index c) const noexcept { return scales_(c); }

private:
    Vector<double> largest_;
    Vector<double> scales_;
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
