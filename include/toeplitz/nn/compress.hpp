// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A trained exact mixer becomes one of O(n) whose error is proven (docs/certificates.md).

#include <vector>

#include <toeplitz/approximation/choose.hpp>
#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/sequences.hpp>
#include <toeplitz/core/options.hpp>
#include <toeplitz/nn/model.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct CertifiedTnoOptions {
    Index channels = 0;  ///< d ≥ 1; a layer fills it in
    Index length = 0;    ///< n ≥ 1: of all sequences

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("channels", sets.channels...);
        f("length", sets.length...);
    }
};

/// Some neighbouring channels that share taps and rank: band + W A Wᵀ, or the exact operator.
template <Real Scalar>
struct CertifiedTnoGroup {
    Matrix<Scalar> taps;      ///< m × channels; empty: no band
    Matrix<Scalar> inducing;  ///< (2r−1) × channels; empty: no low rank
    Matrix<Scalar> lags;      ///< (2n−1) × channels: the kernel, where both are empty
    Vector<double> bounds;    ///< channels: proven for taps and inducing values as compress() returned them

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        detail::visit_present(f, "taps", sets.taps...);
        detail::visit_present(f, "inducing", sets.inducing...);
        detail::visit_present(f, "lags", sets.lags...);
        f(ParameterName::buffer("bounds"), sets.bounds...);
    }
};

/// Names: groups.{i}.taps, .inducing, .lags, .bounds.
template <Real Scalar>
struct CertifiedTnoParameters {
    std::vector<CertifiedTnoGroup<Scalar>> groups;  ///< from the first channel to the last

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        const std::size_t count = std::min({sets.groups.size()...});
        for (std::size_t i = 0; i < count; ++i) {
            CertifiedTnoGroup<Scalar>::for_each(detail::under("groups", static_cast<Index>(i), f),
                                                sets.groups[i]...);
        }
    }
};

/// y = (band + W A Wᵀ) x, or the exact product for channels that nothing cheaper is known for: what
/// compress() makes of a Tno or a bidirectional FdTno, for sequences of one length.
///
/// Taps, inducing values and lags are parameters that can be trained further; the bounds beside them then no
/// longer hold. Cost O(n + r log r) per channel, or O(n log n)
template <Real ScalarType>
class CertifiedTno {
public:
    using Scalar = ScalarType;
    using Options = CertifiedTnoOptions;
    using Parameters = CertifiedTnoParameters<Scalar>;
    using Operator = CertifiedOperator<Scalar>;

    struct Cache {
        std::vector<Operator> ops;  ///< of the last forward pass, one per group
        KeptSequences sequences;
    };

    /// \throws config_error 201
    explicit CertifiedTno(const Options& options) : options_(options) {
        detail::require_positive(options.channels, name, "channels");
        detail::require_positive(options.length, name, "length");
    }

    static constexpr Causality causality() noexcept { return Causality::bidirectional; }
    const Options& options() const noexcept { return options_; }
    Index channels() const noexcept { return options_.channels; }

    /// The exact operator of a kernel that is 0: what there is to learn comes from compress().
    Parameters make_parameters(std::uint64_t /*seed*/ = 0) const {
        Parameters parameters;
        auto& group = parameters.groups.emplace_back();
        group.lags = Matrix<Scalar>::Zero(2 * options_.length - 1, channels());
        group.bounds = Vector<double>::Zero(channels());
        return parameters;
    }

    /// y = T x. \throws shape_error 405 (parameters), 502 to 504, 210 to 212; value_error 530; config_error
    /// 760 (sequences of another length) Cost the operators' | heap: the operators | thread-safe: yes | same
    /// bits for any number of threads
    void forward(const Parameters& parameters, MatrixView<const Scalar> x, const Sequences& sequences,
                 MatrixView<Scalar> y, Cache& cache, Workspace& ws) const {
        const Sequences checked = sequences.within(x.rows(), 0, name);
        cache.ops = operators(parameters, checked.length());
        cache.sequences.keep(sequences, checked);
        apply(cache.ops, x, y, ws, checked);
    }

