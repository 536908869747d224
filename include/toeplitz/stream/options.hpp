// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a stream is told when it is planned.

#include <toeplitz/core/finite.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct StreamOptions {
    Index streams = 1;  ///< S ≥ 1: sequences that one state carries on side by side
    Index max_block =
        512;  ///< ≥ 1: most steps of one call to the stream of a model; a kernel's takes any number
    /// B ≥ 1: calls take multiples of B steps. Larger ones are cheaper, if powers of two divide them: a long
    /// kernel's last lags are then products of blocks, too, where single steps need them by definition.
    Index block = 1;
    /// ε ≥ 0: lags after the last one that matters are dropped where Σ|h_t| of them is at most ε in every
    /// channel, so that outputs change by at most ε max|x|. 0 drops zeros alone.
    double tail_tolerance = 0;

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("streams", sets.streams...);
        f("max_block", sets.max_block...);
        f("block", sets.block...);
        f("tail_tolerance", sets.tail_tolerance...);
    }
};

namespace detail {

/// \throws config_error 201, 1001
inline void require_stream_options(const StreamOptions& options, const char* where) {
    require_positive(options.streams, where, "streams");
    require_positive(options.max_block, where, "max_block");
    require_positive(options.block, where, "block");
    if (!is_finite(options.tail_tolerance) || options.tail_tolerance < 0) {
        raise<config_error>(1001, where, "tail_tolerance >= 0", text(options.tail_tolerance));
    }
}

/// The end of a message on how many steps a call takes.
inline std::string multiples_text(Index block) {
    return block > 1 ? text(", in multiples of ", block) : std::string();
}

}  // namespace detail
}  // namespace toeplitz::inline TOEPLITZ_ABI
