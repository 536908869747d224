// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Normalisation as a layer: of every row by itself, or of every channel over time and batch.

#include <vector>

#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/finite.hpp>
#include <toeplitz/core/sequences.hpp>
#include <toeplitz/dense/linear.hpp>
#include <toeplitz/dense/normalization.hpp>
#include <toeplitz/dense/row_tiles.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct RowNormOptions {
    Index channels = 0;  ///< d ≥ 1; a block fills it in
    Norm norm = Norm::simple_rms;
    Bias bias = Bias::none;  ///< rms: whether there is an offset
    Index measured = 0;      ///< rms norms: ρ is of the first so many channels; 0 for all

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("channels", sets.channels...);
        f("norm", sets.norm...);
        f("bias", sets.bias...);
        f("measured", sets.measured...);
    }
};

/// SimpleRMSNorm, RMSNorm, ScaleNorm or LayerNorm of every row: see Norm.
///
/// Members may run at the same time with distinct gradients; results are the same bits for any number of
/// threads.
template <Real ScalarType>
class RowNorm {
public:
    using Scalar = ScalarType;
    using Options = RowNormOptions;
    using Parameters = NormParameters<Scalar>;
    static constexpr const char* architecture = "row_norm";
    struct Cache {};

    /// \throws config_error 201 or 407 (measured)
    explicit RowNorm(const Options& options) : options_(options) {
        detail::require_positive(options.channels, "RowNorm", "channels");
        options_.measured =
            detail::measured_channels(options.norm, options.channels, options.measured, "RowNorm");
    }

    const Options& options() const noexcept { return options_; }
    Index channels() const noexcept { return options_.channels; }

    /// Gains of one, offsets of zero.
    Parameters make_parameters(std::uint64_t /*seed*/ = 0) const {
        Parameters parameters = make_norm<Scalar>(options_.norm, channels());
        if (options_.norm == Norm::rms && options_.bias == Bias::add) parameters.offset.setZero(channels());
        return parameters;
    }

    /// Bytes that forward and backward take from their workspace.
    std::size_t required_workspace(Index /*batch*/, Index /*length*/) const noexcept {
        return Workspace::bytes_for<Scalar>(detail::row_chunks * (2 * channels() + 1));
    }

    /// y = norm(x), also at inference; padding is normalised like any row. y may be x.
    /// \throws shape_error 405 (parameters), 406 (x, y)
    /// Cost O(size) | heap: none | thread-safe: yes | threads split the rows
    void forward(const Parameters& parameters, MatrixView<const Scalar> x, const Sequences& /*sequences*/,
                 MatrixView<Scalar> y, Cache& /*cache*/, Workspace& /*ws*/) const {
        detail::require_norm(options_.norm, parameters, channels(), "parameters", "RowNorm");
        run(parameters, x, y);
    }

    /// dx = the gradient with respect to x, given g with respect to y; adds to gradients. dx may be g.
    /// \throws shape_error 405 (parameters, gradients), 406 (x, g, dx)
    /// Cost O(size) | heap: none with a reserved workspace | thread-safe: yes | threads split the rows
    void backward(const Parameters& parameters, MatrixView<const Scalar> x, const Cache& /*cache*/,
                  MatrixView<const Scalar> g, MatrixView<Scalar> dx, Parameters& gradients,
                  Workspace& ws) const {
        const char* where = "RowNorm::backward";
        const Index d = channels();
        detail::require_rows<Scalar>(x, x.rows(), d, 406, where, "x");
        detail::require_rows<Scalar>(g, x.rows(), d, 406, where, "g");
        detail::require_rows<Scalar>(dx, x.rows(), d, 406, where, "dx");
        detail::require_norm(options_.norm, parameters, d, "parameters", where);
        detail::require_norm(options_.norm, gradients, d, "gradients", where);
        // Every part of the rows has gradients of its own, which are then added up in order.
        Workspace::Scope scope(ws);
        const Index size = 2 * d + 1;
        Scalar* sums = scope.take<Scalar>(detail::row_chunks * size);
        std::fill_n(sums, detail::row_chunks * size, Scalar(0));
        const auto gains = detail::norm_gains(parameters);
        detail::for_row_chunks(x.rows(), d / 2, [&](Index first, Index rows, Index chunk) {
            Scalar* sum = sums + chunk * size;
            detail::NormGains<Scalar> to;
            if (gains.gain != nullptr) to.gain = sum;
            if (gains.offset != nullptr) to.offset = sum + d;
            if (gains.factor != nullptr) to.factor = sum + 2 * d;
            for (Index i = first; i < first + rows; ++i) {
                detail::normalize_row_backward(options_.norm, gains, x.row(i), g.row(i), dx.row(i), to, d,
                                               options_.measured);
            }
        });
        const detail::NormGains<Scalar> to = detail::norm_gains(gradients);
        for (Index chunk = 0; chunk < detail::row_chunks; ++chunk) {
            Scalar* sum = sums + chunk * size;
            if (to.gain != nullptr) detail::as_array(to.gain, d) += detail::as_array(sum, d);
            if (to.offset != nullptr) detail::as_array(to.offset, d) += detail::as_array(sum + d, d);
            if (to.factor != nullptr) *to.factor += sum[2 * d];
        }
    }

