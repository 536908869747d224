// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Instantiates all operators for one scalar; included by model_float.cpp and model_double.cpp alone.

#include <support/any_operator.hpp>
#include <support/random.hpp>
#include <support/state_space.hpp>

#include <toeplitz/toeplitz.hpp>

namespace toeplitz::test {

// --- Parameters to kernels and back ------------------------------------------------------------------------

template <class S>
Index parameter_rows(const Matrix<S>& kernel) {
    return kernel.rows();
}
template <class S>
Index parameter_rows(const Matrix<std::complex<S>>& kernel) {
    return 2 * kernel.rows();
}
/// A state space as a linear function: of its kernel the poles stay as they are.
template <class S>
Index parameter_rows(const OwnedStateSpace<S>& kernel) {
    return kernel.direct.rows() + parameter_rows(kernel.residues);
}
template <class A, class B>
Index parameter_rows(const std::pair<A, B>& kernel) {
    return parameter_rows(kernel.first) + parameter_rows(kernel.second);
}

template <class S>
void read_parameters(const Matrix<S>& parameters, Index first, Matrix<S>& kernel) {
    kernel = parameters.middleRows(first, kernel.rows());
}
template <class S>
void read_parameters(const Matrix<S>& parameters, Index first, Matrix<std::complex<S>>& kernel) {
    kernel.real() = parameters.middleRows(first, kernel.rows());
    kernel.imag() = parameters.middleRows(first + kernel.rows(), kernel.rows());
}
template <class S>
void read_parameters(const Matrix<S>& parameters, Index first, OwnedStateSpace<S>& kernel) {
    read_parameters(parameters, first, kernel.direct);
    read_parameters(parameters, first + kernel.direct.rows(), kernel.residues);
}
template <class S, class A, class B>
void read_parameters(const Matrix<S>& parameters, Index first, std::pair<A, B>& kernel) {
    read_parameters(parameters, first, kernel.first);
    read_parameters(parameters, first + parameter_rows(kernel.first), kernel.second);
}

template <class S>
void write_parameters(const Matrix<S>& kernel, Index first, Matrix<S>& parameters) {
    parameters.middleRows(first, kernel.rows()) = kernel;
}
template <class S>
void write_parameters(const Matrix<std::complex<S>>& kernel, Index first, Matrix<S>& parameters) {
    parameters.middleRows(first, kernel.rows()) = kernel.real();
    parameters.middleRows(first + kernel.rows(), kernel.rows()) = kernel.imag();
}
template <class S>
void write_parameters(const OwnedStateSpace<S>& kernel, Index first, Matrix<S>& parameters) {
    write_parameters(kernel.direct, first, parameters);
    write_parameters(kernel.residues, first + kernel.direct.rows(), parameters);
}
template <class S, class A, class B>
void write_parameters(const std::pair<A, B>& kernel, Index first, Matrix<S>& parameters) {
    write_parameters(kernel.first, first, parameters);
    write_parameters(kernel.second, first + parameter_rows(kernel.first), parameters);
}

/// Kernel values that own their memory, for views of them.
template <class Values>
struct OwnedValues;
template <class T>
struct OwnedValues<MatrixView<T>> {
    using type = Matrix<T>;
};
template <class T>
struct OwnedValues<StateSpaceKernel<T>> {
    using type = OwnedStateSpace<T>;
};
template <class A, class B>
struct OwnedValues<std::pair<A, B>> {
    using type = std::pair<typename OwnedValues<A>::type, typename OwnedValues<B>::type>;
};
template <class Op>
using Owned = typename OwnedValues<typename Op::KernelValues>::type;

template <class T>
MatrixView<T> views(Matrix<T>& owned) {
    return owned;
}
template <class T>
StateSpaceKernel<T> views(OwnedStateSpace<T>& owned) {
    return owned.views();
}
template <class A, class B>
auto views(std::pair<A, B>& owned) {
    return std::pair(views(owned.first), views(owned.second));
}

// --- One operator with its oracle --------------------------------------------------------------------------

template <class Op>
struct Built {
    Op op;
    Owned<Op> zero;
    Oracle oracle;
};

template <class A, class B>
Built<Sum<A, B>> operator+(Built<A> a, const Built<B>& b) {
    a.oracle.add(b.oracle);
    return {a.op + b.op, {a.zero, b.zero}, a.oracle};
}

template <class S, class Op>
class AnyOperatorOf final : public AnyOperator<S> {
public:
    explicit AnyOperatorOf(Built<Op> built) : built_(std::move(built)) {}

