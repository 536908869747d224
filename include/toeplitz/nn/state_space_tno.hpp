// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The state space Toeplitz neural operator: what distill() makes of a causal mixer, or one to train as it
/// is.

#include <cmath>
#include <numbers>

#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/random.hpp>
#include <toeplitz/nn/mixer.hpp>
#include <toeplitz/operators/state_space.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct StateSpaceTnoOptions {
    Index channels = 0;  ///< d ≥ 1; a layer fills it in
    Index modes = 8;     ///< s ≥ 1 of each channel, complex ones
    Index taps = 1;      ///< m of 1..64: lags that have values of their own

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("channels", sets.channels...);
        f("modes", sets.modes...);
        f("taps", sets.taps...);
    }
};

/// Names: poles, residues, direct, and bounds where it was distilled.
template <Real Scalar>
struct StateSpaceTnoParameters {
    Matrix<Scalar> poles{};     ///< s × 2d: real and imaginary part of each channel
    Matrix<Scalar> residues{};  ///< s × 2d
    Matrix<Scalar> direct{};    ///< m × d
    /// ‖T − T̂‖₂ of each channel was proven to be no more than this, where it was distilled. Training does not
    /// change them, and they no longer hold after it.
    Vector<double> bounds{};

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        f(ParameterName("poles"), sets.poles...);
        f(ParameterName("residues"), sets.residues...);
        f(ParameterName("direct"), sets.direct...);
        detail::visit_present(f, ParameterName::buffer("bounds"), sets.bounds...);
    }
};

/// Poles, residues and direct gains that are learned as they are.
///
/// A pole outside the unit circle counts as its neighbour on it, λ/|λ|, so that no step of training makes a
/// stream grow without end; it is what it is inside and on it, bit for bit.
template <Real ScalarType>
class ModalKernel {
public:
    using Scalar = ScalarType;
    using Options = StateSpaceTnoOptions;
    using Parameters = StateSpaceTnoParameters<Scalar>;
    struct Cache {};

    /// \throws config_error 201, 202, 513
    explicit ModalKernel(const Options& options) : options_(options) {
        detail::require_positive(options.channels, name, "channels");
        detail::require_positive(options.modes, name, "modes");
        detail::ModalRecurrence<Scalar>::require_taps(options.taps, name);
        detail::checked_product(options.channels, options.modes, name);
    }

    Index channels() const noexcept { return options_.channels; }
    Index modes() const noexcept { return options_.modes; }
    Index taps() const noexcept { return options_.taps; }

    /// Modes of any frequency that decay within 1 to 1000 steps, evenly in the logarithm, such that white
    /// noise comes out as strong as it went in; no direct gains.
    Parameters make_parameters(std::uint64_t seed = 0) const {
        const CounterRandom places(seed);
        const CounterRandom sizes(seed + 2);
        std::uint64_t drawn = 0;
        Parameters parameters;
        parameters.poles.resize(modes(), 2 * channels());
        parameters.residues.resize(modes(), 2 * channels());
        parameters.direct = Matrix<Scalar>::Zero(taps(), channels());
        const MatrixView<std::complex<Scalar>> poles = detail::complex_view(parameters.poles, channels());
        const MatrixView<std::complex<Scalar>> residues =
            detail::complex_view(parameters.residues, channels());
        for (Index i = 0; i < modes(); ++i) {
            for (Index c = 0; c < channels(); ++c, drawn += 2) {
                const double decay = std::exp(-std::pow(10.0, -places.uniform(drawn, 0, 3)));
                const double angle = places.uniform(drawn + 1, 0, std::numbers::pi);
                const double size = std::sqrt((1 - decay * decay) / static_cast<double>(modes()));
                const double re = size * sizes.normal(drawn);
                const double im = size * sizes.normal(drawn + 1);
                poles(i, c) = {static_cast<Scalar>(decay * std::cos(angle)),
                               static_cast<Scalar>(decay * std::sin(angle))};
                residues(i, c) = {static_cast<Scalar>(re), static_cast<Scalar>(im)};
            }
        }
        return parameters;
    }

    /// Bytes that evaluate and backward take from their workspaces.
    static std::size_t required_workspace(Index /*length*/) noexcept { return 0; }
    static std::size_t backward_workspace(Index /*length*/) noexcept { return 0; }