    /// The norm with its parameters.
    class Prepared {
    public:
        /// y = norm(x); y may be x. \throws shape_error 406
        /// heap: none | thread-safe: yes
        void evaluate(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& /*ws*/,
                      const Sequences& /*sequences*/ = {}) const {
            norm_.run(parameters_, x, y);
        }
        /// Bytes that evaluate takes from its workspace.
        std::size_t required_workspace(Index /*batch*/ = 1) const noexcept { return 0; }
        /// Bytes held.
        std::size_t state_bytes() const {
            return static_cast<std::size_t>(parameter_count(parameters_)) * sizeof(Scalar);
        }

    private:
        friend RowNorm;
        Prepared(const RowNorm& norm, const Parameters& parameters) : norm_(norm), parameters_(parameters) {}
        RowNorm norm_;
        Parameters parameters_;
    };

    /// For inference; the parameters are copied. \throws shape_error 405
    Prepared prepare(const Parameters& parameters, Index /*length*/ = 0) const {
        detail::require_norm(options_.norm, parameters, channels(), "parameters", "RowNorm::prepare");
        return Prepared(*this, parameters);
    }

private:
    void run(const Parameters& parameters, MatrixView<const Scalar> x, MatrixView<Scalar> y) const {
        detail::require_rows<Scalar>(x, x.rows(), channels(), 406, "RowNorm", "x");
        detail::require_rows<Scalar>(y, x.rows(), channels(), 406, "RowNorm", "y");
        const auto gains = detail::norm_gains(parameters);
        detail::for_row_tiles(x.rows(), channels() / 4, [&](Index first, Index rows) {
            for (Index i = first; i < first + rows; ++i) {
                detail::normalize_row<Scalar>(options_.norm, gains, x.row(i), y.row(i), channels(),
                                              options_.measured);
            }
        });
    }

    Options options_;
};

struct BatchNormOptions {
    Index channels = 0;     ///< d ≥ 1; a block fills it in
    double momentum = 0.1;  ///< in [0, 1]: weight of a new observation in the running statistics
    double epsilon = 1e-5;  ///< ≥ 0

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("channels", sets.channels...);
        f("momentum", sets.momentum...);
        f("epsilon", sets.epsilon...);
    }
};

/// Official names: weight, bias, and the buffers running_mean, running_var, num_batches_tracked.
template <Real Scalar>
struct BatchNormParameters {
    Vector<Scalar> weight;
    Vector<Scalar> bias;
    Vector<Scalar> running_mean;
    Vector<Scalar> running_var;
    Vector<Scalar> num_batches_tracked;  ///< 1

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        f(ParameterName("weight"), sets.weight...);
        f(ParameterName("bias"), sets.bias...);
        f(ParameterName::buffer("running_mean"), sets.running_mean...);
        f(ParameterName::buffer("running_var"), sets.running_var...);
        f(ParameterName::buffer("num_batches_tracked"), sets.num_batches_tracked...);
    }
};

/// y = weight ⊙ (x − μ)/√(σ² + ε) + bias with the mean and variance of every channel over the valid time
/// steps of a batch; at inference the running ones. How far a batch moves these on is added to their
/// gradients by backward, for Trainer (or update_buffers) to add.
///
/// Members may run at the same time with distinct caches and gradients.
template <Real ScalarType>
class BatchNorm {
public:
    using Scalar = ScalarType;
    using Options = BatchNormOptions;
    using Parameters = BatchNormParameters<Scalar>;
    static constexpr const char* architecture = "batch_norm";

    struct Cache {
        Vector<Scalar> mean;
        Vector<Scalar> inverse;   ///< 1/√(σ² + ε)
        Vector<Scalar> variance;  ///< unbiased, for the running statistics
        KeptSequences sequences;
        Index count = 0;  ///< valid rows of the batch
    };

    /// \throws config_error 201, 713 (momentum, epsilon)
    explicit BatchNorm(const Options& options) : options_(options) {
        detail::require_positive(options.channels, "BatchNorm", "channels");
        const auto require = [](bool ok, const char* expected, double got) {
            if (!ok) detail::raise<config_error>(713, "BatchNorm", expected, detail::text(got));
        };
        const double momentum = options.momentum;
        require(detail::is_finite(momentum) && momentum >= 0 && momentum <= 1, "momentum in [0, 1]",
                momentum);
        require(detail::is_finite(static_cast<Scalar>(options.epsilon)) && options.epsilon >= 0,
                "a finite epsilon >= 0", options.epsilon);
    }

