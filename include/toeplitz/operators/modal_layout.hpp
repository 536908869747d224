// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Which lane has which number of a state space in modal form: channels side by side, or modes of a few ones.

#include <algorithm>
#include <bit>

#include <toeplitz/core/types.hpp>

namespace toeplitz::inline TOEPLITZ_ABI::detail {

/// Of d channels with s modes and m taps, in packs of `lanes` channels; fewer channels share packs with
/// modes.
///
/// A pack has vectors of modes, one for each mode where channels fill it. Fewer channels are a sum of powers
/// of two, each a pack of `width` channels with as many modes in a vector as there is room for: lane
/// p·width + c is mode k·phases + p of the pack's channel c, for vector k. The last vector is filled up with
/// the last mode, so that all its lanes compute what a channel's own do. Rows of a pack's inputs are `width`
/// scalars.
///
/// A pack's state is Re u and Im u of each vector, and the last m − 1 inputs; those of all packs are equally
/// far apart.
template <Index lanes>
class ModalLayout {
public:
    ModalLayout() = default;
    ModalLayout(Index channels, Index modes, Index taps) noexcept
        : channels_(channels), modes_(modes), taps_(taps) {
        packs_ =
            is_shared() ? std::popcount(static_cast<std::size_t>(channels)) : (channels + lanes - 1) / lanes;
        most_vectors_ = vectors_of(modes, 0);
        pack_state_ = 2 * most_vectors_ * lanes + whole_packs((taps - 1) * width(0));
    }

    Index channels() const noexcept { return channels_; }
    Index modes() const noexcept { return modes_; }
    Index taps() const noexcept { return taps_; }
    Index packs() const noexcept { return packs_; }
    /// Vectors of modes of the first pack: no other has more.
    Index most_vectors() const noexcept { return most_vectors_; }
    /// Scalars of one pack's state.
    Index pack_state() const noexcept { return pack_state_; }

    /// Numbers of one channel's state: Re u and Im u of each mode, and the last inputs, the oldest first.
    Index channel_state() const noexcept { return 2 * modes_ + taps_ - 1; }
    /// Where one of them is in the states of all packs.
    Index state_place(Index number, Index c) const noexcept {
        const Index pack = pack_of(c);
        const Index modes = pack * pack_state_;
        if (number >= 2 * modes_) {
            return modes + inputs() + (number - 2 * modes_) * width(pack) + c - first_channel(pack);
        }
        return modes + (number / 2 / phases(pack) * 2 + number % 2) * lanes + lane(number / 2, c);
    }
    /// Sets what is no channel's own in the states of all packs, after numbers of channels were.
    template <class Scalar>
    void fill_up(Scalar* state) const noexcept {
        for (Index pack = 0; pack < packs_; ++pack, state += pack_state_) {
            const Index used = modes_ % phases(pack);
            if (used == 0) continue;
            Scalar* last = state + 2 * (vectors_of(modes_, pack) - 1) * lanes;
            for (Scalar* vector : {last, last + lanes}) {
                for (Index at = used * width(pack); at < lanes; ++at) vector[at] = vector[at - width(pack)];
            }
        }
    }

protected:
    /// Whether modes share vectors.
    bool is_shared() const noexcept { return channels_ < lanes; }
    Index width(Index pack) const noexcept { return is_shared() ? bit_floor(shared_from(pack)) : lanes; }
    Index first_channel(Index pack) const noexcept {
        return is_shared() ? channels_ - shared_from(pack) : pack * lanes;
    }
    /// A pack's channels: `width`, or what is left for the last one.
    Index used_lanes(Index pack) const noexcept {
        return (std::min)(width(pack), channels_ - first_channel(pack));
    }
    Index pack_of(Index c) const noexcept {
        if (!is_shared()) return c / lanes;
        Index pack = 0;
        while (c >= first_channel(pack) + width(pack)) ++pack;
        return pack;
    }
    static constexpr Index whole_packs(Index scalars) noexcept {
        return (scalars + lanes - 1) / lanes * lanes;
    }

    /// Modes of one channel that share a vector.
    Index phases(Index pack) const noexcept { return lanes / width(pack); }
    Index vectors_of(Index modes, Index pack) const noexcept {
        return (modes + phases(pack) - 1) / phases(pack);
    }
    Index lane(Index mode, Index c) const noexcept {
        const Index pack = pack_of(c);
        return mode % phases(pack) * width(pack) + c - first_channel(pack);
    }
    /// Where inputs begin in a pack's state.
    Index inputs() const noexcept { return 2 * most_vectors_ * lanes; }

    /// Calls f<width>() for a pack's width.
    template <class F>
    TOEPLITZ_INLINE void with_width(Index pack, const F& f) const noexcept {
        is_shared() ? with_shared_width<lanes / 2>(width(pack), f) : f.template operator()<lanes>();
    }
    template <Index most, class F>
    TOEPLITZ_INLINE static void with_shared_width(Index width, const F& f) noexcept {
        if constexpr (most == 1) {
            f.template operator()<1>();
        } else {
            width == most ? f.template operator()<most>() : with_shared_width<most / 2>(width, f);
        }
    }

    Index channels_ = 0;
    Index modes_ = 0;
    Index taps_ = 1;
    Index packs_ = 0;
    Index most_vectors_ = 0;
    Index pack_state_ = 0;

private:
    // Channels of a pack and of those behind it, where they are shared.
    Index shared_from(Index pack) const noexcept {
        Index rest = channels_;
        for (; pack > 0; --pack) rest -= bit_floor(rest);
        return rest;
    }
    static Index bit_floor(Index value) noexcept {
        return static_cast<Index>(std::bit_floor(static_cast<std::size_t>(value)));
    }
};

}  // namespace toeplitz::inline TOEPLITZ_ABI::detail
