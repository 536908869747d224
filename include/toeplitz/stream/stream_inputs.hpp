// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The inputs that a stream still needs, and how they come from views and go to bytes.

#include <cstring>
#include <numeric>

#include <toeplitz/core/memory.hpp>
#include <toeplitz/core/simd.hpp>
#include <toeplitz/core/view.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// A state's columns, which are the channels of its streams one after another, in packs of one register.
/// Kernels of packs repeat where channels do.
template <Real Scalar>
struct StreamColumns {
    static constexpr Index lanes = Simd<Scalar>::lanes;

    Index channels;
    Index streams;

    Index columns() const noexcept { return channels * streams; }
    Index packs() const noexcept { return (columns() + lanes - 1) / lanes; }
    /// Packs of different kernels.
    Index kernel_packs() const noexcept { return (std::min)(packs(), channels / std::gcd(channels, lanes)); }
    /// Columns of a pack.
    Index width(Index pack) const noexcept { return (std::min)(lanes, columns() - pack * lanes); }

    /// to[lane] = one lag of a pack's kernels; zeros where `lags` has no such row.
    void load_lag(MatrixView<const Scalar> lags, Index lag, Index pack, Scalar* to) const noexcept {
        for (Index lane = 0; lane < lanes; ++lane) {
            to[lane] = lag < lags.rows() ? lags(lag, (pack * lanes + lane) % channels) : Scalar(0);
        }
    }
};

/// For each pack a ring of the inputs of the last `history` steps, and before its first step a copy of its
/// last `reach` ones, so that sums over inputs see no seam.
///
/// Views have a row for each stream of a step, and any strides. Thread-safe: const, on distinct memory.
template <Real Scalar>
class StreamInputs {
    using S = Simd<Scalar>;
    using Pack = typename S::Pack;
    static constexpr Index lanes = S::lanes;

public:
    StreamInputs(const StreamColumns<Scalar>& columns, Index reach, Index history) noexcept
        : columns_(columns), reach_(reach), history_(history) {}

    /// Scalars of all packs, and from one to the next.
    Index size() const noexcept { return columns_.packs() * stride(); }
    Index stride() const noexcept { return (reach_ + history_) * lanes; }

    /// The input of step t; those after it follow, to the end of the ring, and those before it precede, at
    /// least `reach` of them.
    template <class T>
    T* at(T* memory, Index pack, Index t) const noexcept {
        return memory + pack * stride() + (reach_ + t % history_) * lanes;
    }

    /// Whether the columns of a step are neighbours in a view.
    bool has_neighbours(MatrixView<const Scalar> x) const noexcept {
        return x.has_contiguous_rows() && (columns_.streams == 1 || x.row_stride() == x.cols());
    }

    /// `count` steps of x from `first` on become those from t on.
    template <bool neighbours>
    void read(MatrixView<const Scalar> x, Index first, Index count, Index t, Scalar* memory) const noexcept {
        const Index begin = t % history_;
        for (Index pack = 0; pack < columns_.packs(); ++pack) {
            Scalar* ring = at(memory, pack, 0);
            Index step = begin;
            for (Index i = first; i < first + count; ++i) {
                Scalar* to = ring + step * lanes;
                if constexpr (neighbours) {
                    const Scalar* from = x.row(i * columns_.streams) + pack * lanes;
                    S::store(to, S::load_row(from, columns_.width(pack)));
                } else {
                    for_lanes(x, i, pack, [&](const Scalar& value, Index lane) { to[lane] = value; });
                }
                copy_seam(to, step);
                if (++step == history_) step = 0;
            }
        }
    }

    /// Step i of y = value.
    template <bool neighbours>
    TOEPLITZ_INLINE void write(MatrixView<Scalar> y, Index i, Index pack, Pack value) const noexcept {
        if constexpr (neighbours) {
            S::store_row(y.row(i * columns_.streams) + pack * lanes, value, columns_.width(pack));
        } else {
            alignas(buffer_alignment) Scalar values[std::size_t{lanes}];
            S::store(values, value);
            for_lanes(y, i, pack, [&](Scalar& to, Index lane) { to = values[lane]; });
        }
    }

    /// Bytes of a step: its columns, without what fills the last pack.
    std::size_t step_bytes() const noexcept {
        return static_cast<std::size_t>(columns_.columns()) * sizeof(Scalar);
    }
    void save_step(const Scalar* memory, Index t, std::byte* to) const noexcept {
        for (Index pack = 0; pack < columns_.packs(); ++pack) {
            std::memcpy(to, at(memory, pack, t), pack_bytes(pack));
            to += pack_bytes(pack);
        }
    }
    void load_step(const std::byte* from, Index t, Scalar* memory) const noexcept {
        for (Index pack = 0; pack < columns_.packs(); ++pack) {
            Scalar* to = at(memory, pack, t);
            std::memcpy(to, from, pack_bytes(pack));
            from += pack_bytes(pack);
            copy_seam(to, t % history_);
        }
    }

private:
    std::size_t pack_bytes(Index pack) const noexcept {
        return static_cast<std::size_t>(columns_.width(pack)) * sizeof(Scalar);
    }

    // A step's copy before the ring, where it has one.
    TOEPLITZ_INLINE void copy_seam(Scalar* at, Index step) const noexcept {
        if (step >= history_ - reach_) S::store(at - history_ * lanes, S::load(at));
    }

    // Calls f(element, lane) for a pack of step i of a view.
    template <class T, class F>
    TOEPLITZ_INLINE void for_lanes(MatrixView<T> x, Index i, Index pack, F&& f) const noexcept {
        Index stream = pack * lanes / columns_.channels;
        Index channel = pack * lanes % columns_.channels;
        for (Index lane = 0; lane < columns_.width(pack); ++lane) {
            f(x(i * columns_.streams + stream, channel), lane);
            if (++channel < columns_.channels) continue;
            channel = 0;
            ++stream;
        }
    }

    StreamColumns<Scalar> columns_;
    Index reach_;
    Index history_;
};

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
