// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The TNN layer: a gated Toeplitz unit and a gated linear unit, each with a norm and a residual connection.

#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/sequences.hpp>
#include <toeplitz/dense/row_tiles.hpp>
#include <toeplitz/nn/dropout.hpp>
#include <toeplitz/nn/glu.hpp>
#include <toeplitz/nn/gtu.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// pre: x + f(norm(x)). post: norm(x + f(x)).
enum class NormPlacement { pre, post };

template <class Mixer, class NormLayer>
struct BlockOptions {
    Index width = 0;                     ///< d ≥ 1; a model fills it in
    GtuOptions<Mixer> gtu{};             ///< its width is filled in
    GluOptions glu{};                    ///< its width is filled in
    typename NormLayer::Options norm{};  ///< its channels are filled in
    NormPlacement placement = NormPlacement::pre;
    double dropout = 0;                      ///< rate in [0, 1), of what either unit adds
    Precision precision = Precision::exact;  ///< of training; a model fills it in

    static constexpr const char* unvisited_options[] = {"precision"};

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("width", sets.width...);
        f("gtu", sets.gtu...);
        f("glu", sets.glu...);
        f("norm", sets.norm...);
        f("placement", sets.placement...);
        f("dropout", sets.dropout...);
    }
};

/// Official names: self_attn.gtu.*, self_attn_layer_norm.*, glu.*, final_layer_norm.*.
template <class Mixer, class NormLayer>
struct BlockParameters {
    using Scalar = typename Mixer::Scalar;
    GtuParameters<Mixer> gtu;
    typename NormLayer::Parameters gtu_norm;
    GluParameters<Scalar> glu;
    typename NormLayer::Parameters glu_norm;

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        auto attention = detail::under("self_attn", f);
        GtuParameters<Mixer>::for_each(detail::under("gtu", attention), sets.gtu...);
        NormLayer::Parameters::for_each(detail::under("self_attn_layer_norm", f), sets.gtu_norm...);
        GluParameters<Scalar>::for_each(detail::under("glu", f), sets.glu...);
        NormLayer::Parameters::for_each(detail::under("final_layer_norm", f), sets.glu_norm...);
    }
    template <class F, class... Sets>
    static void for_each_weight(F&& f, Sets&... sets) {
        auto attention = detail::under("self_attn", f);
        GtuParameters<Mixer>::for_each_weight(detail::under("gtu", attention), sets.gtu...);
        GluParameters<Scalar>::for_each_weight(detail::under("glu", f), sets.glu...);
    }
};

namespace detail {

/// to = from, and to += from, for rows of neighbours.
template <Real Scalar>
[[gnu::noinline]] void copy_rows(MatrixView<const Scalar> from, MatrixView<Scalar> to) {
    for_row_tiles(to.rows(), to.cols() / 4, [&](Index first, Index rows) {
        for (Index i = first; i < first + rows; ++i) std::copy_n(from.row(i), to.cols(), to.row(i));
    });
}
template <Real Scalar>
[[gnu::noinline]] void add_rows(MatrixView<const Scalar> from, MatrixView<Scalar> to) {
    for_row_tiles(to.rows(), to.cols() / 4, [&](Index first, Index rows) {
        for (Index i = first; i < first + rows; ++i) {
            sweep<Scalar>(to.cols(), [&](auto at, Index j) TOEPLITZ_LAMBDA {
                at.store(to.row(i) + j, at.load(to.row(i) + j) + at.load(from.row(i) + j));
            });
        }
    });
}

}  // namespace detail

