// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The gated Toeplitz unit: out = W_o [norm](act(W_u x) ⊙ T act(W_v x)).

#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/sequences.hpp>
#include <toeplitz/dense/activation.hpp>
#include <toeplitz/dense/kept_matrix.hpp>
#include <toeplitz/dense/row_tiles.hpp>
#include <toeplitz/nn/linear.hpp>
#include <toeplitz/nn/mixer.hpp>
#include <toeplitz/nn/norm.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

template <class Mixer>
struct GtuOptions {
    Index width = 0;        ///< d ≥ 1: channels of x; a block fills it in
    Index inner_width = 0;  ///< e: channels of the mixer; 0 for 3 d
    Activation activation = Activation::silu;
    std::optional<Norm> norm{};  ///< of the gated sequence, before the last map
    Bias bias = Bias::add;
    typename Mixer::Options mixer{};         ///< its channels are filled in
    Precision precision = Precision::exact;  ///< of training; a model fills it in

    static constexpr const char* unvisited_options[] = {"precision"};

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("width", sets.width...);
        f("inner_width", sets.inner_width...);
        f("activation", sets.activation...);
        f("norm", sets.norm...);
        f("bias", sets.bias...);
        f("mixer", sets.mixer...);
    }
};

/// Official names: v_proj.*, u_proj.*, o.*, norm.*, toep.*.
template <class Mixer>
struct GtuParameters {
    using Scalar = typename Mixer::Scalar;
    LinearParameters<Scalar> v_proj;  ///< e × d
    LinearParameters<Scalar> u_proj;  ///< e × d
    LinearParameters<Scalar> o;       ///< d × e
    NormParameters<Scalar> norm;
    typename Mixer::Parameters toep;

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        LinearParameters<Scalar>::for_each(detail::under("v_proj", f), sets.v_proj...);
        LinearParameters<Scalar>::for_each(detail::under("u_proj", f), sets.u_proj...);
        LinearParameters<Scalar>::for_each(detail::under("o", f), sets.o...);
        NormParameters<Scalar>::for_each(detail::under("norm", f), sets.norm...);
        Mixer::Parameters::for_each(detail::under("toep", f), sets.toep...);
    }
    template <class F, class... Sets>
    static void for_each_weight(F&& f, Sets&... sets) {
        LinearParameters<Scalar>::for_each_weight(detail::under("v_proj", f), sets.v_proj...);
        LinearParameters<Scalar>::for_each_weight(detail::under("u_proj", f), sets.u_proj...);
        LinearParameters<Scalar>::for_each_weight(detail::under("o", f), sets.o...);
    }
};

/// The token-mixing half of a TNN layer.
///
/// Members may run at the same time with distinct caches, gradients and workspaces; results are the same bits
/// for any number of threads. Rows must have neighbouring channels.
template <TokenMixer MixerType>
class Gtu {
public:
    using Mixer = MixerType;
    using Scalar = typename Mixer::Scalar;
    using Options = GtuOptions<Mixer>;
    using Parameters = GtuParameters<Mixer>;

    struct Cache {
        KeptMatrix<Scalar> u;      ///< W_u x + b
        KeptMatrix<Scalar> v;      ///< W_v x + b
        KeptMatrix<Scalar> mixed;  ///< T act(v)
        typename Mixer::Cache mixer;
        KeptSequences sequences;
    };

    /// \throws config_error 201, 202, 744 (precision) and those of the mixer
    explicit Gtu(const Options& options) : options_(completed(options)), mixer_(options_.mixer) {
        if (options_.norm) norm_.emplace(RowNormOptions{.channels = inner_width(), .norm = *options_.norm});
    }

    const Options& options() const noexcept { return options_; }
    const Mixer& mixer() const noexcept { return mixer_; }
    Index width() const noexcept { return options_.width; }
    Index inner_width() const noexcept { return options_.inner_width; }

    /// Drawn from `seed`: maps uniform in ±1/√inputs.
    Parameters make_parameters(std::uint64_t seed = 0) const;

