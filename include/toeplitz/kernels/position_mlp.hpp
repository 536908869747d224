// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The relative position encoder: a small perceptron from a position to one value per channel.

#include <algorithm>
#include <vector>

#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/workspace.hpp>
#include <toeplitz/dense/activation.hpp>
#include <toeplitz/dense/linear.hpp>
#include <toeplitz/dense/normalization.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// Whether a hidden layer adds its input to its output.
enum class Residual { none, add };

struct PositionMlpOptions {
    Index channels = 0;  ///< d ≥ 1: values per position
    Index width = 64;    ///< p ≥ 1: hidden features
    Index layers = 3;    ///< L ≥ 0: hidden layers
    Activation activation = Activation::relu;
    Norm norm = Norm::simple_rms;
    Residual residual = Residual::none;
    Bias bias = Bias::add;

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("channels", sets.channels...);
        f("width", sets.width...);
        f("layers", sets.layers...);
        f("activation", sets.activation...);
        f("norm", sets.norm...);
        f("residual", sets.residual...);
        f("bias", sets.bias...);
    }
};

/// norm → activation → affine map.
template <Real Scalar>
struct PositionMlpBlock {
    NormParameters<Scalar> norm;
    LinearParameters<Scalar> linear;

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        NormParameters<Scalar>::for_each(detail::under("0", f), sets.norm...);
        LinearParameters<Scalar>::for_each(detail::under("2", f), sets.linear...);
    }
};

/// Official names: pos_proj.*, layers.i.0.* (norm), layers.i.2.* (linear), out.0.*, out.2.*.
template <Real Scalar>
struct PositionMlpParameters {
    LinearParameters<Scalar> pos_proj;             ///< p × inputs
    std::vector<PositionMlpBlock<Scalar>> layers;  ///< p × p each
    PositionMlpBlock<Scalar> out;                  ///< d × p

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        LinearParameters<Scalar>::for_each(detail::under("pos_proj", f), sets.pos_proj...);
        const std::size_t count = (std::min)({sets.layers.size()...});
        for (std::size_t i = 0; i < count; ++i) {
            PositionMlpBlock<Scalar>::for_each(detail::under("layers", static_cast<Index>(i), f),
                                               sets.layers[i]...);
        }
        PositionMlpBlock<Scalar>::for_each(detail::under("out", f), sets.out...);
    }
};

/// What PositionMlp::backward needs of a forward call; its memory is kept from call to call.
template <Real Scalar>
struct PositionMlpCache {
    Matrix<Scalar> positions;
    Buffer<Scalar> hidden;  ///< the hidden features of every layer, tile by tile
};

/// f: ℝ → ℝᵈ, one row of values per position t; or ℝ^q → ℝᵈ, where a position is q inputs:
///   h₀ = W₀ t + b₀;  h_l = [h_{l−1} +] W_l act(norm(h_{l−1})) + b_l, l = 1..L;  f = W act(norm(h_L)) + b.
///
/// The official Rpe. Positions: m × q, q = 1 unless said otherwise; values: m × d.
/// Const members may run at the same time with distinct workspaces, caches and gradients. Results are the
/// same bits for any number of OpenMP threads.
template <Real ScalarType>
class PositionMlp {
public:
    using Scalar = ScalarType;
    using Options = PositionMlpOptions;
    using Parameters = PositionMlpParameters<Scalar>;
    using Cache = PositionMlpCache<Scalar>;

    /// Parts into which sums over positions are split.
    static constexpr Index most_chunks = 8;

    /// \param inputs q ≥ 1 of a position
    /// \throws config_error 201 (channels, width or inputs < 1), 202 or 401 (layers < 0)
    explicit PositionMlp(const Options& options, Index inputs = 1) : options_(options), inputs_(inputs) {
        detail::require_positive(inputs, "PositionMlp", "inputs");
        detail::require_positive(options.channels, "PositionMlp", "channels");
        detail::require_positive(options.width, "PositionMlp", "width");
        if (options.layers < 0) {
            detail::raise<config_error>(401, "PositionMlp", "layers >= 0", std::to_string(options.layers));
        }
        detail::checked_product(options.channels, options.width, "PositionMlp");
        detail::checked_product(options.width, options.width, "PositionMlp");
    }