/// y = x + Gtu(norm(x)), then y + Glu(norm(y)); or with the norms after the sums.
///
///     using Mixer = FdTno<float, Causality::causal>;
///     const Block<Mixer> block({.width = 64});
///     auto parameters = block.make_parameters(/*seed=*/1);
///     const auto inference = block.prepare(parameters, /*length=*/512);
///     inference.evaluate(x, y, workspace);  // x, y: (B·512) × 64
///
/// Mixer is any TokenMixer; NormLayer is RowNorm or BatchNorm. Members may run at the same time with distinct
/// caches, gradients and workspaces; results are the same bits for any number of threads. Rows must have
/// neighbouring channels.
template <TokenMixer MixerType, class NormLayerType = RowNorm<typename MixerType::Scalar>>
class Block {
public:
    using Mixer = MixerType;
    using NormLayer = NormLayerType;
    using Scalar = typename Mixer::Scalar;
    using Options = BlockOptions<Mixer, NormLayer>;
    using Parameters = BlockParameters<Mixer, NormLayer>;

    struct Cache {
        KeptMatrix<Scalar> gtu_input;  ///< pre: norm(x)
        Matrix<Scalar> gtu_sum;        ///< x + Gtu
        KeptMatrix<Scalar> glu_input;  ///< what the Glu sees
        Matrix<Scalar> glu_sum;        ///< post: what the last norm sees
        typename Gtu<Mixer>::Cache gtu;
        typename Glu<Scalar>::Cache glu;
        typename NormLayer::Cache gtu_norm;
        typename NormLayer::Cache glu_norm;
        KeptSequences sequences;
        std::uint64_t seed = 0;
    };

    /// \throws config_error 201, 202, 720 (dropout rate), 744 (precision) and those of the mixer
    explicit Block(const Options& options)
        : options_(completed(options)), gtu_(options_.gtu), glu_(options_.glu), norm_(options_.norm) {}

    const Options& options() const noexcept { return options_; }
    Index width() const noexcept { return options_.width; }
    const Gtu<Mixer>& gtu() const noexcept { return gtu_; }
    const Glu<Scalar>& glu() const noexcept { return glu_; }

    /// Drawn from `seed`.
    Parameters make_parameters(std::uint64_t seed = 0) const;

    /// Bytes that forward and backward take from their workspace for B sequences of a length.
    std::size_t required_workspace(Index batch, Index length) const requires HasRequiredWorkspace<Mixer> {
        const std::size_t matrices = options_.precision == Precision::exact ? 4 : 5;
        return matrices * Workspace::bytes_for<Scalar>(batch * length * width()) +
               (std::max)({gtu_.required_workspace(batch, length), glu_.required_workspace(batch, length),
                           norm_.required_workspace(batch, length)});
    }

    /// y = the layer's output, for training. x and y: (B·n) × d, apart in memory.
    /// \param dropout_seed what the dropout masks are drawn from
    /// \throws shape_error 405 (parameters), 210 to 212, 703, 704, and those of the mixer
    /// Cost that of Gtu and Glu | heap: the cache, when it grows | thread-safe: yes
    void forward(const Parameters& parameters, MatrixView<const Scalar> x, const Sequences& sequences,
                 MatrixView<Scalar> y, Cache& cache, Workspace& ws, std::uint64_t dropout_seed = 0) const;

    /// dx = the gradient with respect to x, given g with respect to y; adds to gradients. x as in forward.
    /// \throws shape_error 705 (cache), 405 (parameters, gradients), 703 (x, dx), 704 (g), and those of the
    /// mixer
    /// Cost twice forward | heap: none with a reserved workspace | thread-safe: yes
    void backward(const Parameters& parameters, MatrixView<const Scalar> x, const Cache& cache,
                  MatrixView<const Scalar> g, MatrixView<Scalar> dx, Parameters& gradients,
                  Workspace& ws) const;

    /// The layer at inference, with packed weights and the kernel of one length.
    class Prepared {
    public:
        Index length() const noexcept { return length_; }
        const typename Gtu<Mixer>::Prepared& gtu() const noexcept { return gtu_; }