    /// Bytes that forward and backward take from their workspace for B sequences of a length.
    std::size_t required_workspace(Index batch, Index length) const requires HasRequiredWorkspace<Mixer> {
        const Index rows = batch * length;
        const std::size_t inner = Workspace::bytes_for<Scalar>(rows * inner_width());
        const std::size_t norm = norm_ ? inner + norm_->required_workspace(batch, length) : 0;
        const Precision precision = options_.precision;
        const std::size_t part =
            (std::max)({mixer_.required_workspace(batch, length),
                        detail::linear_workspace<Scalar>(rows, inner_width(), width(), precision),
                        detail::linear_workspace<Scalar>(rows, width(), inner_width(), precision)});
        return 2 * Workspace::bytes_for<Scalar>(rows * width()) + 4 * inner + norm + part;
    }

    /// y = Gtu(x); x and y (B·n) × d.
    /// \throws shape_error 405 (parameters), 210 to 212, 703, 704, and those of the mixer
    /// Cost 3 products of rows × d × e and the mixer's | heap: the cache, when it grows | thread-safe: yes
    void forward(const Parameters& parameters, MatrixView<const Scalar> x, const Sequences& sequences,
                 MatrixView<Scalar> y, Cache& cache, Workspace& ws) const;

    /// dx = the gradient with respect to x, given g with respect to y; adds to gradients. x as in forward.
    /// \throws shape_error 705 (cache), 405 (parameters, gradients), 703 (x, dx), 704 (g), the mixer's own.
    ///
    /// Cost twice forward | heap: none with a reserved workspace | thread-safe: yes
    void backward(const Parameters& parameters, MatrixView<const Scalar> x, const Cache& cache,
                  MatrixView<const Scalar> g, MatrixView<Scalar> dx, Parameters& gradients,
                  Workspace& ws) const;

    /// The unit with packed weights and the kernel of one length.
    class Prepared {
    public:
        Index length() const noexcept { return length_; }

        /// y = Gtu(x), as forward. \throws shape_error 210 to 212, 703 (x), 704 (y)
        /// heap: none with a reserved workspace | thread-safe: yes
        void evaluate(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
                      const Sequences& sequences = {}) const;

        /// The same where mix(v, mixed) takes the mixer's place: rows of any number, as of a stream.
        /// \throws as mix
        template <class Mix>
        void evaluate_with(Mix&& mix, MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws) const {
            Workspace::Scope scope(ws);
            const MatrixView<Scalar> v = scope.matrix<Scalar>(x.rows(), gtu_.inner_width());
            const MatrixView<Scalar> mixed = scope.matrix<Scalar>(x.rows(), gtu_.inner_width());
            gtu_.run(
                maps_, x, v, v, mixed, v, nullptr, y, ws,
                [&](MatrixView<const Scalar> input) { mix(input, mixed); },
                [&](MatrixView<Scalar> gated) {
                    if (norm_) norm_->evaluate(gated, gated, ws);
                });
        }

        /// Bytes that evaluate takes from its workspace for B sequences, one after another.
        std::size_t required_workspace(Index batch = 1) const {
            const Index rows = batch * length_;
            return Workspace::bytes_for<Scalar>(rows * gtu_.width()) + row_workspace(rows) +
                   mixer_.required_workspace(batch);
        }
        /// Bytes that evaluate_with takes for some rows.
        std::size_t row_workspace(Index rows) const {
            return 2 * Workspace::bytes_for<Scalar>(rows * gtu_.inner_width()) +
                   (std::max)({maps_.v_proj.row_workspace(rows), maps_.u_proj.row_workspace(rows),
                               maps_.o.row_workspace(rows)});
        }
        const typename Mixer::Prepared& mixer() const noexcept { return mixer_; }
        /// Bytes held.
        std::size_t state_bytes() const {
            return maps_.v_proj.state_bytes() + maps_.u_proj.state_bytes() + maps_.o.state_bytes() +
                   (norm_ ? norm_->state_bytes() : 0) + mixer_.state_bytes();
        }

    private:
        friend Gtu;
        struct Maps {
            PackedLinear<Scalar> v_proj, u_proj, o;
        };
        Prepared(const Gtu& gtu, const Parameters& parameters, const PrepareOptions& options);

        Gtu gtu_;
        Maps maps_;
        std::optional<typename RowNorm<Scalar>::Prepared> norm_;
        typename Mixer::Prepared mixer_;
        Index length_;
    };

