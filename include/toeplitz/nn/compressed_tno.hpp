// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A mixer of O(n) for sequences of one length: what compress() makes of an exact one.

#include <algorithm>
#include <vector>

#include <toeplitz/approximation/approximation.hpp>
#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/sequences.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct CompressedTnoOptions {
    Index channels = 0;  ///< d ≥ 1; a layer fills it in
    Index length = 0;    ///< n ≥ 1: of all sequences

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("channels", sets.channels...);
        f("length", sets.length...);
    }
};

/// Names: groups.{i}.taps, .inducing, .lags, .bounds and the others of an Approximation.
template <Real Scalar>
struct CompressedTnoParameters {
    /// From the first channel to the last, each with a bound for every channel of it.
    std::vector<Approximation<Scalar>> groups;

    /// Cost of the products by the model, against the exact ones.
    double cost_ratio() const {
        double cost = 0;
        double exact = 0;
        for (const Approximation<Scalar>& group : groups) {
            cost += static_cast<double>(group.channels()) * group.cost;
            exact += static_cast<double>(group.channels()) * group.exact_cost;
        }
        return exact > 0 ? cost / exact : 1;
    }

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        const std::size_t count = (std::min)({sets.groups.size()...});
        for (std::size_t i = 0; i < count; ++i) {
            Approximation<Scalar>::for_each(detail::under("groups", static_cast<Index>(i), f),
                                            sets.groups[i]...);
        }
    }
};

/// y = (band + W A Wᵀ) x, or that of state spaces, or the exact product for channels that nothing cheaper is
/// known for.
///
/// Taps, inducing values, lags and the numbers of state spaces are parameters that can be trained further;
/// the bounds beside them then no longer hold.
/// Cost O(n + r log r) or O(n s) per channel, or O(n log n)
template <Real ScalarType>
class CompressedTno {
public:
    using Scalar = ScalarType;
    using Options = CompressedTnoOptions;
    using Parameters = CompressedTnoParameters<Scalar>;
    using Operator = AnyOperator<Scalar>;
    static constexpr const char* architecture = "compressed_tno";

    /// Of the last forward pass, for each group.
    struct Cache {
        std::vector<Operator> ops;
        std::vector<typename Operator::Cache> kept;
        KeptSequences sequences;
    };

    /// \throws config_error 201
    explicit CompressedTno(const Options& options) : options_(options) {
        detail::require_positive(options.channels, name, "channels");
        detail::require_positive(options.length, name, "length");
    }

    static constexpr Causality causality() noexcept { return Causality::bidirectional; }
    const Options& options() const noexcept { return options_; }
    Index channels() const noexcept { return options_.channels; }

    /// The exact operator of a kernel that is 0: what there is to learn comes from compress().
    Parameters make_parameters(std::uint64_t /*seed*/ = 0) const {
        return {{{.lags = Matrix<Scalar>::Zero(2 * options_.length - 1, channels()),
                  .bounds = Vector<double>::Zero(channels())}}};
    }

    /// y = T x. \throws shape_error 405 (parameters), 551, 502 to 504, 210 to 212; value_error 530;
    /// config_error 760 (sequences of another length)
    /// Cost the operators' | heap: the operators | thread-safe: yes | same bits for any number of threads
    void forward(const Parameters& parameters, MatrixView<const Scalar> x, const Sequences& sequences,
                 MatrixView<Scalar> y, Cache& cache, Workspace& ws) const {
        const Sequences checked = sequences.within(x.rows(), 0, name);
        std::vector<Operator> ops = operators(parameters, checked.length());
        require_columns(ops, x, y, "x", "y");
        cache.ops.clear();
        cache.kept.resize(ops.size());
        cache.sequences.keep(sequences, checked);
        for_groups(ops, [&](std::size_t i, auto&& part) {
            ops[i].forward(part(x), part(y), cache.kept[i], ws, checked);
        });
        cache.ops = std::move(ops);
    }