    /// Drawn from `seed` as PyTorch would draw them: uniform in ±1/√inputs, norms 1.
    Parameters make_parameters(std::uint64_t seed = 0) const {
        const CounterRandom random(seed);
        std::uint64_t drawn = 0;
        const auto make_block = [&](Index out) {
            return PositionMlpBlock<Scalar>{make_norm<Scalar>(options_.norm, width()),
                                            make_linear<Scalar>(out, width(), options_.bias, random, drawn)};
        };
        Parameters parameters;
        parameters.pos_proj = make_linear<Scalar>(width(), inputs_, options_.bias, random, drawn);
        parameters.layers.reserve(static_cast<std::size_t>(options_.layers));
        for (Index l = 0; l < options_.layers; ++l) parameters.layers.push_back(make_block(width()));
        parameters.out = make_block(channels());
        return parameters;
    }

    const Options& options() const noexcept { return options_; }
    Index channels() const noexcept { return options_.channels; }
    Index inputs() const noexcept { return inputs_; }

    /// Bytes that evaluate takes from its workspace for m positions.
    std::size_t required_workspace(Index rows) const {
        return Workspace::bytes_for<Scalar>(packed_weights(Direction::forward)) +
               ThreadScratch<Scalar>::bytes(forward_scratch(), forward_threads(rows));
    }

    /// Bytes that backward takes from its workspace for m positions.
    std::size_t backward_workspace(Index rows) const {
        return Workspace::bytes_for<Scalar>(chunks(rows) * partial_size()) +
               Workspace::bytes_for<Scalar>(packed_weights(Direction::adjoint)) +
               ThreadScratch<Scalar>::bytes(backward_scratch(), backward_threads(rows));
    }

    /// values = f(positions); keeps in `cache`, unless it is null, what backward needs.
    /// \throws shape_error 402 (positions), 403 (values), 405 (parameters)
    /// Cost O(m p (L p + d)) | heap: none, but for a cache that grows | thread-safe: yes | threads split the
    /// positions
    void evaluate(const Parameters& parameters, MatrixView<const Scalar> positions, MatrixView<Scalar> values,
                  Workspace& ws, Cache* cache = nullptr) const {
        const char* where = "PositionMlp::evaluate";
        detail::require_shape<Scalar>(positions, positions.rows(), inputs_, 402, where, "positions");
        detail::require_shape<Scalar>(values, positions.rows(), channels(), 403, where, "values");
        if (values.has_contiguous_rows()) {
            forward_tiles(parameters, positions, cache, values, ws, [](Index, MatrixView<Scalar>) {});
        } else {
            forward_tiles(parameters, positions, cache, {}, ws, [&](Index first, MatrixView<Scalar> tile) {
                values.middle_rows(first, tile.rows()).eigen() = tile.eigen();
            });
        }
    }

    /// gradients += ∂⟨g, f(positions)⟩/∂parameters. g: m × d.
    /// \throws shape_error 404 (g), 405 (parameters, gradients)
    /// Cost about 2× evaluate | heap: none | thread-safe: yes | threads split the positions
    void backward(const Parameters& parameters, const Cache& cache, MatrixView<const Scalar> g,
                  Parameters& gradients, Workspace& ws) const {
        backward(parameters, cache, g, {}, gradients, ws);
    }

