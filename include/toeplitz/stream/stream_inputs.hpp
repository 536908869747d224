// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The inputs that a stream still needs, and how they come from views and go to bytes.

#include <cstring>
#include <numeric>
#include <vector>

#include <toeplitz/core/view.hpp>
#include <toeplitz/fft/tree.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// Columns of a stream, which are the channels of its streams one after another, in packs of one register.
///
/// A column in each lane; columns that do not fill a pack share one with time: lane m·width + c of a pack is
/// step m of column c, of as many steps as fill it, the phases. So a column's steps are `width` scalars apart
/// in memory, whatever the width. Kernels of packs repeat where channels do.
template <Real Scalar>
struct StreamColumns {
    static constexpr Index lanes = Simd<Scalar>::lanes;

    Index channels;
    Index streams;
    Index first;  ///< of all columns
    Index count;
    Index width;  ///< a power of two, ≤ lanes

    /// All columns: those that fill packs, and the others by powers of two.
    static std::vector<StreamColumns> groups(Index channels, Index streams) {
        std::vector<StreamColumns> groups;
        for (Index first = 0, rest = channels * streams; rest > 0;) {
            const Index width = (std::min)(lanes, shared_width(rest));
            const Index tail = rest % lanes;
            const Index whole = shared_width(tail) == lanes ? rest : rest - tail;
            const Index count = width == lanes ? whole : (std::min)(rest, width);
            groups.push_back({channels, streams, first, count, width});
            first += count;
            rest -= count;
        }
        return groups;
    }

    Index phases() const noexcept { return lanes >> log2_width(); }
    /// Calls f with the phases as a template argument.
    template <class F>
    void with_phases(F&& f) const noexcept {
        with_phases<1>(f);
    }

    Index packs() const noexcept { return (count + width - 1) >> log2_width(); }
    /// Where the phases are known: columns that share a pack with time are one pack.
    template <Index phases>
    Index packs() const noexcept {
        return phases == 1 ? packs() : 1;
    }
    /// Packs of different kernels, and which of them a pack has.
    Index kernel_packs() const noexcept { return (std::min)(packs(), channels / std::gcd(channels, width)); }
    static Index kernel_of(Index pack, Index kernel_packs) noexcept {
        return pack < kernel_packs ? pack : pack % kernel_packs;
    }
    /// Columns that there are of a pack's.
    Index used(Index pack) const noexcept { return (std::min)(width, count - pack * width); }

    /// The lag of lane m·width + c of a pack is lag + m·step of column c's kernel; 0 where `lags` has no such
    /// row.
    void load_lags(MatrixView<const Scalar> lags, Index lag, Index step, Index pack,
                   Scalar* to) const noexcept {
        for (Index lane = 0; lane < lanes; ++lane) {
            const Index t = lag + lane / width * step;
            const Index column = first + pack * width + lane % width;
            to[lane] = t >= 0 && t < lags.rows() ? lags(t, column % channels) : Scalar(0);
        }
    }

private:
    // Few steps of few channels take no longer than a division.
    int log2_width() const noexcept { return std::countr_zero(static_cast<std::uint64_t>(width)); }