        /// Bytes that evaluate takes from its workspace for B sequences, one after another.
        std::size_t required_workspace(Index batch = 1) const {
            return 3 * Workspace::bytes_for<Scalar>(batch * length_ * block_.width()) +
                   (std::max)(gtu_.required_workspace(batch), glu_.required_workspace(batch));
        }
        /// Bytes that evaluate_with takes for some rows.
        std::size_t row_workspace(Index rows) const {
            return 2 * Workspace::bytes_for<Scalar>(rows * block_.width()) +
                   (std::max)(gtu_.row_workspace(rows), glu_.row_workspace(rows));
        }
        /// Bytes held.
        std::size_t state_bytes() const {
            return gtu_.state_bytes() + glu_.state_bytes() + gtu_norm_.state_bytes() +
                   glu_norm_.state_bytes();
        }

        /// y = the layer's output. x and y: (B·n) × d, apart in memory.
        /// \throws shape_error 210 to 212, 703 (x), 704 (y)
        /// heap: none with a reserved workspace | thread-safe: yes
        void evaluate(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
                      const Sequences& sequences = {}) const;

        /// The same where mix(v, mixed) takes the mixer's place: rows of any number, as of a stream.
        /// \throws as mix
        template <class Mix>
        void evaluate_with(Mix&& mix, MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws) const {
            run([&](MatrixView<const Scalar> in,
                    MatrixView<Scalar> out) { gtu_.evaluate_with(mix, in, out, ws); },
                x, y, ws, {});
        }

    private:
        friend Block;
        template <class Unit>
        void run(Unit&& gtu, MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
                 const Sequences& sequences) const {
            Workspace::Scope scope(ws);
            const MatrixView<Scalar> input = scope.matrix<Scalar>(x.rows(), block_.width());
            const MatrixView<Scalar> sum = scope.matrix<Scalar>(x.rows(), block_.width());
            if (block_.is_pre()) {
                gtu_norm_.evaluate(x, input, ws, sequences);
                gtu(input, sum);
                detail::add_rows<Scalar>(x, sum);
                glu_norm_.evaluate(sum, input, ws, sequences);
                glu_.evaluate(input, y, ws, sequences);
                detail::add_rows<Scalar>(sum, y);
            } else {
                gtu(x, sum);
                detail::add_rows<Scalar>(x, sum);
                gtu_norm_.evaluate(sum, input, ws, sequences);
                glu_.evaluate(input, sum, ws, sequences);
                detail::add_rows<Scalar>(input, sum);
                glu_norm_.evaluate(sum, y, ws, sequences);
            }
        }
        Prepared(const Block& block, const Parameters& all, const PrepareOptions& options);

        Block block_;
        typename Gtu<Mixer>::Prepared gtu_;
        typename Glu<Scalar>::Prepared glu_;
        typename NormLayer::Prepared gtu_norm_;
        typename NormLayer::Prepared glu_norm_;
        Index length_;
    };

    /// For inference at one length; the parameters are copied.
    /// \throws shape_error 405, config_error 440 and those of the mixer
    Prepared prepare(const Parameters& parameters, const PrepareOptions& options) const {
        return Prepared(*this, parameters, options);
    }
    Prepared prepare(const Parameters& parameters, Index length) const {
        return prepare(parameters, PrepareOptions{.length = length});
    }

private:
    static Options completed(Options options);

    /// The gradient of what a unit adds, given that of the sum: itself, or a copy with the dropout mask.
    MatrixView<const Scalar> dropped(MatrixView<const Scalar> dsum, std::uint64_t seed,
                                     MatrixView<Scalar> copy) const {
        if (options_.dropout == 0) return dsum;
        detail::copy_rows<Scalar>(dsum, copy);
        dropout<Scalar>(options_.dropout, seed, copy);
        return copy;
    }

    bool is_pre() const noexcept { return options_.placement == NormPlacement::pre; }
    static std::uint64_t mask(const Cache& cache, std::uint64_t unit) noexcept {
        return CounterRandom(cache.seed).bits(unit);
    }

    void check(MatrixView<const Scalar> x, MatrixView<const Scalar> y, const char* where) const {
        detail::require_rows<Scalar>(x, x.rows(), width(), 703, where, "x");
        detail::require_rows<Scalar>(y, x.rows(), width(), 704, where, "y or g");
    }