    /// dx = Tᵀ g, and gradients += the gradient with respect to the parameters. \throws shape_error 705, 405,
    /// 502 to 504
    void backward(const Parameters& /*parameters*/, MatrixView<const Scalar> x, const Cache& cache,
                  MatrixView<const Scalar> g, MatrixView<Scalar> dx, Parameters& gradients,
                  Workspace& ws) const {
        if (cache.ops.empty()) {
            detail::raise<shape_error>(705, "CertifiedTno::backward", "the cache of a forward pass",
                                       "an empty one");
        }
        if (gradients.groups.size() != cache.ops.size())
            refuse("gradients", "as many groups as the parameters");
        const Sequences sequences = cache.sequences.get();
        Index first = 0;
        for (std::size_t i = 0; i < cache.ops.size(); ++i) {
            const Operator& op = cache.ops[i];
            const auto part = [&](auto view) { return detail::columns(view, first, op.channels()); };
            op.apply_adjoint(part(g), part(dx), ws, sequences);
            std::visit(
                [&](const auto& one) {
                    add_gradient(one, part(x), part(g), gradients.groups[i], ws, sequences);
                },
                op.get());
            first += op.channels();
        }
    }

    /// The operators. Immutable and shareable.
    class Prepared {
    public:
        const std::vector<Operator>& ops() const noexcept { return ops_; }
        Index length() const noexcept { return ops_[0].length(); }
        /// heap: none with a warm workspace | thread-safe: yes
        void evaluate(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
                      const Sequences& sequences = {}) const {
            apply(ops_, x, y, ws, sequences);
        }

    private:
        friend CertifiedTno;
        explicit Prepared(std::vector<Operator> ops) : ops_(std::move(ops)) {}
        std::vector<Operator> ops_;
    };

    /// \throws shape_error 405, value_error 530, config_error 760
    Prepared prepare(const Parameters& parameters, Index length) const {
        return Prepared(operators(parameters, length));
    }
    Prepared prepare(const std::shared_ptr<const Parameters>& parameters, Index length) const {
        return prepare(*parameters, length);
    }

private:
    static constexpr const char* name = "CertifiedTno";

    [[noreturn]] static void refuse(const char* what, std::string_view expected) {
        detail::raise<shape_error>(405, name, detail::text(what, " with ", expected), "others");
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
        for (const auto& group : parameters.groups) {
            const Index count = group.bounds.size();
            const SparsePlusLowRank<Scalar> made{group.taps, group.inducing};
            const bool is_exact = made.taps.size() == 0 && made.inducing.size() == 0;
            if (is_exact && (group.lags.rows() != 2 * length - 1 || group.lags.cols() != count)) {
                refuse("parameters", "taps, inducing values or 2n-1 lags in every group");
            }
            // Lags count for their shape alone where there is an approximation.
            const MatrixView<const Scalar> lags =
                is_exact ? MatrixView<const Scalar>(group.lags)
                         : MatrixView<const Scalar>(nullptr, 2 * length - 1, count, count, 1);
            if (count < 1) refuse("parameters", "a bound for each channel of a group");
            ops.emplace_back(lags, made);
            first += count;
        }
        if (first != channels()) refuse("parameters", detail::text("groups of ", channels(), " channels"));
        return ops;
    }

    static void apply(const std::vector<Operator>& ops, MatrixView<const Scalar> x, MatrixView<Scalar> y,
                      Workspace& ws, const Sequences& sequences) {
        Index first = 0;
        for (const Operator& op : ops) first += op.channels();
        detail::require_rows<Scalar>(x, x.rows(), first, 502, name, "x");
        detail::require_rows<Scalar>(y, x.rows(), first, 503, name, "y");
        first = 0;
        for (const Operator& op : ops) {
            op.apply(detail::columns(x, first, op.channels()), detail::columns(y, first, op.channels()), ws,
                     sequences);
            first += op.channels();
        }
    }

    template <class Op>
    static void add_gradient(const Op& op, MatrixView<const Scalar> x, MatrixView<const Scalar> g,
                             CertifiedTnoGroup<Scalar>& to, Workspace& ws, const Sequences& sequences) {
        if constexpr (std::is_same_v<Op, Fft<Scalar>>) {
            op.accumulate_kernel_gradient(x, g, to.lags, ws, sequences);
        } else if constexpr (std::is_same_v<Op, Band<Scalar>>) {
            op.accumulate_kernel_gradient(x, g, to.taps, ws, sequences);
        } else if constexpr (std::is_same_v<Op, Ski<Scalar>>) {
            op.accumulate_kernel_gradient(x, g, to.inducing, ws, sequences);
        } else {
            add_gradient(op.first(), x, g, to, ws, sequences);
            add_gradient(op.second(), x, g, to, ws, sequences);
        }
    }

    Options options_;
};

/// What compress() found for some neighbouring channels of a layer.
struct GroupCertificate {
    Index first = 0;
    Index channels = 0;
    Certificate certificate;    ///< its bound is the largest of the channels'
    Vector<double> bounds;      ///< of each channel
    Vector<double> tolerances;  ///< absolute, of each channel
};

