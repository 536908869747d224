// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Which lane has which number of a state space in modal form: channels side by side, or modes of a few ones.

#include <algorithm>
#include <bit>

#include <toeplitz/core/types.hpp>

namespace toeplitz::inline TOEPLITZ_ABI::detail {

/// Of d channels with s modes and m taps, in packs of `lanes` channels; fewer channels share one with modes.
///
/// A pack has vectors of modes, one for each where channels fill it. Otherwise channels take `width` lanes,
/// the least power of two that holds them, and a vector has as many modes as there is room for: lane
/// p·width + c is mode k·phases + p of channel c, for vector k. The last vector is filled up with the last
/// mode, so that all its lanes compute what a channel's own do. Rows of inputs are `width` scalars.
///
/// A pack's state is Re u and Im u of each vector, and the last m − 1 inputs, filled up to packs.
template <Index lanes>
class ModalLayout {
public:
    ModalLayout() = default;
    ModalLayout(Index channels, Index modes, Index taps) noexcept
        : channels_(channels),
          modes_(modes),
          taps_(taps),
          width_(channels < lanes ? static_cast<Index>(std::bit_ceil(static_cast<std::size_t>(channels)))
                                  : lanes),
          vectors_(vectors_of(modes)),
          pack_state_(2 * vectors_ * lanes + whole_packs((taps - 1) * width_)) {}

    Index channels() const noexcept { return channels_; }
    Index modes() const noexcept { return modes_; }
    Index taps() const noexcept { return taps_; }
    Index packs() const noexcept { return (channels_ + lanes - 1) / lanes; }
    /// Of modes, in each pack.
    Index vectors() const noexcept { return vectors_; }
    /// Scalars of one pack's state.
    Index pack_state() const noexcept { return pack_state_; }

    /// Numbers of one channel's state: Re u and Im u of each mode, and the last inputs, the oldest first.
    Index channel_state() const noexcept { return 2 * modes_ + taps_ - 1; }
    /// Where one of them is in the states of all packs.
    Index state_place(Index number, Index c) const noexcept {
        const Index modes = c / lanes * pack_state_;
        const Index inputs = modes + 2 * vectors_ * lanes;
        if (number >= 2 * modes_) return inputs + (number - 2 * modes_) * width_ + c % width_;
        return modes + (vector_of(number / 2) * 2 + number % 2) * lanes + lane(number / 2, c);
    }
    /// Sets what is no channel's own in the states of all packs, after numbers of channels were.
    template <class Scalar>
    void fill_up(Scalar* state) const noexcept {
        const Index used = modes_ % phases();
        if (used == 0) return;
        for (Scalar* vector = state + 2 * (vectors_ - 1) * lanes; vector < state + 2 * vectors_ * lanes;
             vector += lanes) {
            for (Index at = used * width_; at < lanes; ++at) vector[at] = vector[at - width_];
        }
    }

protected:
    /// Modes of one channel that share a vector.
    Index phases() const noexcept { return lanes / width_; }
    Index vectors_of(Index modes) const noexcept { return (modes + phases() - 1) / phases(); }
    /// Channels of a pack: all lanes, but for the last one.
    Index used_lanes(Index pack) const noexcept { return (std::min)(lanes, channels_ - pack * lanes); }
    static constexpr Index whole_packs(Index scalars) noexcept {
        return (scalars + lanes - 1) / lanes * lanes;
    }

    Index vector_of(Index mode) const noexcept { return mode / phases(); }
    Index lane(Index mode, Index c) const noexcept { return mode % phases() * width_ + c % width_; }

    /// Calls f<width>() for the width.
    template <Index width = lanes, class F>
    TOEPLITZ_INLINE void with_width(const F& f) const noexcept {
        if constexpr (width == 1) {
            f.template operator()<width>();
        } else {
            width_ == width ? f.template operator()<width>() : with_width<width / 2>(f);
        }
    }

    Index channels_ = 0;
    Index modes_ = 0;
    Index taps_ = 1;
    Index width_ = lanes;
    Index vectors_ = 0;
    Index pack_state_ = 0;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI::detail