    Options options_;
    Gtu<Mixer> gtu_;
    Glu<Scalar> glu_;
    NormLayer norm_;
};

template <TokenMixer MixerType, class NormLayerType>
void Block<MixerType, NormLayerType>::forward(const Parameters& parameters, MatrixView<const Scalar> x,
                                              const Sequences& sequences, MatrixView<Scalar> y, Cache& cache,
                                              Workspace& ws, std::uint64_t dropout_seed) const {
    check(x, y, "Block::forward");
    const Sequences checked = sequences.within(x.rows(), 0, "Block::forward");
    cache.sequences.forget();
    const Index rows = x.rows();
    const bool pre = is_pre();
    cache.seed = dropout_seed;
    Workspace::Scope scope(ws);
    detail::resize_kept(cache.gtu_sum, rows, width());
    const MatrixView<Scalar> glu_input = cache.glu_input.resize(rows, width(), options_.precision, scope);
    if (!sequences.is_checked()) x = detail::without_padding(x, checked, scope);
    MatrixView<const Scalar> input = x;
    if (pre) {
        const MatrixView<Scalar> normed = cache.gtu_input.resize(rows, width(), options_.precision, scope);
        norm_.forward(parameters.gtu_norm, x, checked, normed, cache.gtu_norm, ws);
        cache.gtu_input.keep(normed);
        input = normed;
    } else {
        detail::resize_kept(cache.glu_sum, rows, width());
    }
    gtu_.forward(parameters.gtu, input, checked, cache.gtu_sum, cache.gtu, ws);
    dropout<Scalar>(options_.dropout, mask(cache, 0), cache.gtu_sum);
    detail::add_rows<Scalar>(x, cache.gtu_sum);
    norm_.forward(pre ? parameters.glu_norm : parameters.gtu_norm, cache.gtu_sum, checked, glu_input,
                  pre ? cache.glu_norm : cache.gtu_norm, ws);
    cache.glu_input.keep(glu_input);
    const MatrixView<Scalar> sum = pre ? y : MatrixView<Scalar>(cache.glu_sum);
    glu_.forward(parameters.glu, glu_input, checked, sum, cache.glu, ws);
    dropout<Scalar>(options_.dropout, mask(cache, 1), sum);
    detail::add_rows<Scalar>(pre ? MatrixView<Scalar>(cache.gtu_sum) : glu_input, sum);
    if (!pre) norm_.forward(parameters.glu_norm, cache.glu_sum, checked, y, cache.glu_norm, ws);
    if (!sequences.is_checked()) detail::clear_padding(y, checked);
    cache.sequences.keep(sequences, checked);
}