    /// For inference at one length; the parameters are copied.
    /// \throws shape_error 405, config_error 440 and those of the mixer
    Prepared prepare(const Parameters& parameters, const PrepareOptions& options) const {
        require_set(parameters, "parameters", "Gtu::prepare", detail::Use::inference);
        return Prepared(*this, parameters, options);
    }
    Prepared prepare(const Parameters& parameters, Index length) const {
        return prepare(parameters, PrepareOptions{.length = length});
    }

private:
    static Options completed(Options options);

    void require_set(const Parameters& set, const char* what, const char* where,
                     detail::Use use = detail::Use::training) const;
    void check(MatrixView<const Scalar> x, MatrixView<const Scalar> y, const char* where) const {
        detail::require_rows<Scalar>(x, x.rows(), width(), 703, where, "x");
        detail::require_rows<Scalar>(y, x.rows(), width(), 704, where, "y or g");
    }

    /// y = W_o norm(act(u) ⊙ mixed) of maps as they are or packed, where u and v become W_u x + b and
    /// W_v x + b, `mix(act(v))` leaves its result in `mixed`, and `normalize` works in place; what these
    /// three are is kept in `cache` unless it is null. u, v and the scratch memory `gated` may be one.
    template <class Maps, class Mix, class Normalize>
    void run(const Maps& maps, MatrixView<const Scalar> x, MatrixView<Scalar> v, MatrixView<Scalar> u,
             MatrixView<Scalar> mixed, MatrixView<Scalar> gated, Cache* cache, MatrixView<Scalar> y,
             Workspace& ws, Mix&& mix, Normalize&& normalize) const {
        const Activation act = options_.activation;
        auto activated = [&](Index row, Index col, MatrixView<Scalar> part) {
            if (cache != nullptr) cache->v.keep(row, col, part);
            for (Index i = 0; i < part.rows(); ++i) {
                detail::activate<Scalar>(act, part.row(i), &gated(row + i, col), nullptr, part.cols());
            }
        };
        detail::linear_forward<Scalar>(maps.v_proj, x, v, ws, activated);
        mix(gated);
        auto gate = [&](Index row, Index col, MatrixView<Scalar> part) {
            if (cache != nullptr) {
                cache->u.keep(row, col, part);
                cache->mixed.keep(row, col, mixed.block(row, col, part.rows(), part.cols()));
            }
            for (Index i = 0; i < part.rows(); ++i) {
                detail::activate_times<Scalar>(act, part.row(i), &mixed(row + i, col), &gated(row + i, col),
                                               part.cols());
            }
        };
        detail::linear_forward<Scalar>(maps.u_proj, x, u, ws, gate);
        normalize(gated);
        detail::linear_forward<Scalar>(maps.o, gated, y, ws);
    }

    /// A map of its parameters as training computes it.
    detail::LinearMap<Scalar> trained(const LinearParameters<Scalar>& map) const noexcept {
        return {map, options_.precision};
    }

    Options options_;
    Mixer mixer_;
    std::optional<RowNorm<Scalar>> norm_;
};

template <TokenMixer MixerType>
void Gtu<MixerType>::forward(const Parameters& parameters, MatrixView<const Scalar> x,
                             const Sequences& sequences, MatrixView<Scalar> y, Cache& cache,
                             Workspace& ws) const {
    const char* where = "Gtu::forward";
    require_set(parameters, "parameters", where);
    check(x, y, where);
    const Sequences checked = sequences.within(x.rows(), 0, where);
    cache.sequences.forget();
    const Index rows = x.rows();
    Workspace::Scope scope(ws);
    if (!sequences.is_checked()) x = detail::without_padding(x, checked, scope);
    const MatrixView<Scalar> gated = scope.matrix<Scalar>(rows, inner_width());
    const auto values = [&](KeptMatrix<Scalar>& kept) {
        return kept.resize(rows, inner_width(), options_.precision, scope);
    };
    const MatrixView<Scalar> v = values(cache.v);
    const MatrixView<Scalar> mixed = values(cache.mixed);
    const MatrixView<Scalar> u = values(cache.u);
    detail::set_precision(cache.mixer, options_.precision);
    struct Maps {
        detail::LinearMap<Scalar> v_proj, u_proj, o;
    };
    run(
        Maps{trained(parameters.v_proj), trained(parameters.u_proj), trained(parameters.o)}, x, v, u, mixed,
        gated, &cache, y, ws,
        [&](MatrixView<const Scalar> input) {
            mixer_.forward(parameters.toep, input, checked, mixed, cache.mixer, ws);
        },
        [&](MatrixView<Scalar> product) {
            if (!norm_) return;
            typename RowNorm<Scalar>::Cache none;
            norm_->forward(parameters.norm, product, checked, product, none, ws);
        });
    if (!sequences.is_checked()) detail::clear_padding(y, checked);
    cache.sequences.keep(sequences, checked);
}

