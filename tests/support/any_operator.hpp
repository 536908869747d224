// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Every operator behind one interface and beside its oracle, so that what all operators promise is tested
/// once. Kernels are matrices of real parameters × channels.

#include <array>
#include <memory>
#include <string>

#include <support/oracle.hpp>

#include <toeplitz/core/sequences.hpp>
#include <toeplitz/core/workspace.hpp>
#include <toeplitz/operators/operator.hpp>

namespace toeplitz::test {

enum class Kind {
    dense,
    dense_causal,
    band,
    band_causal,
    fft,
    fft_causal,
    ski,
    spectral,
    spectral_causal,
    band_plus_ski,
    ski_plus_band,
    nested_sum,   // (Ski + Band) + Fft
    state_space,  // parameters: direct, residues of fixed poles
    state_space_with_taps,
    two_sided,  // a state space, and another one of reversed time
    causal_filter,
};

inline constexpr std::array all_kinds = {
    Kind::dense,
    Kind::dense_causal,
    Kind::band,
    Kind::band_causal,
    Kind::fft,
    Kind::fft_causal,
    Kind::ski,
    Kind::spectral,
    Kind::spectral_causal,
    Kind::band_plus_ski,
    Kind::ski_plus_band,
    Kind::nested_sum,
    Kind::state_space,
    Kind::state_space_with_taps,
    Kind::two_sided,
    Kind::causal_filter,
};

inline constexpr std::array toeplitz_kinds = {
    Kind::dense,       Kind::dense_causal,
    Kind::band,        Kind::band_causal,
    Kind::fft,         Kind::fft_causal,
    Kind::spectral,    Kind::spectral_causal,
    Kind::state_space, Kind::state_space_with_taps,
    Kind::two_sided,   Kind::causal_filter,
};

inline constexpr std::array causal_kinds = {
    Kind::dense_causal, Kind::band_causal,           Kind::fft_causal,    Kind::spectral_causal,
    Kind::state_space,  Kind::state_space_with_taps, Kind::causal_filter,
};

/// What to build. Zeros stand for the defaults: about a third of n, 5 taps (4 where causal; of a
/// filter two thirds of n), and the library's own grid.
struct Spec {
    Kind kind = Kind::dense;
    Index length = 0;
    Index channels = 0;
    Index rank = 0;
    Index taps = 0;
    Index grid = 0;
};

/// For SCOPED_TRACE.
std::string text(const Spec& spec);

/// Where kernel gradients are summed up, in the operator's own type.
template <class S>
class Gradient {
public:
    virtual ~Gradient() = default;
    virtual Matrix<S> parameters() const = 0;
};

template <class S>
class AnyOperator {
public:
    virtual ~AnyOperator() = default;
    virtual std::unique_ptr<AnyOperator> clone() const = 0;

    virtual Index length() const = 0;
    virtual Index channels() const = 0;
    virtual std::size_t required_workspace(Index batch, Layout layout = Layout::row_major) const = 0;
    virtual std::size_t state_bytes() const = 0;

    /// The kernel that was set last.
    virtual const Matrix<S>& kernel() const = 0;
    virtual void set_kernel(const Matrix<S>& parameters) = 0;

    /// apply, apply_adjoint, accumulate or accumulate_adjoint.
    virtual void product(Direction direction, Update update, MatrixView<const S> x, MatrixView<S> y,
                         Workspace& ws, const Sequences& sequences = {}) const = 0;

    virtual std::unique_ptr<Gradient<S>> zero_gradient() const = 0;
    virtual void accumulate_gradient(MatrixView<const S> x, MatrixView<const S> g, Gradient<S>& gradient,
                                     Workspace& ws, const Sequences& sequences = {}) const = 0;

    virtual const Oracle& oracle() const = 0;

    // --- Shorthands ----------------------------------------------------------------------------------------

    Matrix<S> apply(MatrixView<const S> x, const Sequences& sequences = {}) const {
        return product(Direction::forward, x, sequences);
    }
    Matrix<S> adjoint(MatrixView<const S> g, const Sequences& sequences = {}) const {
        return product(Direction::adjoint, g, sequences);
    }
    Matrix<S> product(Direction direction, MatrixView<const S> x, const Sequences& sequences = {}) const {
        Matrix<S> y(x.rows(), x.cols());
        Workspace ws;
        product(direction, Update::assign, x, y, ws, sequences);
        return y;
    }
    Matrix<S> gradient(MatrixView<const S> x, MatrixView<const S> g, const Sequences& sequences = {}) const {
        const auto sum = zero_gradient();
        Workspace ws;
        accumulate_gradient(x, g, *sum, ws, sequences);
        return sum->parameters();
    }
};

/// With a kernel of standard normal parameters.
template <class S>
std::unique_ptr<AnyOperator<S>> make_operator(const Spec& spec, std::uint64_t seed = 1);

extern template std::unique_ptr<AnyOperator<float>> make_operator<float>(const Spec&, std::uint64_t);
extern template std::unique_ptr<AnyOperator<double>> make_operator<double>(const Spec&, std::uint64_t);

}  // namespace toeplitz::test