    /// \throws shape_error 405 (parameters)
    /// Cost O(s d) | heap: none | thread-safe: yes
    void evaluate(const Parameters& parameters, Index /*length*/, const StateSpaceKernel<Scalar>& values,
                  Workspace& /*ws*/, Cache* /*cache*/ = nullptr) const {
        require_shapes(parameters, "parameters");
        const auto poles = detail::complex_view(parameters.poles, channels());
        const auto residues = detail::complex_view(parameters.residues, channels());
        for (Index i = 0; i < modes(); ++i) {
            for (Index c = 0; c < channels(); ++c) {
                const std::complex<Scalar> pole = poles(i, c);
                values.poles(i, c) = is_outside(pole) ? pole * shrinkage(pole) : pole;
                values.residues(i, c) = residues(i, c);
            }
        }
        values.direct.eigen() = parameters.direct;
    }

    /// \throws shape_error 405 (gradients)
    void backward(const Parameters& parameters, const Cache& /*cache*/,
                  const StateSpaceKernel<Scalar>& dvalues, Parameters& gradients, Workspace& /*ws*/) const {
        require_shapes(gradients, "gradients");
        const auto poles = detail::complex_view(parameters.poles, channels());
        const auto dpoles = detail::complex_view(gradients.poles, channels());
        const auto dresidues = detail::complex_view(gradients.residues, channels());
        for (Index i = 0; i < modes(); ++i) {
            for (Index c = 0; c < channels(); ++c) {
                dresidues(i, c) += dvalues.residues(i, c);
                std::complex<Scalar> dpole = dvalues.poles(i, c);
                const std::complex<Scalar> pole = poles(i, c);
                if (is_outside(pole)) {
                    // Along the circle alone, which is smaller than the one that the pole is on.
                    const std::complex<Scalar> radial = pole / std::abs(pole);
                    const Scalar along = radial.real() * dpole.real() + radial.imag() * dpole.imag();
                    dpole = (dpole - radial * along) * shrinkage(pole);
                }
                dpoles(i, c) += dpole;
            }
        }
        gradients.direct += dvalues.direct.eigen();
    }

private:
    static constexpr const char* name = "StateSpaceTno";

    /// In double, where the square of a number on the circle is not rounded beyond it.
    static bool is_outside(const std::complex<Scalar>& pole) noexcept {
        const auto re = static_cast<double>(pole.real());
        const auto im = static_cast<double>(pole.imag());
        return re * re + im * im > 1;
    }
    /// What a pole outside is multiplied with; a little more than it takes, for what rounds.
    static Scalar shrinkage(const std::complex<Scalar>& pole) noexcept {
        return (1 - 2 * std::numeric_limits<Scalar>::epsilon()) / std::abs(pole);
    }

    void require_shapes(const Parameters& set, const char* what) const {
        const auto require = [&](const Matrix<Scalar>& have, const char* tensor, Index rows, Index columns) {
            if (have.rows() == rows && have.cols() == columns) return;
            detail::raise<shape_error>(
                405, name,
                detail::text(what, " with ", tensor, " of shape ", detail::shape_text(rows, columns)),
                detail::shape_text(have.rows(), have.cols()));
        };
        require(set.poles, "poles", modes(), 2 * channels());
        require(set.residues, "residues", modes(), 2 * channels());
        require(set.direct, "direct", taps(), channels());
    }

    Options options_;
};

/// y_t = Σ_{q<m} direct_q x_{t−q} + Re Σ_i r_i u_i, then u_i ← λ_i u_i + x_{t−m+1}: causal, O(s + m) per time
/// step and channel for sequences of any length, and streams (stream/model_stream.hpp) that carry on s
/// complex numbers and m − 1 inputs.
template <Real ScalarType>
class StateSpaceTno
    : public KernelMixer<StateSpaceTno<ScalarType>, ModalKernel<ScalarType>, StateSpace<ScalarType>> {
    using Base = KernelMixer<StateSpaceTno, ModalKernel<ScalarType>, StateSpace<ScalarType>>;

public:
    using Scalar = ScalarType;
    using Options = StateSpaceTnoOptions;
    using Operator = typename Base::Operator;
    static constexpr const char* name = "StateSpaceTno";
    static constexpr const char* architecture = "causal_state_space_tno";

    /// \throws config_error 201, 202, 513
    explicit StateSpaceTno(const Options& options) : Base(ModalKernel<Scalar>(options)) {}

    static constexpr Causality causality() noexcept { return Causality::causal; }
    Index modes() const noexcept { return this->kernel().modes(); }
    Index taps() const noexcept { return this->kernel().taps(); }

    Operator make_operator(Index length) const {
        return Operator({.length = length,
                         .channels = this->channels(),
                         .modes = modes(),
                         .taps = this->kernel().taps()});
    }
    static Index where(const Operator& op) noexcept { return op.length(); }
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