template <TokenMixer MixerType>
void Gtu<MixerType>::backward(const Parameters& parameters, MatrixView<const Scalar> x, const Cache& cache,
                              MatrixView<const Scalar> g, MatrixView<Scalar> dx, Parameters& gradients,
                              Workspace& ws) const {
    const char* where = "Gtu::backward";
    require_set(parameters, "parameters", where);
    require_set(gradients, "gradients", where);
    check(x, g, where);
    detail::require_rows<Scalar>(dx, x.rows(), width(), 703, where, "dx");
    const Index rows = x.rows();
    if (cache.sequences.empty() || cache.u.rows() != rows || cache.u.cols() != inner_width()) {
        detail::raise<shape_error>(705, where, "the cache of a forward pass of x",
                                   detail::shape_text(cache.u.rows(), cache.u.cols()));
    }
    const Sequences sequences = cache.sequences.get();
    Workspace::Scope scope(ws);
    if (cache.sequences.is_outermost()) {
        x = detail::without_padding(x, sequences, scope);
        g = detail::without_padding(g, sequences, scope);
    }
    const MatrixView<Scalar> du = scope.matrix<Scalar>(rows, inner_width());
    const MatrixView<Scalar> dmixed = scope.matrix<Scalar>(rows, inner_width());
    const MatrixView<Scalar> v = scope.matrix<Scalar>(rows, inner_width());
    const MatrixView<Scalar> dv = scope.matrix<Scalar>(rows, inner_width());

    // Through the last map and the gate: v holds the gated sequence, dv its gradient.
    const Activation act = options_.activation;
    auto ungate = [&](Index row, Index col, MatrixView<Scalar> part) {
        for (Index i = 0; i < part.rows(); ++i, ++row) {
            detail::read_blocks<2>(
                {&cache.u, &cache.mixed}, row, col, part.cols(), [&](Index j, Index size, auto kept) {
                    detail::activate_times_backward<Scalar>(act, kept[0], kept[1], part.row(i) + j,
                                                            &v(row, col + j), &du(row, col + j),
                                                            &dmixed(row, col + j), size);
                });
        }
    };
    if (norm_) {
        detail::linear_adjoint<Scalar>(trained(parameters.o), g, Update::assign, dv, ws);
        detail::for_row_tiles(rows, inner_width(), [&](Index first, Index count) {
            detail::read_blocks<2>({&cache.u, &cache.mixed}, first, 0, count * inner_width(),
                                   [&](Index i, Index size, auto kept) {
                                       detail::activate_times<Scalar>(act, kept[0], kept[1], v.row(first) + i,
                                                                      size);
                                   });
        });
        const MatrixView<Scalar> normed = scope.matrix<Scalar>(rows, inner_width());
        typename RowNorm<Scalar>::Cache none;
        norm_->forward(parameters.norm, v, sequences, normed, none, ws);
        detail::add_linear_gradients<Scalar>(normed, g, gradients.o, ws, options_.precision);
        norm_->backward(parameters.norm, v, none, dv, dv, gradients.norm, ws);
        detail::for_row_tiles(rows, inner_width(), [&](Index first, Index count) {
            ungate(first, 0, dv.middle_rows(first, count));
        });
    } else {
        detail::linear_adjoint<Scalar>(trained(parameters.o), g, Update::assign, dv, ws, ungate);
        detail::add_linear_gradients<Scalar>(v, g, gradients.o, ws, options_.precision);
    }
    detail::for_row_tiles(rows, inner_width(), [&](Index first, Index count) {
        detail::read_blocks<1>({&cache.v}, first, 0, count * inner_width(),
                               [&](Index i, Index size, auto kept) {
                                   detail::activate<Scalar>(act, kept[0], v.row(first) + i, nullptr, size);
                               });
    });
    mixer_.backward(parameters.toep, v, cache.mixer, dmixed, dv, gradients.toep, ws);
    detail::for_row_tiles(rows, inner_width(), [&](Index first, Index count) {
        detail::read_blocks<1>({&cache.v}, first, 0, count * inner_width(),
                               [&](Index i, Index size, auto kept) {
                                   detail::multiply_by_slope<Scalar>(act, kept[0], dv.row(first) + i, size);
                               });
    });
    detail::add_linear_gradients<Scalar>(x, du, gradients.u_proj, ws, options_.precision);
    detail::add_linear_gradients<Scalar>(x, dv, gradients.v_proj, ws, options_.precision);
    detail::linear_adjoint<Scalar>(trained(parameters.u_proj), du, Update::assign, dx, ws);
    detail::linear_adjoint<Scalar>(trained(parameters.v_proj), dv, Update::add, dx, ws);
}