    const Options& options() const noexcept { return options_; }
    Index channels() const noexcept { return options_.channels; }

    /// Gains of one, offsets of zero; running mean 0 and variance 1.
    Parameters make_parameters(std::uint64_t /*seed*/ = 0) const {
        const Index d = channels();
        return {Vector<Scalar>::Ones(d), Vector<Scalar>::Zero(d), Vector<Scalar>::Zero(d),
                Vector<Scalar>::Ones(d), Vector<Scalar>::Zero(1)};
    }

    /// Bytes that forward and backward take from their workspace.
    std::size_t required_workspace(Index /*batch*/, Index /*length*/) const noexcept {
        return Workspace::bytes_for<double>(2 * channels());
    }

    /// y = norm(x); padding becomes zero.
    /// \throws shape_error 405 (parameters), 406 (x, y), 210 to 212
    /// \throws value_error 710 (no valid row), 712 (only one)
    /// Cost O(size) | heap: the cache at the first call | thread-safe: yes
    void forward(const Parameters& parameters, MatrixView<const Scalar> x, const Sequences& sequences,
                 MatrixView<Scalar> y, Cache& cache, Workspace& ws) const {
        const char* where = "BatchNorm::forward";
        check(parameters, x, where);
        detail::require_rows<Scalar>(y, x.rows(), channels(), 406, where, "y");
        const Sequences checked = sequences.within(x.rows(), 0, where);
        cache.sequences.forget();
        Workspace::Scope scope(ws);
        double* sums = take_sums(scope);
        const Index d = channels();
        Index count = 0;
        for_valid_rows(checked, [&](Index i) {
            ++count;
            for (Index c = 0; c < d; ++c) sums[c] += static_cast<double>(x(i, c));
        });
        cache.count = count;
        if (count == 0 && checked.batch() > 0) {
            detail::raise<value_error>(710, where, "at least one valid time step", "none");
        }
        if (count == 1) {  // which would drive the running variance to 0
            detail::raise<value_error>(712, where, "more than one valid time step, for a variance", "1");
        }
        const double n = static_cast<double>(std::max<Index>(count, 1));
        detail::resize_kept(cache.mean, d);
        detail::resize_kept(cache.inverse, d);
        detail::resize_kept(cache.variance, d);
        for (Index c = 0; c < d; ++c) {
            sums[c] /= n;
            cache.mean(c) = static_cast<Scalar>(sums[c]);
        }
        double* squares = sums + d;
        for_valid_rows(checked, [&](Index i) {
            for (Index c = 0; c < d; ++c) {
                const double centred = static_cast<double>(x(i, c)) - sums[c];
                squares[c] += centred * centred;
            }
        });
        for (Index c = 0; c < d; ++c) {
            cache.inverse(c) = static_cast<Scalar>(1 / std::sqrt(squares[c] / n + options_.epsilon));
            cache.variance(c) = static_cast<Scalar>(squares[c] / (std::max)(n - 1, 1.0));
        }
        normalize_rows(parameters, cache.mean, cache.inverse, x, y);
        detail::clear_padding(y, checked);
        cache.sequences.keep(sequences, checked);
    }

    /// dx = the gradient with respect to x, given g with respect to y; adds to gradients, and to those of the
    /// buffers what the batch moves them by. dx may be g.
    /// \throws shape_error 705 (cache), 405 (parameters, gradients), 406 (x, g, dx)
    /// Cost O(size) | heap: none with a reserved workspace | thread-safe: yes
    void backward(const Parameters& parameters, MatrixView<const Scalar> x, const Cache& cache,
                  MatrixView<const Scalar> g, MatrixView<Scalar> dx, Parameters& gradients,
                  Workspace& ws) const {
        const char* where = "BatchNorm::backward";
        check(parameters, x, where);
        detail::require_rows<Scalar>(g, x.rows(), channels(), 406, where, "g");
        detail::require_rows<Scalar>(dx, x.rows(), channels(), 406, where, "dx");
        require_set(gradients, "gradients", where);
        const Sequences sequences = cache.sequences.get();
        if (cache.sequences.empty() || cache.mean.size() != channels() ||
            x.rows() != sequences.batch() * sequences.length()) {
            detail::raise<shape_error>(705, where, "the cache of a forward pass of x",
                                       detail::text("one of ", cache.mean.size(), " channels"));
        }
        Workspace::Scope scope(ws);
        const Index d = channels();
        double* sums = take_sums(scope);  // Σ g, then Σ g x̂
        const auto hat = [&](Index i, Index c) { return (x(i, c) - cache.mean(c)) * cache.inverse(c); };
        for_valid_rows(sequences, [&](Index i) {
            for (Index c = 0; c < d; ++c) {
                sums[c] += static_cast<double>(g(i, c));
                sums[d + c] += static_cast<double>(g(i, c) * hat(i, c));
            }
        });
        for (Index c = 0; c < d; ++c) {
            gradients.bias(c) += static_cast<Scalar>(sums[c]);
            gradients.weight(c) += static_cast<Scalar>(sums[d + c]);
            const double count = static_cast<double>(std::max<Index>(cache.count, 1));
            sums[c] /= count;
            sums[d + c] /= count;
        }
        if (cache.count > 0) {
            const Scalar weight = static_cast<Scalar>(options_.momentum);
            gradients.running_mean += weight * (cache.mean - parameters.running_mean);
            gradients.running_var += weight * (cache.variance - parameters.running_var);
            gradients.num_batches_tracked(0) += 1;
        }
        for_valid_rows(sequences, [&](Index i) {
            for (Index c = 0; c < d; ++c) {
                dx(i, c) =
                    parameters.weight(c) * cache.inverse(c) *
                    (g(i, c) - static_cast<Scalar>(sums[c]) - hat(i, c) * static_cast<Scalar>(sums[d + c]));
            }
        });
        detail::clear_padding(dx, sequences);
    }