    std::unique_ptr<AnyOperator<S>> clone() const override { return std::make_unique<AnyOperatorOf>(*this); }
    Index length() const override { return built_.op.length(); }
    Index channels() const override { return built_.op.channels(); }
    std::size_t required_workspace(Index batch, Layout layout) const override {
        return built_.op.required_workspace(batch, layout);
    }
    std::size_t state_bytes() const override { return built_.op.state_bytes(); }
    const Matrix<S>& kernel() const override { return parameters_; }
    void set_kernel(const Matrix<S>& parameters) override {
        auto kernel = built_.zero;
        read_parameters(parameters, 0, kernel);
        built_.op.set_kernel(views(kernel));
        parameters_ = parameters;
    }
    void product(Direction direction, Update update, MatrixView<const S> x, MatrixView<S> y, Workspace& ws,
                 const Sequences& sequences) const override {
        const bool forward = direction == Direction::forward;
        if (update == Update::add) {
            forward ? built_.op.accumulate(x, y, ws, sequences)
                    : built_.op.accumulate_adjoint(x, y, ws, sequences);
        } else {
            forward ? built_.op.apply(x, y, ws, sequences) : built_.op.apply_adjoint(x, y, ws, sequences);
        }
    }
    std::unique_ptr<Gradient<S>> zero_gradient() const override {
        auto gradient = std::make_unique<Sums>();
        gradient->kernel = built_.zero;
        return gradient;
    }
    void accumulate_gradient(MatrixView<const S> x, MatrixView<const S> g, Gradient<S>& gradient,
                             Workspace& ws, const Sequences& sequences) const override {
        built_.op.accumulate_kernel_gradient(x, g, views(static_cast<Sums&>(gradient).kernel), ws, sequences);
    }
    const Oracle& oracle() const override { return built_.oracle; }

private:
    struct Sums final : Gradient<S> {
        Matrix<S> parameters() const override {
            Matrix<S> all;
            const Index rows = parameter_rows(kernel);
            if constexpr (requires { kernel.cols(); }) {
                all.resize(rows, kernel.cols());
            } else {
                all.resize(rows, kernel.second.cols());
            }
            write_parameters(kernel, 0, all);
            return all;
        }
        Owned<Op> kernel;
    };