template <TokenMixer MixerType>
typename Gtu<MixerType>::Parameters Gtu<MixerType>::make_parameters(std::uint64_t seed) const {
    const CounterRandom random(seed);
    std::uint64_t drawn = 0;
    const auto map = [&](Index outputs, Index inputs) {
        return make_linear<Scalar>(outputs, inputs, options_.bias, random, drawn);
    };
    Parameters parameters;
    parameters.v_proj = map(inner_width(), width());
    parameters.u_proj = map(inner_width(), width());
    parameters.o = map(width(), inner_width());
    if (norm_) parameters.norm = norm_->make_parameters();
    parameters.toep = mixer_.make_parameters(random.bits(drawn));
    return parameters;
}

template <TokenMixer MixerType>
typename Gtu<MixerType>::Options Gtu<MixerType>::completed(Options options) {
    detail::require_positive(options.width, "Gtu", "width");
    if (options.inner_width == 0) options.inner_width = detail::checked_product(3, options.width, "Gtu");
    detail::require_positive(options.inner_width, "Gtu", "inner_width");
    detail::checked_product(options.inner_width, options.width, "Gtu");
    detail::require_precision<Scalar>(options.precision, "Gtu");
    options.mixer.channels = options.inner_width;
    return options;
}

template <TokenMixer MixerType>
void Gtu<MixerType>::require_set(const Parameters& set, const char* what, const char* where,
                                 detail::Use use) const {
    detail::require_linear(set.v_proj, inner_width(), width(), options_.bias, what, where, use);
    detail::require_linear(set.u_proj, inner_width(), width(), options_.bias, what, where, use);
    detail::require_linear(set.o, width(), inner_width(), options_.bias, what, where, use);
    if (norm_) detail::require_norm(*options_.norm, set.norm, inner_width(), what, where);
}

template <TokenMixer MixerType>
void Gtu<MixerType>::Prepared::evaluate(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
                                        const Sequences& sequences) const {
    const char* where = "Gtu::Prepared::evaluate";
    gtu_.check(x, y, where);
    const Sequences checked = sequences.within(x.rows(), length_, where);
    Workspace::Scope scope(ws);
    if (!sequences.is_checked()) x = detail::without_padding(x, checked, scope);
    evaluate_with(
        [&](MatrixView<const Scalar> v, MatrixView<Scalar> mixed) { mixer_.evaluate(v, mixed, ws, checked); },
        x, y, ws);
    if (!sequences.is_checked()) detail::clear_padding(y, checked);
}

template <TokenMixer MixerType>
Gtu<MixerType>::Prepared::Prepared(const Gtu& gtu, const Parameters& parameters,
                                   const PrepareOptions& options)
    : gtu_(gtu),
      maps_{PackedLinear<Scalar>(parameters.v_proj, options.weights),
            PackedLinear<Scalar>(parameters.u_proj, options.weights),
            PackedLinear<Scalar>(parameters.o, options.weights)},
      mixer_(gtu.mixer_.prepare(parameters.toep, options.length)),
      length_(options.length) {
    if (gtu.norm_) norm_.emplace(gtu.norm_->prepare(parameters.norm));
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
