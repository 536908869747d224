// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What the tests of all mixers ask of each: the dense product, nothing of padding, nothing of the future.

#include <support/layer_oracle.hpp>
#include <support/tolerance.hpp>

namespace toeplitz::test {

/// Any mixer with its parameters.
class AnyMixer {
public:
    struct Result {
        Matrix<double> y;
        Matrix<double> dx;
        Vector<double> gradients;  ///< of all parameters, one after another
    };

    virtual ~AnyMixer() = default;
    virtual Index channels() const = 0;
    virtual Matrix<double> evaluated(const Matrix<double>& x, const Sequences& sequences) const = 0;
    virtual Result stepped(const Matrix<double>& x, const Sequences& sequences,
                           const Matrix<double>& g) const = 0;
};

template <class Mixer>
class MixerOf final : public AnyMixer {
public:
    MixerOf(const Mixer& mixer, const typename Mixer::Parameters& parameters)
        : mixer_(mixer), parameters_(parameters) {}

    Index channels() const override { return mixer_.channels(); }
    Matrix<double> evaluated(const Matrix<double>& x, const Sequences& sequences) const override {
        return evaluate(mixer_, parameters_, x, sequences);
    }
    Result stepped(const Matrix<double>& x, const Sequences& sequences,
                   const Matrix<double>& g) const override {
        const auto result = step(mixer_, parameters_, x, sequences, g);
        Vector<double> gradients(parameter_count(parameters_));
        Index count = 0;
        for_each_parameter(
            [&](const ParameterName&, const auto& tensor) {
                for (Index i = 0; i < tensor.size(); ++i) gradients(count++) = tensor.data()[i];
            },
            result.gradients);
        return {result.y, result.dx, gradients};
    }

private:
    const Mixer& mixer_;
    const typename Mixer::Parameters& parameters_;
};

/// y of forward and at inference are the oracle's product, with and without lengths, and padding has no
/// influence and receives zeros, forward and backward.
/// \param kernel of the oracle
void expect_product(const AnyMixer& mixer, Index length, const Oracle& oracle, const Matrix<double>& kernel);

/// The matrix T of one channel: column j is the response to an impulse at time j.
Matrix<double> matrix_of(const AnyMixer& mixer, Index length, Index channel);

/// What a transform of products with T may leave where it should be zero, or differ by, entry by entry.
long double entry_error(const Matrix<double>& t);

/// No output depends on later inputs.
void expect_causal(const AnyMixer& mixer, Index length);

/// T of a length is the leading block of T of a longer one.
void expect_nested(const AnyMixer& mixer, Index length, Index longer);

template <class Mixer>
void expect_product(const Mixer& mixer, const typename Mixer::Parameters& parameters, Index length,
                    const Oracle& oracle, const Matrix<double>& kernel) {
    expect_product(MixerOf<Mixer>(mixer, parameters), length, oracle, kernel);
}
template <class Mixer>
Matrix<double> matrix_of(const Mixer& mixer, const typename Mixer::Parameters& parameters, Index length,
                         Index channel) {
    return matrix_of(MixerOf<Mixer>(mixer, parameters), length, channel);
}
template <class Mixer>
void expect_causal(const Mixer& mixer, const typename Mixer::Parameters& parameters, Index length) {
    expect_causal(MixerOf<Mixer>(mixer, parameters), length);
}
template <class Mixer>
void expect_nested(const Mixer& mixer, const typename Mixer::Parameters& parameters, Index length,
                   Index longer) {
    expect_nested(MixerOf<Mixer>(mixer, parameters), length, longer);
}

}  // namespace toeplitz::test