    Built<Op> built_;
    Matrix<S> parameters_;
};

// --- All kinds ---------------------------------------------------------------------------------------------

inline Index lowest_lag(Index length, Causality causality) {
    return causality == Causality::causal ? 0 : 1 - length;
}

template <class S, Causality causality>
Built<Dense<S, causality>> build_dense(const Spec& spec) {
    const Index lags = lag_count(spec.length, causality);
    const Matrix<S> zero = Matrix<S>::Zero(lags, spec.channels);
    Oracle oracle(spec.length);
    oracle.add(lag_part(spec.length, lowest_lag(spec.length, causality), lags));
    return {Dense<S, causality>({.length = spec.length, .channels = spec.channels}, zero), zero, oracle};
}

template <class S, Causality causality>
Built<Fft<S, causality>> build_fft(const Spec& spec) {
    const Index lags = lag_count(spec.length, causality);
    Oracle oracle(spec.length);
    oracle.add(lag_part(spec.length, lowest_lag(spec.length, causality), lags));
    return {Fft<S, causality>({.length = spec.length, .channels = spec.channels}),
            Matrix<S>::Zero(lags, spec.channels), oracle};
}

template <class S, Causality causality>
Built<Band<S, causality>> build_band(const Spec& spec) {
    const bool causal = causality == Causality::causal;
    const Index taps = spec.taps > 0 ? spec.taps : causal ? 4 : 5;
    const Matrix<S> zero = Matrix<S>::Zero(taps, spec.channels);
    Oracle oracle(spec.length);
    oracle.add(lag_part(spec.length, causal ? 0 : -(taps - 1) / 2, taps));
    return {Band<S, causality>({.length = spec.length, .channels = spec.channels, .taps = taps}, zero), zero,
            oracle};
}

template <class S>
Built<CausalFilter<S>> build_causal_filter(const Spec& spec) {
    const Index taps = spec.taps > 0 ? spec.taps : (2 * spec.length + 2) / 3;
    Oracle oracle(spec.length);
    oracle.add(lag_part(spec.length, 0, taps));
    return {CausalFilter<S>({.length = spec.length, .channels = spec.channels, .taps = taps}),
            Matrix<S>::Zero(taps, spec.channels), oracle};
}

template <class S>
Built<Ski<S>> build_ski(const Spec& spec) {
    const Index rank = spec.rank > 0 ? spec.rank : (spec.length + 2) / 3;
    Oracle oracle(spec.length);
    oracle.add(interpolation_part(spec.length, rank));
    return {Ski<S>({.length = spec.length, .channels = spec.channels, .rank = rank}),
            Matrix<S>::Zero(2 * effective_rank(spec.length, rank) - 1, spec.channels), oracle};
}

template <class S, Causality causality>
Built<Spectral<S, causality>> build_spectral(const Spec& spec) {
    using Op = Spectral<S, causality>;
    Op op({.length = spec.length, .channels = spec.channels, .grid = spec.grid});
    Oracle oracle(spec.length);
    oracle.add(causality == Causality::causal ? causal_spectrum_part(spec.length, op.grid())
                                              : bidirectional_spectrum_part(spec.length, op.grid()));
    const Owned<Op> zero = Owned<Op>::Zero(op.frequencies(), spec.channels);
    return {std::move(op), zero, oracle};
}

template <class S, class Op>
std::unique_ptr<AnyOperator<S>> with_random_kernel(Built<Op> built, std::uint64_t seed) {
    auto model = std::make_unique<AnyOperatorOf<S, Op>>(std::move(built));
    model->set_kernel(random_matrix<S>(model->oracle().parameters(), model->channels(), seed));
    return model;
}

template <class S, Direction time = Direction::forward>
Built<StateSpace<S, time>> build_state_space(const Spec& spec, Index taps) {
    // Real ones, an oscillation, an alternation, and enough of them that blocks of modes have rests.
    const std::vector<std::complex<long double>> poles = {
        {0.75L, 0}, {0.5L, 0.625L}, {-0.75L, 0.25L}, {0, 0.5L}, {0, 0}, {-0.5L, 0}, {0.25L, -0.75L}};
    const auto modes = static_cast<Index>(poles.size());
    Matrix<std::complex<S>> all(modes, spec.channels);
    for (Index i = 0; i < modes; ++i) {
        all.row(i).setConstant(std::complex<S>(poles[static_cast<std::size_t>(i)]));
    }
    Oracle oracle(spec.length);
    oracle.add(state_space_part(spec.length, poles, taps, time));
    return {
        StateSpace<S, time>({.length = spec.length, .channels = spec.channels, .modes = modes, .taps = taps}),
        {all, Matrix<std::complex<S>>::Zero(modes, spec.channels), Matrix<S>::Zero(taps, spec.channels)},
        oracle};
}

template <class S>
std::unique_ptr<AnyOperator<S>> make_operator(const Spec& spec, std::uint64_t seed) {
    constexpr auto both = Causality::bidirectional;
    constexpr auto causal = Causality::causal;
    switch (spec.kind) {
        case Kind::dense:
            return with_random_kernel<S>(build_dense<S, both>(spec), seed);
        case Kind::dense_causal:
            return with_random_kernel<S>(build_dense<S, causal>(spec), seed);
        case Kind::band:
            return with_random_kernel<S>(build_band<S, both>(spec), seed);
        case Kind::band_causal:
            return with_random_kernel<S>(build_band<S, causal>(spec), seed);
        case Kind::fft:
            return with_random_kernel<S>(build_fft<S, both>(spec), seed);
        case Kind::fft_causal:
            return with_random_kernel<S>(build_fft<S, causal>(spec), seed);
        case Kind::ski:
            return with_random_kernel<S>(build_ski<S>(spec), seed);
        case Kind::spectral:
            return with_random_kernel<S>(build_spectral<S, both>(spec), seed);
        case Kind::spectral_causal:
            return with_random_kernel<S>(build_spectral<S, causal>(spec), seed);
        case Kind::band_plus_ski:
            return with_random_kernel<S>(build_band<S, both>(spec) + build_ski<S>(spec), seed);
        case Kind::ski_plus_band:
            return with_random_kernel<S>(build_ski<S>(spec) + build_band<S, causal>(spec), seed);
        case Kind::nested_sum:
            return with_random_kernel<S>(
                (build_ski<S>(spec) + build_band<S, both>(spec)) + build_fft<S, causal>(spec), seed);
        case Kind::state_space:
            return with_random_kernel<S>(build_state_space<S>(spec, 1), seed);
        case Kind::state_space_with_taps:
            return with_random_kernel<S>(build_state_space<S>(spec, 6), seed);
        case Kind::two_sided:
            return with_random_kernel<S>(
                build_state_space<S>(spec, 3) + build_state_space<S, Direction::adjoint>(spec, 2), seed);
        case Kind::causal_filter:
            return with_random_kernel<S>(build_causal_filter<S>(spec), seed);
    }
    return nullptr;
}

}  // namespace toeplitz::test