template <TokenMixer MixerType, class NormLayerType>
void Block<MixerType, NormLayerType>::backward(const Parameters& parameters, MatrixView<const Scalar> x,
                                               const Cache& cache, MatrixView<const Scalar> g,
                                               MatrixView<Scalar> dx, Parameters& gradients,
                                               Workspace& ws) const {
    const char* where = "Block::backward";
    check(x, g, where);
    detail::require_rows<Scalar>(dx, x.rows(), width(), 703, where, "dx");
    if (cache.sequences.empty() || cache.gtu_sum.rows() != x.rows()) {
        detail::raise<shape_error>(705, where, "the cache of a forward pass of x",
                                   detail::text(cache.gtu_sum.rows(), " rows"));
    }
    const bool pre = is_pre();
    const Sequences sequences = cache.sequences.get();
    const bool outermost = cache.sequences.is_outermost();
    Workspace::Scope scope(ws);
    if (outermost) x = detail::without_padding(x, sequences, scope);
    // dsum is the gradient with respect to the sum on the residual path, dunit that of what a unit added.
    const MatrixView<Scalar> dsum = scope.matrix<Scalar>(x.rows(), width());
    const MatrixView<Scalar> dunit = scope.matrix<Scalar>(x.rows(), width());
    const MatrixView<Scalar> din = scope.matrix<Scalar>(x.rows(), width());
    // For what a unit has seen, where it is rounded.
    const bool is_exact = options_.precision == Precision::exact;
    const MatrixView<Scalar> seen = is_exact ? MatrixView<Scalar>() : scope.matrix<Scalar>(x.rows(), width());
    detail::copy_rows<Scalar>(g, dsum);
    if (outermost) detail::clear_padding(dsum, sequences);
    if (!pre) {
        norm_.backward(parameters.glu_norm, cache.glu_sum, cache.glu_norm, dsum, dsum, gradients.glu_norm,
                       ws);
    }
    glu_.backward(parameters.glu, cache.glu_input.read(seen), cache.glu, dropped(dsum, mask(cache, 1), dunit),
                  din, gradients.glu, ws);
    if (pre) {
        norm_.backward(parameters.glu_norm, cache.gtu_sum, cache.glu_norm, din, din, gradients.glu_norm, ws);
        detail::add_rows<Scalar>(din, dsum);
    } else {
        detail::add_rows<Scalar>(dsum, din);
        norm_.backward(parameters.gtu_norm, cache.gtu_sum, cache.gtu_norm, din, dsum, gradients.gtu_norm, ws);
    }
    gtu_.backward(parameters.gtu, pre ? cache.gtu_input.read(seen) : x, cache.gtu,
                  dropped(dsum, mask(cache, 0), dunit), din, gradients.gtu, ws);
    if (pre) {
        norm_.backward(parameters.gtu_norm, x, cache.gtu_norm, din, din, gradients.gtu_norm, ws);
    }
    detail::add_rows<Scalar>(dsum, din);
    detail::copy_rows<Scalar>(din, dx);
}

template <TokenMixer MixerType, class NormLayerType>
typename Block<MixerType, NormLayerType>::Parameters Block<MixerType, NormLayerType>::make_parameters(
    std::uint64_t seed) const {
    const CounterRandom random(seed);
    return {gtu_.make_parameters(random.bits(0)), norm_.make_parameters(),
            glu_.make_parameters(random.bits(1)), norm_.make_parameters()};
}

template <TokenMixer MixerType, class NormLayerType>
typename Block<MixerType, NormLayerType>::Options Block<MixerType, NormLayerType>::completed(
    Options options) {
    detail::require_positive(options.width, "Block", "width");
    detail::require_dropout_rate(options.dropout, "Block");
    options.gtu.width = options.width;
    options.glu.width = options.width;
    options.norm.channels = options.width;
    options.gtu.precision = options.precision;
    options.glu.precision = options.precision;
    return options;
}

template <TokenMixer MixerType, class NormLayerType>
void Block<MixerType, NormLayerType>::Prepared::evaluate(MatrixView<const Scalar> x, MatrixView<Scalar> y,
                                                         Workspace& ws, const Sequences& sequences) const {
    block_.check(x, y, "Block::Prepared::evaluate");
    const Sequences checked = sequences.within(x.rows(), length_, "Block::Prepared::evaluate");
    Workspace::Scope scope(ws);
    if (!sequences.is_checked()) x = detail::without_padding(x, checked, scope);
    run([&](MatrixView<const Scalar> in, MatrixView<Scalar> out) { gtu_.evaluate(in, out, ws, checked); }, x,
        y, ws, checked);
    if (!sequences.is_checked()) detail::clear_padding(y, checked);
}

template <TokenMixer MixerType, class NormLayerType>
Block<MixerType, NormLayerType>::Prepared::Prepared(const Block& block, const Parameters& all,
                                                    const PrepareOptions& options)
    : block_(block),
      gtu_(block.gtu_.prepare(all.gtu, options)),
      glu_(block.glu_.prepare(all.glu, options)),
      gtu_norm_(block.norm_.prepare(all.gtu_norm, options.length)),
      glu_norm_(block.norm_.prepare(all.glu_norm, options.length)),
      length_(options.length) {}

}  // namespace toeplitz::inline TOEPLITZ_ABI