    /// The same, and dpositions = ∂⟨g, f⟩/∂positions, m × q, unless it is empty.
    /// \throws shape_error 402 (dpositions), 404 (g), 405 (parameters, gradients)
    /// Cost about 2× evaluate | heap: none | thread-safe: yes | threads split the positions
    void backward(const Parameters& parameters, const Cache& cache, MatrixView<const Scalar> g,
                  MatrixView<Scalar> dpositions, Parameters& gradients, Workspace& ws) const {
        detail::require_shape<Scalar>(g, cache.positions.rows(), channels(), 404, "PositionMlp::backward",
                                      "g");
        backward_tiles(parameters, cache, gradients, ws, dpositions,
                       [&](Index /*chunk*/, Index first, Index count, Scalar* scratch) {
                           const MatrixView<const Scalar> rows = g.middle_rows(first, count);
                           if (g.has_contiguous_rows()) return rows;
                           const MatrixView<Scalar> tile(scratch, count, channels());
                           tile.eigen() = rows.eigen();
                           return MatrixView<const Scalar>(tile);
                       });
    }

    /// Evaluates tile by tile, for kernels made from f: calls `finish(first, tile)` with the values of
    /// positions first..first+rows−1, which lie in `values`, or in scratch memory where `values` is empty.
    template <class Finish>
    void forward_tiles(const Parameters& parameters, MatrixView<const Scalar> positions, Cache* cache,
                       MatrixView<Scalar> values, Workspace& ws, Finish&& finish) const {
        require_set(parameters, "parameters", "PositionMlp");
        const Index rows = positions.rows();
        const Index tile_count = tiles(rows);
        Scalar* kept = nullptr;
        if (cache != nullptr) {
            const Index size = tile_count * (options_.layers + 1) * tile_size();
            if (cache->hidden.size() != size) cache->hidden = Buffer<Scalar>(size);
            detail::assign_kept(cache->positions, positions.eigen());
            kept = cache->hidden.data();
        }
        ws.reserve(required_workspace(rows));
        Workspace::Scope scope(ws);
        const int threads = forward_threads(rows);
        const Scalar* packed = pack_weights(parameters, Direction::forward, scope);
        const ThreadScratch<Scalar> scratch(scope, forward_scratch(), threads);
        detail::parallel_chunks(tile_count, threads, [&](Index begin, Index end, int thread) {
            for (Index tile = begin; tile < end; ++tile) {
                const Index first = tile * tile_rows;
                const Index count = (std::min)(tile_rows, rows - first);
                Scalar* activated = scratch[thread];
                Scalar* hidden = activated + tile_size();
                Scalar* t = hidden + tile_size();
                const MatrixView<Scalar> from(t, count, inputs_);
                from.eigen() = positions.middle_rows(first, count).eigen();
                Index step = 0;
                if (kept != nullptr) {
                    step = tile_size();
                    hidden = kept + tile * (options_.layers + 1) * step;
                }
                MatrixView<Scalar> out(t + tile_rows * inputs_, count, channels());
                if (values.data() != nullptr) out = values.middle_rows(first, count);
                forward_tile(parameters, packed, from, hidden, step, activated, out);
                finish(first, out);
            }
        });
    }