    /// The norm with the running statistics.
    class Prepared {
    public:
        /// y = norm(x); y may be x. \throws shape_error 406
        /// heap: none | thread-safe: yes
        void evaluate(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& /*ws*/,
                      const Sequences& /*sequences*/ = {}) const {
            const char* where = "BatchNorm::Prepared::evaluate";
            detail::require_rows<Scalar>(x, x.rows(), norm_.channels(), 406, where, "x");
            detail::require_rows<Scalar>(y, x.rows(), norm_.channels(), 406, where, "y");
            norm_.normalize_rows(parameters_, parameters_.running_mean, inverse_, x, y);
        }
        /// Bytes that evaluate takes from its workspace.
        std::size_t required_workspace(Index /*batch*/ = 1) const noexcept { return 0; }
        /// Bytes held.
        std::size_t state_bytes() const {
            return static_cast<std::size_t>(parameter_count(parameters_) + inverse_.size()) * sizeof(Scalar);
        }

    private:
        friend BatchNorm;
        Prepared(const BatchNorm& norm, const Parameters& parameters) : norm_(norm), parameters_(parameters) {
            const Scalar epsilon = static_cast<Scalar>(norm.options_.epsilon);
            inverse_ = (parameters_.running_var.array() + epsilon).rsqrt().matrix();
        }
        BatchNorm norm_;
        Parameters parameters_;
        Vector<Scalar> inverse_;  ///< 1/√(σ² + ε)
    };

    /// For inference; the parameters are copied. \throws shape_error 405
    Prepared prepare(const Parameters& parameters, Index /*length*/ = 0) const {
        require_set(parameters, "parameters", "BatchNorm::prepare");
        return Prepared(*this, parameters);
    }

private:
    void require_set(const Parameters& set, const char* what, const char* where) const {
        const Index d = channels();
        for_each_parameter(
            [&](const ParameterName& name, const Vector<Scalar>& tensor) {
                const Index size = &tensor == &set.num_batches_tracked ? 1 : d;
                if (tensor.size() == size) return;
                detail::raise<shape_error>(405, where,
                                           detail::text(what, " with ", name.text(), " of size ", size),
                                           std::to_string(tensor.size()));
            },
            set);
    }
    void check(const Parameters& parameters, MatrixView<const Scalar> x, const char* where) const {
        detail::require_rows<Scalar>(x, x.rows(), channels(), 406, where, "x");
        require_set(parameters, "parameters", where);
    }

    double* take_sums(Workspace::Scope& scope) const {
        double* sums = scope.take<double>(2 * channels());
        std::fill_n(sums, 2 * channels(), 0.0);
        return sums;
    }

    template <class F>
    static void for_valid_rows(const Sequences& sequences, F&& f) {
        for (Index b = 0; b < sequences.batch(); ++b) {
            sequences.for_valid_runs(b, [&](Index first, Index count) {
                for (Index i = first; i < first + count; ++i) f(sequences.row(b, i));
            });
        }
    }

    void normalize_rows(const Parameters& parameters, const Vector<Scalar>& mean,
                        const Vector<Scalar>& inverse, MatrixView<const Scalar> x,
                        MatrixView<Scalar> y) const {
        detail::for_row_tiles(x.rows(), channels() / 4, [&](Index first, Index rows) {
            for (Index i = first; i < first + rows; ++i) {
                for (Index c = 0; c < channels(); ++c) {
                    y(i, c) = (x(i, c) - mean(c)) * inverse(c) * parameters.weight(c) + parameters.bias(c);
                }
            }
        });
    }

    Options options_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