/// Cost of a layer's products by the model, against the exact ones.
inline double cost_ratio(const std::vector<GroupCertificate>& layer) {
    double cost = 0;
    double exact = 0;
    for (const GroupCertificate& group : layer) {
        const double channels = static_cast<double>(group.channels);
        cost += channels * group.certificate.cost;
        exact += channels * group.certificate.cost / group.certificate.cost_ratio;
    }
    return exact > 0 ? cost / exact : 1;
}

template <Real Scalar>
struct CompressedMixer {
    CertifiedTnoOptions options;
    CertifiedTnoParameters<Scalar> parameters;
    std::vector<GroupCertificate> certificates;  ///< of each group
};

namespace detail {

/// Channels that choose taps and rank together: the lanes that the exact product works on at once.
inline constexpr Index compressed_channels = 16;
/// How much longer the approximations of such blocks take than those of all channels at once, measured at
/// n = 784, d = 64, r = 32 to 224: 1.5 to 2.0. The exact product takes as long.
inline constexpr double block_overhead = 1.7;

/// The cheaper of one choice for all channels, and one for every block of them.
template <Real Scalar>
std::vector<Choice<Scalar>> choose_blocks(MatrixView<const Scalar> lags, const ChooseOptions& options) {
    check_choice(lags, options);
    const auto choose_all = [&](MatrixView<const Scalar> part) {
        return choose_group(part, LagSampler<Scalar>(part), options);
    };
    const Index blocks = (lags.cols() + compressed_channels - 1) / compressed_channels;
    std::vector<Choice<Scalar>> parts(static_cast<std::size_t>(blocks));
    parallel_chunks(blocks, thread_count(blocks, lags.size() * 100), [&](Index begin, Index end, int) {
        for (Index b = begin; b < end; ++b) {
            const Index first = b * compressed_channels;
            // Rows of neighbours of its own: a column at a time is read from them many times.
            const Matrix<Scalar> block =
                columns(lags, first, std::min(compressed_channels, lags.cols() - first)).eigen();
            Choice<Scalar>& part = parts[static_cast<std::size_t>(b)];
            part = choose_all(block);
            part.first = first;
        }
    });
    if (blocks == 1) return parts;
    double together = 0;
    for (const Choice<Scalar>& part : parts) {
        const double overhead = part.certificate.method == Method::fft ? 1 : block_overhead;
        together += overhead * part.certificate.cost * static_cast<double>(part.channels);
    }
    Choice<Scalar> whole = choose_all(lags);
    if (whole.certificate.cost * static_cast<double>(lags.cols()) > together) return parts;
    parts.clear();
    parts.push_back(std::move(whole));
    return parts;
}

/// Columns of `more` to the right of those of `to`.
template <class M>
void append_columns(M& to, const M& more) {
    if (more.size() == 0) return;
    const Index before = to.cols();
    M joined(more.rows(), before + more.cols());
    if (before > 0) joined.leftCols(before) = to;
    joined.rightCols(more.cols()) = more;
    to = std::move(joined);
}
inline void append_rows(Vector<double>& to, const Vector<double>& more) {
    Vector<double> joined(to.size() + more.size());
    joined << to, more;
    to = std::move(joined);
}

}  // namespace detail

/// Replaces a kernel given at all lags, (2n−1) × d. As compress() for a mixer.
/// \throws shape_error 550, value_error 530, config_error 553
template <Real Scalar>
CompressedMixer<Scalar> compress_lags(std::type_identity_t<MatrixView<const Scalar>> lags,
                                      const ChooseOptions& options) {
    const Index n = detail::checked_length(lags, "compress");
    CompressedMixer<Scalar> result{{.channels = lags.cols(), .length = n}, {}, {}};
    auto& groups = result.parameters.groups;
    for (Choice<Scalar>& choice : detail::choose_blocks<Scalar>(lags, options)) {
        const Certificate& made = choice.certificate;
        // Neighbours of the same shape are one group: one operator, without bounds between its channels.
        const bool joins = !groups.empty() && result.certificates.back().certificate.taps == made.taps &&
                           result.certificates.back().certificate.rank == made.rank;
        if (!joins) {
            groups.emplace_back();
            result.certificates.push_back({choice.first, 0, made, {}, {}});
        }
        CertifiedTnoGroup<Scalar>& group = groups.back();
        GroupCertificate& certificate = result.certificates.back();
        detail::append_columns(group.taps, choice.approximation.taps);
        detail::append_columns(group.inducing, choice.approximation.inducing);
        if (made.method == Method::fft) {
            detail::append_columns<Matrix<Scalar>>(
                group.lags, detail::columns(lags, choice.first, choice.channels).eigen());
        }
        detail::append_rows(group.bounds, choice.bounds);
        detail::append_rows(certificate.tolerances, choice.tolerances);
        detail::assign_kept(certificate.bounds, group.bounds);
        certificate.channels += choice.channels;
        certificate.certificate.bound = std::max(certificate.certificate.bound, made.bound);
    }
    return result;
}