    /// Backward tile by tile: `source(chunk, first, count, scratch)` returns a view of g's rows first..first+
    /// count−1, rows of neighbours; it may build them in scratch, which has room for count × d. Calls with
    /// different chunks may run at the same time; chunk < most_chunks does not depend on the number of
    /// threads.
    template <class Source>
    void backward_tiles(const Parameters& parameters, const Cache& cache, Parameters& gradients,
                        Workspace& ws, MatrixView<Scalar> dpositions, Source&& source) const {
        const Index rows = cache.positions.rows();
        const char* where = "PositionMlp::backward";
        if (dpositions.data() != nullptr) {
            detail::require_shape<Scalar>(dpositions, rows, inputs_, 402, where, "dpositions");
        }
        require_set(parameters, "parameters", where);
        require_set(gradients, "gradients", where);
        const Index chunk_count = chunks(rows);
        const Index tile_count = tiles(rows);
        ws.reserve(backward_workspace(rows));
        Workspace::Scope scope(ws);
        Scalar* partials = scope.take<Scalar>(chunk_count * partial_size());
        const int threads = backward_threads(rows);
        const Scalar* packed = pack_weights(parameters, Direction::adjoint, scope);
        const ThreadScratch<Scalar> scratch(scope, backward_scratch(), threads);
        // Sums over positions are split in a fixed way, so that they do not depend on the thread count.
        detail::parallel_chunks(chunk_count, threads, [&](Index begin, Index end, int thread) {
            for (Index chunk = begin; chunk < end; ++chunk) {
                Scalar* partial = partials + chunk * partial_size();
                std::fill_n(partial, partial_size(), Scalar(0));
                const Index last = (chunk + 1) * tile_count / chunk_count;
                for (Index tile = chunk * tile_count / chunk_count; tile < last; ++tile) {
                    const Index first = tile * tile_rows;
                    const Index count = (std::min)(tile_rows, rows - first);
                    const MatrixView<const Scalar> g =
                        source(chunk, first, count, scratch[thread] + 4 * tile_size());
                    MatrixView<Scalar> dt;
                    if (dpositions.data() != nullptr) dt = dpositions.middle_rows(first, count);
                    backward_tile(parameters, packed,
                                  {cache.positions.data() + first * inputs_, count, inputs_},
                                  cache.hidden.data() + tile * (options_.layers + 1) * tile_size(), g,
                                  scratch[thread], partial, dt);
                }
            }
        });
        for (Index chunk = 1; chunk < chunk_count; ++chunk) {
            detail::as_array(partials, partial_size()) +=
                detail::as_array(partials + chunk * partial_size(), partial_size());
        }
        if (chunk_count > 0) add_partial(partials, gradients);
    }

private:
    /// Rows of a tile: its features stay in the second cache.
    static constexpr Index tile_rows = 20 * detail::ProductTile<Scalar>::rows;
    static constexpr Index tiles(Index rows) noexcept { return (rows + tile_rows - 1) / tile_rows; }
    static constexpr Index chunks(Index rows) noexcept { return (std::min)(most_chunks, tiles(rows)); }
    int forward_threads(Index rows) const noexcept {
        return detail::thread_count(tiles(rows), rows * row_work());
    }
    int backward_threads(Index rows) const noexcept {
        return detail::thread_count(chunks(rows), 2 * rows * row_work());
    }

    Index width() const noexcept { return options_.width; }
    Index tile_size() const noexcept { return tile_rows * width(); }
    Index outputs(Index l) const noexcept { return l < options_.layers ? width() : channels(); }
    Index forward_scratch() const noexcept { return 2 * tile_size() + tile_rows * (inputs_ + channels()); }
    Index backward_scratch() const noexcept {
        return 4 * tile_size() + tile_rows * channels() + detail::packed_size<Scalar>(tile_rows, width());
    }
    /// Numbers that block l's packed weights take. They are packed once for all tiles.
    Index packed_block(Index l, Direction direction) const noexcept {
        return direction == Direction::forward ? detail::packed_size<Scalar>(width(), outputs(l))
                                               : detail::packed_size<Scalar>(outputs(l), width());
    }
    Index packed_weights(Direction direction) const noexcept {
        return options_.layers * packed_block(0, direction) + packed_block(options_.layers, direction);
    }
    const Scalar* pack_weights(const Parameters& parameters, Direction direction,
                               Workspace::Scope& scope) const {
        Scalar* packed = scope.take<Scalar>(packed_weights(direction));
        for (Index l = 0; l <= options_.layers; ++l) {
            detail::pack_right<Scalar>(block(parameters, l).linear.weight, direction == Direction::forward,
                                       packed + l * packed_block(0, direction));
        }
        return packed;
    }

    /// Nanoseconds per position, roughly.
    Index row_work() const noexcept { return width() * (options_.layers * width() + channels()) / 25; }

    /// Block l of a parameter set: a hidden layer, or the output.
    template <class Set>
    auto& block(Set& parameters, Index l) const noexcept {
        return l < options_.layers ? parameters.layers[static_cast<std::size_t>(l)] : parameters.out;
    }

