// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A mixer divided by what it makes of ones: y = (T x) / (T 1).

#include <vector>

#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/sequences.hpp>
#include <toeplitz/nn/mixer.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// y = (T x) / (T 1), element by element: the official option `normalize`.
///
/// T 1 must stay away from zero, which a positive kernel takes care of. The ones are further sequences of the
/// batch: one, or one per length. Parameters and options are those of the mixer.
template <TokenMixer Mixer>
class Normalized {
public:
    using Scalar = typename Mixer::Scalar;
    using Options = typename Mixer::Options;
    using Parameters = typename Mixer::Parameters;

private:
    static constexpr auto prefixed() {
        constexpr std::string_view first = "normalized_";
        constexpr std::string_view second = Mixer::architecture;
        std::array<char, first.size() + second.size() + 1> both{};
        std::copy(second.begin(), second.end(), std::copy(first.begin(), first.end(), both.begin()));
        return both;
    }
    static constexpr auto architecture_text = prefixed();

public:
    static constexpr const char* architecture = architecture_text.data();

    struct Cache {
        typename Mixer::Cache mixer;
        Matrix<Scalar> inputs;       ///< x and the ones
        Matrix<Scalar> outputs;      ///< T x and T 1
        std::vector<Index> lengths;  ///< of x and of the ones
        KeptSequences sequences;     ///< of x
        Precision precision = Precision::exact;
    };

    explicit Normalized(const Options& options) : mixer_(options) {}

    const Mixer& mixer() const noexcept { return mixer_; }
    static constexpr Causality causality() noexcept { return Mixer::causality(); }
    Index channels() const noexcept { return mixer_.channels(); }
    Parameters make_parameters(std::uint64_t seed = 0) const { return mixer_.make_parameters(seed); }

    /// Bytes that forward and backward take from their workspace for B sequences of a length.
    std::size_t required_workspace(Index batch, Index length) const requires HasRequiredWorkspace<Mixer> {
        return 2 * Workspace::bytes_for<Scalar>(2 * batch * length * channels()) +
               mixer_.required_workspace(2 * batch, length);
    }

    /// As of the mixer, whose products are twice as many where there are lengths.
    void forward(const Parameters& parameters, MatrixView<const Scalar> x, const Sequences& sequences,
                 MatrixView<Scalar> y, Cache& cache, Workspace& ws) const {
        const Sequences checked = sequences.within(x.rows(), 0, "Normalized::forward");
        checked.require_one_axis("Normalized::forward");
        detail::require_rows<Scalar>(y, x.rows(), x.cols(), 503, "Normalized::forward", "y");
        cache.sequences.forget();
        cache.lengths.assign(checked.lengths().begin(), checked.lengths().end());
        cache.lengths.insert(cache.lengths.end(), checked.lengths().begin(), checked.lengths().end());
        const Index rows = checked.batch() * checked.length();
        detail::resize_kept(cache.inputs, rows + ones(checked), x.cols());
        stack(x, checked, cache.inputs);
        cache.inputs.bottomRows(ones(checked)).setOnes();
        detail::resize_kept(cache.outputs, cache.inputs.rows(), x.cols());
        detail::set_precision(cache.mixer, cache.precision);
        mixer_.forward(parameters, cache.inputs, {checked.length(), cache.lengths}, cache.outputs,
                       cache.mixer, ws);
        divide(cache.outputs, checked, y);
        cache.sequences.keep(sequences, checked);
    }

    void backward(const Parameters& parameters, MatrixView<const Scalar> x, const Cache& cache,
                  MatrixView<const Scalar> g, MatrixView<Scalar> dx, Parameters& gradients,
                  Workspace& ws) const {
        const Sequences sequences = cache.sequences.get();
        const Index rows = sequences.batch() * sequences.length();
        if (cache.sequences.empty() || cache.outputs.rows() < x.rows()) {
            detail::raise<shape_error>(705, "Normalized::backward", "the cache of a forward pass of x",
                                       detail::text(cache.outputs.rows(), " rows"));
        }
        detail::require_rows<Scalar>(g, x.rows(), x.cols(), 503, "Normalized::backward", "g");
        detail::require_rows<Scalar>(dx, x.rows(), x.cols(), 503, "Normalized::backward", "dx");
        Workspace::Scope scope(ws);
        const MatrixView<Scalar> dout = scope.matrix<Scalar>(cache.outputs.rows(), cache.outputs.cols());
        const MatrixView<Scalar> din = scope.matrix<Scalar>(cache.outputs.rows(), cache.outputs.cols());
        dout.eigen().setZero();
        for_valid_rows(sequences, [&](Index at, Index stacked, Index one) {
            const auto sums = cache.outputs.row(rows + one).array();
            const auto scaled = g.eigen().row(at).array() / sums;
            dout.eigen().row(stacked) = scaled.matrix();
            dout.eigen().row(rows + one).array() -= scaled * cache.outputs.row(stacked).array() / sums;
        });
        mixer_.backward(parameters, cache.inputs, cache.mixer, dout, din, gradients, ws);
        for (Index b = 0; b < sequences.batch(); ++b) {
            sequences.of(dx, b).eigen() = din.middle_rows(b * sequences.length(), sequences.length()).eigen();
        }
    }