/// Replaces the kernel of a trained Tno or FdTno by the cheapest operators that keep the tolerance in every
/// channel, for sequences of one length.
///
/// All channels share taps and rank, or blocks of 16 of them where that is cheaper by the cost model and what
/// operators of few channels cost in addition. Blocks that nothing cheaper qualifies for keep their lags and
/// the exact product.
/// \throws shape_error 405 (parameters), config_error 201, 553
template <class Mixer>
CompressedMixer<typename Mixer::Scalar> compress(const Mixer& mixer,
                                                 const typename Mixer::Parameters& parameters, Index length,
                                                 const ChooseOptions& options) {
    static_assert(Mixer::causality() == Causality::bidirectional,
                  "toeplitz: compress() takes bidirectional mixers: W A Wᵀ is never causal.");
    detail::require_positive(length, "compress", "length");
    const Matrix<typename Mixer::Scalar> lags = mixer.kernel_lags(parameters, length);
    return compress_lags<typename Mixer::Scalar>(lags, options);
}

/// A compressed model, ready to be prepared, trained on and saved.
template <class M>
struct CompressedModel {
    M model;
    typename M::Parameters parameters;
    std::vector<std::vector<GroupCertificate>> layers;
};

/// The options of the model that compress() makes of one, for sequences of `length`.
template <class Mixer, class Norm, class Input>
auto compressed_options(const Model<Mixer, Norm, Input>& model, Index length) {
    typename Model<CertifiedTno<typename Mixer::Scalar>, Norm, Input>::Options options;
    copy_options(model.options(), options);
    options.block.gtu.mixer.length = length;
    return options;
}

/// A trained model with the mixers of all layers compressed and everything else as it was.
/// \throws as for a mixer, and shape_error 405 for another number of layers
template <class Mixer, class Norm, class Input>
CompressedModel<Model<CertifiedTno<typename Mixer::Scalar>, Norm, Input>> compress(
    const Model<Mixer, Norm, Input>& model, const typename Model<Mixer, Norm, Input>::Parameters& parameters,
    Index length, const ChooseOptions& options) {
    using Scalar = typename Mixer::Scalar;
    CompressedModel<Model<CertifiedTno<Scalar>, Norm, Input>> result{
        Model<CertifiedTno<Scalar>, Norm, Input>(compressed_options(model, length)), {}, {}};
    if (static_cast<Index>(parameters.layers.size()) != model.options().layers) {
        detail::raise<shape_error>(405, "compress",
                                   detail::text("parameters of ", model.options().layers, " layers"),
                                   std::to_string(parameters.layers.size()));
    }
    auto& made = result.parameters;
    made.embed = parameters.embed;
    made.norm = parameters.norm;
    made.out = parameters.out;
    for (const auto& layer : parameters.layers) {
        auto mixer = compress(model.block().gtu().mixer(), layer.gtu.toep, length, options);
        made.layers.push_back(
            {{layer.gtu.v_proj, layer.gtu.u_proj, layer.gtu.o, layer.gtu.norm, std::move(mixer.parameters)},
             layer.gtu_norm,
             layer.glu,
             layer.glu_norm});
        result.layers.push_back(std::move(mixer.certificates));
    }
    return result;
}

/// How far outputs are from those of the exact model.
struct OutputError {
    double relative = 0;  ///< ‖y − y₀‖ / ‖y₀‖, Frobenius
    double largest = 0;   ///< of a single number
};

/// Measures two prepared models, or mixers, on the same inputs; their outputs are rows × columns.
template <Real Scalar, class Exact, class Other, class Inputs>
OutputError output_error(const Exact& exact, const Other& other, const Inputs& inputs, Index rows,
                         Index columns, Lengths lengths = {}) {
    Workspace ws;
    Matrix<Scalar> y0(rows, columns);
    Matrix<Scalar> y(rows, columns);
    exact.evaluate(inputs, y0, ws, lengths);
    other.evaluate(inputs, y, ws, lengths);
    const double size = y0.template cast<double>().norm();
    const Matrix<double> difference = y.template cast<double>() - y0.template cast<double>();
    const double distance = difference.norm();
    return {size > 0 ? distance / size : distance, difference.cwiseAbs().maxCoeff()};
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