    /// activated = norm(h).
    void normalize_tile(const NormParameters<Scalar>& norm, const Scalar* h, Index rows,
                        Scalar* activated) const {
        const auto gains = detail::norm_gains(norm);
        for (Index i = 0; i < rows * width(); i += width()) {
            detail::normalize_row<Scalar>(options_.norm, gains, h + i, activated + i, width(), width());
        }
    }

    /// Layer l's hidden features lie at hidden + l·step.
    void forward_tile(const Parameters& parameters, const Scalar* packed, MatrixView<const Scalar> positions,
                      Scalar* hidden, Index step, Scalar* activated, MatrixView<Scalar> out) const {
        const Index rows = positions.rows();
        const auto features = [&](Index l) { return MatrixView<Scalar>(hidden + l * step, rows, width()); };
        detail::linear_forward<Scalar>(parameters.pos_proj, positions, features(0));
        const detail::LeftFactor<Scalar> x{activated, width(), 1};
        for (Index l = 0; l <= options_.layers; ++l) {
            const PositionMlpBlock<Scalar>& b = block(parameters, l);
            const Scalar* h = features(l).data();
            const Index elements = rows * width();
            normalize_tile(b.norm, h, rows, activated);
            detail::activate<Scalar>(options_.activation, activated, activated, nullptr, elements);
            const bool residual = options_.residual == Residual::add && l < options_.layers;
            if (residual && step != 0) std::copy_n(h, elements, features(l + 1).data());
            detail::multiply_packed<Scalar>(x, packed + l * packed_block(0, Direction::forward), width(),
                                            residual ? Update::add : Update::assign,
                                            detail::bias_or_null(b.linear),
                                            l < options_.layers ? features(l + 1) : out);
        }
    }

    // Sums of gradients over some positions: W₀, b₀, then for every block the norm's gain (or factor) and
    // offset, the bias and the weight.
    Index partial_block(Index l) const noexcept { return (1 + inputs_ + l * (3 + width())) * width(); }
    Index partial_size() const noexcept {
        return partial_block(options_.layers) + 2 * width() + channels() * (1 + width());
    }

    /// Adds a tile's gradients to `partial`; dpositions may be empty.
    void backward_tile(const Parameters& parameters, const Scalar* packed, MatrixView<const Scalar> positions,
                       const Scalar* hidden, MatrixView<const Scalar> g, Scalar* scratch, Scalar* partial,
                       MatrixView<Scalar> dpositions) const {
        const Index rows = g.rows();
        const Index elements = rows * width();
        Scalar* activated = scratch;
        Scalar* slope = scratch + tile_size();
        Scalar* above = scratch + 2 * tile_size();  // gradient with respect to h_{l+1}
        Scalar* below = scratch + 3 * tile_size();  // gradient with respect to h_l
        Scalar* right = scratch + 4 * tile_size() + tile_rows * channels();
        const auto features = [&](Scalar* data) { return MatrixView<Scalar>(data, rows, width()); };
        MatrixView<const Scalar> upstream = g;
        for (Index l = options_.layers; l >= 0; --l) {
            const PositionMlpBlock<Scalar>& b = block(parameters, l);
            const Scalar* h = hidden + l * tile_size();
            normalize_tile(b.norm, h, rows, activated);
            detail::activate<Scalar>(options_.activation, activated, activated, slope, elements);

            Scalar* norm_gradient = partial + partial_block(l);
            Scalar* bias_gradient = norm_gradient + 2 * width();
            detail::add_column_sums(upstream, bias_gradient, b.linear.bias.size());
            detail::pack_right<Scalar>(features(activated), false, right);
            detail::multiply_packed<Scalar>(detail::left_factor(upstream, true), right, rows, Update::add,
                                            nullptr, {bias_gradient + outputs(l), outputs(l), width()});
            detail::multiply_packed<Scalar>(detail::left_factor(upstream),
                                            packed + l * packed_block(0, Direction::adjoint), outputs(l),
                                            Update::assign, nullptr, features(below));
            detail::sweep<Scalar>(elements, [&](auto at, Index i) TOEPLITZ_LAMBDA {
                at.store(below + i, at.load(below + i) * at.load(slope + i));
            });

            const auto gains = detail::norm_gains(b.norm);
            detail::NormGains<Scalar> gradients;
            if (gains.gain != nullptr) gradients.gain = norm_gradient;
            if (gains.factor != nullptr) gradients.factor = norm_gradient;
            if (gains.offset != nullptr) gradients.offset = norm_gradient + width();
            for (Index i = 0; i < elements; i += width()) {
                detail::normalize_row_backward<Scalar>(options_.norm, gains, h + i, below + i, below + i,
                                                       gradients, width(), width());
            }
            if (options_.residual == Residual::add && l < options_.layers) {
                detail::as_array(below, elements) += detail::as_array(above, elements);
            }
            std::swap(above, below);
            upstream = features(above);
        }
        detail::add_linear_gradients<Scalar>(
            positions, upstream, {partial, width(), inputs_},
            Eigen::Map<Vector<Scalar>>(partial + inputs_ * width(), parameters.pos_proj.bias.size()));
        if (dpositions.data() != nullptr) {
            detail::linear_adjoint<Scalar>(parameters.pos_proj, upstream, Update::assign, dpositions);
        }
    }