    /// The mixer of one length.
    class Prepared {
    public:
        using Scalar = typename Mixer::Scalar;
        Index length() const noexcept { return length_; }
        /// Bytes that evaluate takes from its workspace for B sequences.
        std::size_t required_workspace(Index batch = 1) const {
            return 2 * Workspace::bytes_for<Scalar>(2 * batch * length_ * channels_) +
                   mixer_.required_workspace(batch);
        }
        /// Bytes held.
        std::size_t state_bytes() const { return mixer_.state_bytes(); }
        /// Outputs are divided by T 1, which at step t is the sum of the lags up to t where they are causal.
        static constexpr bool divides_by_sums() noexcept { return true; }
        /// The mixer's kernel, not divided: n × d, row t is lag t.
        template <class M = Mixer>
        Matrix<Scalar> causal_lags() const requires HasCausalLags<typename M::Prepared> {
            return mixer_.causal_lags();
        }
        void evaluate(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
                      const Sequences& sequences = {}) const {
            const char* where = "Normalized::Prepared::evaluate";
            const Sequences checked = sequences.within(x.rows(), length_, where);
            checked.require_one_axis(where);
            detail::require_rows<Scalar>(y, x.rows(), x.cols(), 503, where, "y");
            Workspace::Scope scope(ws);
            const Index rows = checked.batch() * length_;
            const MatrixView<Scalar> outputs = scope.matrix<Scalar>(rows + ones(checked), x.cols());
            const MatrixView<Scalar> inputs = scope.matrix<Scalar>(outputs.rows(), x.cols());
            stack(x, checked, inputs);
            inputs.middle_rows(rows, ones(checked)).eigen().setOnes();
            const Lengths lengths = checked.lengths();
            mixer_.evaluate(inputs.middle_rows(0, rows), outputs.middle_rows(0, rows), ws, lengths);
            mixer_.evaluate(inputs.middle_rows(rows, ones(checked)), outputs.middle_rows(rows, ones(checked)),
                            ws, lengths);
            divide(outputs.eigen(), checked, y);
        }

    private:
        friend Normalized;
        Prepared(typename Mixer::Prepared mixer, Index length, Index channels)
            : mixer_(std::move(mixer)), length_(length), channels_(channels) {}
        typename Mixer::Prepared mixer_;
        Index length_;
        Index channels_;
    };

    /// For inference at one length. \throws as the mixer's
    Prepared prepare(const Parameters& parameters, Index length) const {
        return Prepared(mixer_.prepare(parameters, length), length, channels());
    }

private:
    /// Rows of ones: a sequence of them, or one for each where there are lengths.
    static Index ones(const Sequences& sequences) noexcept {
        return (sequences.has_padding() ? sequences.batch() : 1) * sequences.length();
    }

    /// The sequences of x one after another.
    static void stack(MatrixView<const Scalar> x, const Sequences& sequences, MatrixView<Scalar> to) {
        const Index n = sequences.length();
        for (Index b = 0; b < sequences.batch(); ++b) {
            to.middle_rows(b * n, n).eigen() = sequences.of(x, b).eigen();
        }
    }

    /// Calls f(row of x, its row in the stack, its row among the ones) for every valid time step.
    template <class F>
    static void for_valid_rows(const Sequences& sequences, F&& f) {
        for (Index b = 0; b < sequences.batch(); ++b) {
            const Index first = b * sequences.length();
            const Index valid = sequences.valid(b);
            for (Index i = 0; i < valid; ++i) {
                f(sequences.row(b, i), first + i, sequences.has_padding() ? first + i : i);
            }
        }
    }

    template <class Outputs>
    static void divide(const Outputs& outputs, const Sequences& sequences, MatrixView<Scalar> y) {
        const Index rows = sequences.batch() * sequences.length();
        detail::clear_padding(y, sequences);
        for_valid_rows(sequences, [&](Index at, Index stacked, Index one) {
            y.eigen().row(at) = (outputs.row(stacked).array() / outputs.row(rows + one).array()).matrix();
        });
    }

    Mixer mixer_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
