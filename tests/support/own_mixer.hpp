// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A mixer as a user would write it, of a kernel and an operator of their own.

#include <support/own_operators.hpp>
#include <support/random.hpp>

#include <toeplitz/nn/mixer.hpp>
#include <toeplitz/operators/band.hpp>
#include <toeplitz/operators/sum.hpp>

namespace toeplitz::test {

/// Learnable factors for a shift and a band of three taps.
struct EchoParameters {
    Matrix<double> echo;  // 1 × d
    Matrix<double> taps;  // 3 × d

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        f(ParameterName("echo"), sets.echo...);
        f(ParameterName("taps"), sets.taps...);
    }
};

class EchoKernel {
public:
    using Parameters = EchoParameters;
    struct Cache {};
    using Operator = Sum<Shift<double>, Band<double>>;

    explicit EchoKernel(Index channels) : channels_(channels) {}
    Index channels() const { return channels_; }
    Parameters make_parameters(std::uint64_t seed) const {
        return {random_matrix<double>(1, channels_, seed), random_matrix<double>(3, channels_, seed + 1)};
    }
    void evaluate(const Parameters& parameters, Index, const Operator::KernelValues& values, Workspace&,
                  Cache*) const {
        values.first.factors.eigen() = parameters.echo;
        values.second.eigen() = parameters.taps;
    }
    void backward(const Parameters&, const Cache&, const Operator::KernelValues& dvalues,
                  Parameters& gradients, Workspace&) const {
        gradients.echo += dvalues.first.factors.eigen();
        gradients.taps += dvalues.second.eigen();
    }

private:
    Index channels_;
};

struct EchoOptions {
    Index channels = 0;

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("channels", sets.channels...);
    }
};

class EchoMixer : public KernelMixer<EchoMixer, EchoKernel, EchoKernel::Operator> {
public:
    using Options = EchoOptions;
    static constexpr const char* name = "EchoMixer";
    static constexpr const char* architecture = "echo";

    explicit EchoMixer(const Options& options) : KernelMixer(EchoKernel(options.channels)) {}
    static constexpr Causality causality() { return Causality::bidirectional; }
    Operator make_operator(Index length) const {
        return Shift<double>(length, channels()) +
               Band<double>({.length = length, .channels = channels(), .taps = 3});
    }
    static Index where(const Operator& op) { return op.length(); }
};

}  // namespace toeplitz::test