    void add_partial(const Scalar* partial, Parameters& gradients) const {
        const auto add = [](const Scalar* from, auto& to) {
            to += Eigen::Map<const std::remove_reference_t<decltype(to)>>(from, to.rows(), to.cols());
        };
        add(partial, gradients.pos_proj.weight);
        add(partial + inputs_ * width(), gradients.pos_proj.bias);
        for (Index l = 0; l <= options_.layers; ++l) {
            PositionMlpBlock<Scalar>& to = block(gradients, l);
            const Scalar* from = partial + partial_block(l);
            add(from, to.norm.scale);
            add(from, to.norm.scala);
            add(from, to.norm.weight);
            add(from + width(), to.norm.bias);
            add(from + 2 * width(), to.linear.bias);
            add(from + 2 * width() + outputs(l), to.linear.weight);
        }
    }

    /// Throws shape_error 405 unless the set has the shapes that the options ask for.
    void require_set(const Parameters& set, const char* what, const char* where) const {
        if (static_cast<Index>(set.layers.size()) != options_.layers) {
            detail::raise<shape_error>(405, where, detail::text(what, " of ", options_.layers, " layers"),
                                       std::to_string(set.layers.size()));
        }
        Index l = -1;  // the block that is being checked; text is made only where it is needed
        const auto check = [&](const auto& tensor, Index rows, Index cols, const char* name) {
            if (tensor.rows() == rows && (tensor.cols() == cols || rows == 0)) return;
            const std::string part = l < 0                 ? "pos_proj."
                                     : l < options_.layers ? detail::text("layers.", l, ".")
                                                           : "out.";
            detail::raise<shape_error>(
                405, where,
                detail::text(what, " with ", part, name, " of shape ", detail::shape_text(rows, cols)),
                detail::shape_text(tensor.rows(), tensor.cols()));
        };
        const bool bias = options_.bias == Bias::add;
        const bool layer = options_.norm == Norm::layer;
        check(set.pos_proj.weight, width(), inputs_, "weight");
        check(set.pos_proj.bias, bias ? width() : 0, 1, "bias");
        for (l = 0; l <= options_.layers; ++l) {
            const PositionMlpBlock<Scalar>& b = block(set, l);
            check(b.norm.scale, options_.norm == Norm::rms ? width() : 0, 1, "0.scale");
            check(b.norm.scala, options_.norm == Norm::scale ? 1 : 0, 1, "0.scala");
            check(b.norm.weight, layer ? width() : 0, 1, "0.weight");
            check(b.norm.bias, layer ? width() : 0, 1, "0.bias");
            check(b.linear.weight, outputs(l), width(), "2.weight");
            check(b.linear.bias, bias ? outputs(l) : 0, 1, "2.bias");
        }
    }

    Options options_;
    Index inputs_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