    /// dx = Tᵀ g, and gradients += the gradient with respect to the parameters.
    /// \throws shape_error 705, 405, 501 to 504
    void backward(const Parameters& /*parameters*/, MatrixView<const Scalar> x, const Cache& cache,
                  MatrixView<const Scalar> g, MatrixView<Scalar> dx, Parameters& gradients,
                  Workspace& ws) const {
        if (cache.ops.empty()) {
            detail::raise<shape_error>(705, "CompressedTno::backward", "the cache of a forward pass",
                                       "an empty one");
        }
        if (gradients.groups.size() != cache.ops.size()) {
            refuse("gradients", "as many groups as the parameters");
        }
        const Sequences sequences = cache.sequences.get();
        require_columns(cache.ops, x, dx, "x", "dx");
        require_columns(cache.ops, g, dx, "g", "dx");
        for_groups(cache.ops, [&](std::size_t i, auto&& part) {
            cache.ops[i].backward(part(x), cache.kept[i], part(g), part(dx), gradients.groups[i].kernel(), ws,
                                  sequences);
        });
    }

    /// The operators. Immutable and shareable.
    class Prepared {
    public:
        const std::vector<Operator>& ops() const noexcept { return ops_; }
        Index length() const noexcept { return ops_[0].length(); }
        /// Bytes that evaluate takes from its workspace for B sequences.
        std::size_t required_workspace(Index batch = 1) const {
            std::size_t most = 0;
            for (const Operator& op : ops_) {
                most = (std::max)(most, op.required_workspace(batch, Layout::row_major));
            }
            return most;
        }
        /// Bytes held.
        std::size_t state_bytes() const {
            std::size_t bytes = 0;
            for (const Operator& op : ops_) bytes += op.state_bytes();
            return bytes;
        }
        /// heap: none with a reserved workspace | thread-safe: yes
        void evaluate(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
                      const Sequences& sequences = {}) const {
            require_columns(ops_, x, y, "x", "y");
            for_groups(ops_,
                       [&](std::size_t i, auto&& part) { ops_[i].apply(part(x), part(y), ws, sequences); });
        }

    private:
        friend CompressedTno;
        explicit Prepared(std::vector<Operator> ops) : ops_(std::move(ops)) {}
        std::vector<Operator> ops_;
    };

    /// \throws shape_error 405, 551, value_error 530, config_error 760
    Prepared prepare(const Parameters& parameters, Index length) const {
        return Prepared(operators(parameters, length));
    }

private:
    static constexpr const char* name = "CompressedTno";

    [[noreturn]] static void refuse(const char* what, std::string_view expected) {
        detail::raise<shape_error>(405, name, detail::text(what, " with ", expected), "others");
    }

    static void require_columns(const std::vector<Operator>& ops, MatrixView<const Scalar> x,
                                MatrixView<const Scalar> y, const char* from, const char* to) {
        Index channels = 0;
        for (const Operator& op : ops) channels += op.channels();
        detail::require_rows(x, x.rows(), channels, 502, name, from);
        detail::require_rows(y, x.rows(), channels, 503, name, to);
    }

    std::vector<Operator> operators(const Parameters& parameters, Index length) const {
        if (length != options_.length) {
            // The inducing values belong to lags that depend on the length.
            detail::raise<config_error>(
                760, name, detail::text("sequences of ", options_.length, ", for which it was compressed"),
                std::to_string(length));
        }
        std::vector<Operator> ops;
        Index first = 0;
        for (const Approximation<Scalar>& group : parameters.groups) {
            if (group.method() == Method::fft && group.lags.rows() != 2 * length - 1) {
                refuse("parameters", "taps, inducing values or 2n-1 lags in every group");
            }
            if (group.bounds.size() != group.channels()) {
                refuse("parameters", "a bound for each channel of a group");
            }
            ops.push_back(group.make_operator(length));
            first += group.channels();
        }
        if (first != channels()) refuse("parameters", detail::text("groups of ", channels(), " channels"));
        return ops;
    }

    /// f(i, part) for every group i; part(view) are its columns.
    template <class F>
    static void for_groups(const std::vector<Operator>& ops, F&& f) {
        Index first = 0;
        for (std::size_t i = 0; i < ops.size(); ++i) {
            f(i, [&](auto view) { return view.middle_cols(first, ops[i].channels()); });
            first += ops[i].channels();
        }
    }

    Options options_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
