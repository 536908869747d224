// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A mixer divided by what it makes of ones: y = (T x) / (T 1).

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

    struct Cache {
        typename Mixer::Cache mixer;
        Matrix<Scalar> inputs;   ///< x and the ones
        Matrix<Scalar> outputs;  ///< T x and T 1
        std::vector<Index> lengths;
        Index length = 0;
    };

    explicit Normalized(const Options& options) : mixer_(options) {}

    const Mixer& mixer() const noexcept { return mixer_; }
    static constexpr Causality causality() noexcept { return Mixer::causality(); }
    Index channels() const noexcept { return mixer_.channels(); }
    Parameters make_parameters(std::uint64_t seed = 0) const { return mixer_.make_parameters(seed); }

    /// As of the mixer, whose products are twice as many where there are lengths.
    void forward(const Parameters& parameters, MatrixView<const Scalar> x, const Sequences& sequences,
                 MatrixView<Scalar> y, Cache& cache, Workspace& ws) const {
        detail::require_sequences(x.rows(), sequences, "Normalized::forward");
        detail::require_rows<Scalar>(y, x.rows(), x.cols(), 503, "Normalized::forward", "y");
        cache.length = sequences.length;
        cache.lengths.assign(sequences.lengths.begin(), sequences.lengths.end());
        cache.lengths.insert(cache.lengths.end(), sequences.lengths.begin(), sequences.lengths.end());
        const Index ones = sequences.lengths.empty() ? sequences.length : x.rows();
        cache.inputs.resize(x.rows() + ones, x.cols());
        cache.inputs.topRows(x.rows()) = x.eigen();
        cache.inputs.bottomRows(ones).setOnes();
        cache.outputs.resize(x.rows() + ones, x.cols());
        mixer_.forward(parameters, cache.inputs, doubled(cache), cache.outputs, cache.mixer, ws);
        divide(cache.outputs, sequences, y);
    }

    void backward(const Parameters& parameters, MatrixView<const Scalar> x, const Cache& cache,
                  MatrixView<const Scalar> g, MatrixView<Scalar> dx, Parameters& gradients,
                  Workspace& ws) const {
        if (cache.length == 0 || cache.outputs.rows() < x.rows()) {
            detail::raise<shape_error>(404, "Normalized::backward", "the cache of a forward pass of x",
                                       detail::text(cache.outputs.rows(), " rows"));
        }
        detail::require_rows<Scalar>(g, x.rows(), x.cols(), 503, "Normalized::backward", "g");
        detail::require_rows<Scalar>(dx, x.rows(), x.cols(), 503, "Normalized::backward", "dx");
        Workspace::Scope scope(ws);
        const MatrixView<Scalar> dout = scope.matrix<Scalar>(cache.outputs.rows(), cache.outputs.cols());
        const MatrixView<Scalar> din = scope.matrix<Scalar>(cache.outputs.rows(), cache.outputs.cols());
        dout.eigen().setZero();
        const Lengths lengths(cache.lengths.data(), cache.lengths.size() / 2);
        for_valid_rows(x.rows(), {cache.length, lengths}, [&](Index i, Index one) {
            const auto sums = cache.outputs.row(x.rows() + one).array();
            const auto scaled = g.eigen().row(i).array() / sums;
            dout.eigen().row(i) = scaled.matrix();
            dout.eigen().row(x.rows() + one).array() -= scaled * cache.outputs.row(i).array() / sums;
        });
        mixer_.backward(parameters, cache.inputs, cache.mixer, dout, din, gradients, ws);
        dx.eigen() = din.middle_rows(0, x.rows()).eigen();
    }

    /// The mixer of one length.
    class Prepared {
    public:
        void evaluate(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
                      Lengths lengths = {}) const {
            const Sequences sequences{length_, lengths};
            detail::require_sequences(x.rows(), sequences, "Normalized::Prepared::evaluate");
            detail::require_rows<Scalar>(y, x.rows(), x.cols(), 503, "Normalized::Prepared::evaluate", "y");
            Workspace::Scope scope(ws);
            const Index ones = lengths.empty() ? length_ : x.rows();
            const MatrixView<Scalar> outputs = scope.matrix<Scalar>(x.rows() + ones, x.cols());
            const MatrixView<Scalar> input = scope.matrix<Scalar>(ones, x.cols());
            input.eigen().setOnes();
            mixer_.evaluate(x, outputs.middle_rows(0, x.rows()), ws, lengths);
            mixer_.evaluate(input, outputs.middle_rows(x.rows(), ones), ws, lengths);
            divide(outputs.eigen(), sequences, y);
        }

    private:
        friend Normalized;
        Prepared(typename Mixer::Prepared mixer, Index length) : mixer_(std::move(mixer)), length_(length) {}
        typename Mixer::Prepared mixer_;
        Index length_;
    };

    Prepared prepare(const std::shared_ptr<const Parameters>& parameters, Index length) const {
        return Prepared(mixer_.prepare(parameters, length), length);
    }
    Prepared prepare(const Parameters& parameters, Index length) const {
        return Prepared(mixer_.prepare(parameters, length), length);
    }

private:
    static Sequences doubled(const Cache& cache) noexcept {
        return {cache.length, Lengths(cache.lengths.data(), cache.lengths.size())};
    }

    /// Calls f(i, its row among the ones) for every valid row.
    template <class F>
    static void for_valid_rows(Index rows, const Sequences& sequences, F&& f) {
        const Lengths lengths = sequences.lengths;
        for (Index i = 0; i < rows; ++i) {
            const Index step = i % sequences.length;
            const auto b = static_cast<std::size_t>(i / sequences.length);
            if (lengths.empty()) {
                f(i, step);
            } else if (step < lengths[b]) {
                f(i, i);
            }
        }
    }

    template <class Outputs>
    static void divide(const Outputs& outputs, const Sequences& sequences, MatrixView<Scalar> y) {
        if (!sequences.lengths.empty()) y.eigen().setZero();
        for_valid_rows(y.rows(), sequences, [&](Index i, Index one) {
            y.eigen().row(i) = (outputs.row(i).array() / outputs.row(y.rows() + one).array()).matrix();
        });
    }

    Mixer mixer_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