    template <Index phases, class F>
    void with_phases(F& f) const noexcept {
        if constexpr (phases == lanes) {
            f.template operator()<phases>();
        } else {
            width == lanes / phases ? f.template operator()<phases>() : with_phases<2 * phases>(f);
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
    Index stride() const noexcept { return (reach_ + history_) * columns_.width; }

    /// Where step t is in the rings.
    Index place(Index t) const noexcept { return t % history_; }

    /// The input at a place; those after it follow, to the end of the ring, and those before it precede, at
    /// least `reach` of them.
    template <class T>
    T* at(T* memory, Index pack, Index place) const noexcept {
        return memory + pack * stride() + (reach_ + place) * columns_.width;
    }

    /// Whether the columns of a step are neighbours in a view.
    bool has_neighbours(const MatrixView<const Scalar>& x) const noexcept {
        return x.has_contiguous_rows() && (columns_.streams == 1 || x.row_stride() == x.cols());
    }

    /// `count` ≤ history steps of x from `first` on become those from a place on.
    template <Index phases, bool neighbours>
    void read(const MatrixView<const Scalar>& x, Index first, Index count, Index place,
              Scalar* memory) const noexcept {
        const Index before_end = (std::min)(count, history_ - place);
        for (Index pack = 0; pack < columns_.template packs<phases>(); ++pack) {
            Scalar* ring = at(memory, pack, 0);
            fill<phases, neighbours>(x, first, before_end, pack, place, ring);
            if (before_end == count) continue;
            fill<phases, neighbours>(x, first + before_end, count - before_end, pack, 0, ring);
        }
    }

    /// Step i of y, and for all phases those after it, are the blocks of a pack.
    template <Index phases, bool neighbours, Index steps>
    TOEPLITZ_INLINE void write(const MatrixView<Scalar>& y, Index i, Index pack, Pack value) const noexcept {
        constexpr Index width = lanes / phases;
        const Index used = columns_.used(pack);
        if (neighbours && is_dense<width>(y, steps, used)) {
            std::memcpy(row(y, i, pack), &value, static_cast<std::size_t>(steps * width) * sizeof(Scalar));
        } else {
            write_apart<width, neighbours>(y, i, steps, pack, value);
        }
    }

    /// Bytes of a step of all columns of the stream, without what fills packs.
    std::size_t step_bytes() const noexcept {
        return static_cast<std::size_t>(columns_.channels * columns_.streams) * sizeof(Scalar);
    }
    /// A step's own columns to and from where they are among all columns.
    void save_step(const Scalar* memory, Index t, std::byte* step) const noexcept {
        for (Index pack = 0; pack < columns_.packs(); ++pack) {
            std::memcpy(step + first_byte(pack), at(memory, pack, place(t)), used_bytes(pack));
        }
    }
    void load_step(const std::byte* step, Index t, Scalar* memory) const noexcept {
        for (Index pack = 0; pack < columns_.packs(); ++pack) {
            std::memcpy(at(memory, pack, place(t)), step + first_byte(pack), used_bytes(pack));
            copy_seam(at(memory, pack, 0), place(t), 1);
        }
    }

private:
    std::size_t first_byte(Index pack) const noexcept {
        return static_cast<std::size_t>(columns_.first + pack * columns_.width) * sizeof(Scalar);
    }
    std::size_t used_bytes(Index pack) const noexcept {
        return static_cast<std::size_t>(columns_.used(pack)) * sizeof(Scalar);
    }

    // A pack's columns of step i of a view whose columns are neighbours.
    template <class T>
    T* row(const MatrixView<T>& x, Index i, Index pack) const noexcept {
        return x.row(i * columns_.streams) + columns_.first + pack * columns_.width;
    }
    // Whether some steps of a pack follow each other there as they do in memory.
    template <Index width, class T>
    bool is_dense(const MatrixView<T>& x, Index steps, Index used) const noexcept {
        return used == width && (steps == 1 || x.row_stride() * columns_.streams == width);
    }
    template <Index width>
    TOEPLITZ_INLINE static void copy(const Scalar* from, Scalar* to, Index used) noexcept {
        if (used == width) {
            std::memcpy(to, from, static_cast<std::size_t>(width) * sizeof(Scalar));
        } else {
            std::copy_n(from, used, to);
        }
    }

    // `count` steps of x from `first` on to places of a pack's ring from `begin` on.
    template <Index phases, bool neighbours>
    void fill(const MatrixView<const Scalar>& x, Index first, Index count, Index pack, Index begin,
              Scalar* ring) const noexcept {
        constexpr Index width = lanes / phases;
        const Index used = columns_.used(pack);
        Scalar* to = ring + begin * width;
        if (neighbours && count > 1 && is_dense<width>(x, count, used)) {
            std::copy_n(row(x, first, pack), count * width, to);
        } else {
            for (Index i = first; i < first + count; ++i, to += width) {
                if constexpr (neighbours) {
                    copy<width>(row(x, i, pack), to, used);
                } else {
                    for_columns(x, i, pack, [&](const Scalar& value, Index column) { to[column] = value; });
                }
            }
        }
        copy_seam(ring, begin, count);
    }

    template <Index width, bool neighbours>
    [[gnu::noinline]] void write_apart(const MatrixView<Scalar>& y, Index i, Index steps, Index pack,
                                       Pack value) const noexcept {
        alignas(buffer_alignment) Scalar values[std::size_t{lanes}];
        S::store(values, value);
        for (Index m = 0; m < steps; ++m) {
            if constexpr (neighbours) {
                copy<width>(values + m * width, row(y, i + m, pack), columns_.used(pack));
            } else {
                for_columns(y, i + m, pack,
                            [&](Scalar& to, Index column) { to = values[m * width + column]; });
            }
        }
    }

    // The copies before the ring of those of `count` places from `begin` on that have one.
    TOEPLITZ_INLINE void copy_seam(Scalar* ring, Index begin, Index count) const noexcept {
        const Index from = (std::max)(begin, history_ - reach_);
        if (from >= begin + count) return;
        std::copy_n(ring + from * columns_.width, (begin + count - from) * columns_.width,
                    ring + (from - history_) * columns_.width);
    }

    // Calls f(element, column) for a pack of step i of a view.
    template <class T, class F>
    TOEPLITZ_INLINE void for_columns(const MatrixView<T>& x, Index i, Index pack, F&& f) const noexcept {
        Index stream = (columns_.first + pack * columns_.width) / columns_.channels;
        Index channel = (columns_.first + pack * columns_.width) % columns_.channels;
        for (Index column = 0; column < columns_.used(pack); ++column) {
            f(x(i * columns_.streams + stream, channel), column);
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
