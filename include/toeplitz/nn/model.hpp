// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A whole network: input map → layers → norm → head.

#include <vector>

#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/sequences.hpp>
#include <toeplitz/nn/block.hpp>
#include <toeplitz/nn/embedding.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// per_token: one row of outputs per time step. mean_pool: one per sequence, of the mean over its valid
/// steps.
enum class Head { per_token, mean_pool };

/// Whether the head has a map of its own, or that of the embedding, transposed and without bias.
enum class OutputWeights { separate, tied };

/// Whether there is a norm between the last layer and the head.
enum class FinalNorm { none, add };

/// What a training step keeps of the layers between forward and backward: all that backward needs, or what
/// they see alone. backward then runs each layer but the last one again, with the same bits, and the memory
/// of one layer serves all.
enum class Activations { keep, recompute };

template <class BlockType, class Input>
struct ModelOptions {
    typename Input::Options input{};      ///< vocabulary of tokens, or inputs per time step
    Index width = 0;                      ///< d ≥ 1: channels of the residual stream
    Index layers = 1;                     ///< ≥ 0
    typename BlockType::Options block{};  ///< of every layer; its width is filled in
    /// Of each layer by itself; their widths are filled in, and `block` becomes the first of them.
    std::vector<typename BlockType::Options> blocks{};
    double input_scale = 1;  ///< of the input map's output
    FinalNorm final_norm = FinalNorm::add;
    /// Of the final norm, its channels filled in; that of the last layer where absent.
    std::optional<typename BlockType::NormLayer::Options> norm{};
    Head head = Head::per_token;
    Index outputs = 0;  ///< of the head; 0 for the vocabulary
    OutputWeights output_weights = OutputWeights::separate;
    Bias output_bias = Bias::add;
    double dropout = 0;                           ///< of the input map's output; that of the layers is theirs
    Activations activations = Activations::keep;  ///< of a training step; not in files
    std::optional<Precision> precision{};         ///< of training, layers and head; exact where absent

    static constexpr const char* unvisited_options[] = {"activations"};  // of a training run, not of a model

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("input", sets.input...);
        f("width", sets.width...);
        f("layers", sets.layers...);
        f("block", sets.block...);
        f("blocks", sets.blocks...);
        f("input_scale", sets.input_scale...);
        f("final_norm", sets.final_norm...);
        f("norm", sets.norm...);
        f("head", sets.head...);
        f("outputs", sets.outputs...);
        f("output_weights", sets.output_weights...);
        f("output_bias", sets.output_bias...);
        f("dropout", sets.dropout...);
        f("precision", sets.precision...);
    }
};

/// Names: embed.*, layers.{i}.* (as of a block), norm.*, out.*.
template <class BlockType, class Input>
struct ModelParameters {
    using Scalar = typename BlockType::Scalar;
    using NormParameters = typename BlockType::NormLayer::Parameters;
    typename Input::Parameters embed;
    std::vector<typename BlockType::Parameters> layers;
    NormParameters norm;           ///< empty without a final norm
    LinearParameters<Scalar> out;  ///< empty where tied

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        Input::Parameters::for_each(detail::under("embed", f), sets.embed...);
        const std::size_t count = (std::min)({sets.layers.size()...});
        for (std::size_t i = 0; i < count; ++i) {
            BlockType::Parameters::for_each(detail::under("layers", static_cast<Index>(i), f),
                                            sets.layers[i]...);
        }
        // Without a final norm, and with tied weights, the tensors are empty.
        detail::visit_present_set(detail::under("norm", f), sets.norm...);
        detail::visit_present_set(detail::under("out", f), sets.out...);
    }
    template <class F, class... Sets>
    static void for_each_weight(F&& f, Sets&... sets) {
        detail::for_each_weight(detail::under("embed", f), sets.embed...);
        const std::size_t count = (std::min)({sets.layers.size()...});
        for (std::size_t i = 0; i < count; ++i) {
            BlockType::Parameters::for_each_weight(detail::under("layers", static_cast<Index>(i), f),
                                                   sets.layers[i]...);
        }
        LinearParameters<Scalar>::for_each_weight(detail::under("out", f), sets.out...);
    }
};

/// A TNN: tokens (or features) to one row of outputs per time step, or per sequence.
///
///     using Mixer = FdTno<float, Causality::causal>;
///     const Model<Mixer> model({.input = {.vocabulary = 256}, .width = 64, .layers = 4});
///     auto parameters = model.make_parameters(/*seed=*/1);
///     const auto inference = model.prepare(parameters, /*length=*/512);
///     inference.evaluate(tokens, logits, workspace);  // B·512 tokens, logits (B·512) × 256
///
/// Layers differ in their options where `blocks` has them, and through AnyMixer in their mixers.
/// Input is Embedding (inputs are spans of tokens) or Linear (inputs are (B·n) × f matrices).
/// Members may run at the same time with distinct caches, gradients and workspaces; results are the same bits
/// for any number of threads.
template <TokenMixer MixerType, class NormLayer = RowNorm<typename MixerType::Scalar>,
          class InputType = Embedding<typename MixerType::Scalar>>
class Model {
public:
    using Mixer = MixerType;
    using Input = InputType;
    using BlockType = Block<Mixer, NormLayer>;
    using Scalar = typename Mixer::Scalar;
    using Options = ModelOptions<BlockType, Input>;
    using Parameters = ModelParameters<BlockType, Input>;
    using Inputs = typename Input::Inputs;

    struct Cache {
        std::vector<Matrix<Scalar>> stream;  ///< what every layer sees, and what the last one makes
        std::vector<typename BlockType::Cache> layers;  ///< recomputed: of norms alone
        typename NormLayer::Cache norm;
        Matrix<Scalar> normed;  ///< what the head sees, or pools
        Matrix<Scalar> pooled;
        KeptSequences sequences;
        std::uint64_t seed = 0;
        /// Where activations are recomputed: of the layer that has run last. backward changes it.
        mutable typename BlockType::Cache last;
        mutable std::size_t last_layer = 0;  ///< which one that is
    };

    /// \throws config_error 201, 202, 720, 740 (layers < 0), 741 (tied weights that do not fit), 742 (another
    /// number of blocks than layers), 744 (precision), 762 (input_scale) and those of the layers
    explicit Model(const Options& options)
        : options_(completed(options)), input_(options_.input), norm_(*options_.norm) {
        blocks_.reserve(static_cast<std::size_t>(options_.layers));
        for (Index l = 0; l < options_.layers; ++l) {
            const bool is_own = !options_.blocks.empty();
            blocks_.emplace_back(is_own ? options_.blocks[static_cast<std::size_t>(l)] : options_.block);
        }
    }

    const Options& options() const noexcept { return options_; }
    /// Of a layer 0 ≤ l < layers.
    const BlockType& block(Index layer) const noexcept { return blocks_[static_cast<std::size_t>(layer)]; }
    Index width() const noexcept { return options_.width; }
    Index outputs() const noexcept { return options_.outputs; }
    /// Rows of outputs for some rows of time steps.
    Index output_rows(Index rows, Index length) const noexcept {
        return options_.head == Head::per_token ? rows : rows / length;
    }

    /// Drawn from `seed`: every layer from a stream of its own.
    Parameters make_parameters(std::uint64_t seed = 0) const;

    /// Bytes that forward and backward take from their workspace for B sequences of a length.
    std::size_t required_workspace(Index batch, Index length) const requires HasRequiredWorkspace<Mixer> {
        const Index rows = batch * length;
        const Index heads = output_rows(rows, length);
        std::size_t part =
            (std::max)({detail::linear_workspace<Scalar>(heads, outputs(), width(), precision()),
                        input_.required_workspace(batch, length), norm_.required_workspace(batch, length)});
        for (const BlockType& block : blocks_) {
            part = (std::max)(part, block.required_workspace(batch, length));
        }
        const Index head = options_.head == Head::per_token ? outputs() : width();
        const Index inputs = padded_inputs(options_.input);
        return 2 * Workspace::bytes_for<Scalar>(rows * width()) + Workspace::bytes_for<Scalar>(heads * head) +
               Workspace::bytes_for<Scalar>(rows * inputs) + part;
    }

    /// outputs = the network's, for training.
    /// \param inputs B·n time steps; tokens of padding must be in the vocabulary as well
    /// \param outputs (B·n) × k, or B × k where pooled
    /// \param dropout_seed what the dropout masks are drawn from
    /// \throws shape_error 405 (parameters), 210 to 212, 704; value_error 711 (a token out of range)
    /// heap: the cache, when it grows | thread-safe: yes
    void forward(const Parameters& parameters, Inputs inputs, const Sequences& sequences,
                 MatrixView<Scalar> outputs, Cache& cache, Workspace& ws,
                 std::uint64_t dropout_seed = 0) const;

    /// gradients += the gradient with respect to the parameters, given g with respect to the outputs.
    /// \param inputs as in forward
    /// \param finished hears of the gradients of the head, the norm and each layer, the last ones first
    /// \throws shape_error 705 (cache), 405 (parameters, gradients), 704 (g)
    /// Cost twice forward, thrice where activations are recomputed | heap: none with a reserved workspace |
    /// thread-safe: yes, with distinct caches
    void backward(const Parameters& parameters, Inputs inputs, const Cache& cache, MatrixView<const Scalar> g,
                  Parameters& gradients, Workspace& ws, const FinishedGradients& finished = {}) const;

    /// The network at inference, with packed weights and the kernels of one length. Immutable and shareable.
    class Prepared {
    public:
        using ModelType = Model;

        Index length() const noexcept { return length_; }
        const Model& model() const noexcept { return model_; }
        const std::vector<typename BlockType::Prepared>& layers() const noexcept { return layers_; }

        /// outputs = the network's; inputs and outputs as in forward.
        /// \throws shape_error 210 to 212, 703 (inputs), 704; value_error 711
        /// heap: none with a reserved workspace | thread-safe: yes, with distinct workspaces
        void evaluate(Inputs inputs, MatrixView<Scalar> outputs, Workspace& ws,
                      const Sequences& sequences = {}) const;

        /// Calls use(features), what the head sees or pools of rows of any number, as of a stream, where
        /// mix(layer, v, mixed) takes the place of a layer's mixer.
        /// \throws value_error 711, before mix is called; and as mix
        template <class Mix, class Use>
        void evaluate_with(Mix&& mix, Inputs inputs, Workspace& ws, Use&& use) const {
            Workspace::Scope scope(ws);
            const Index rows = Input::rows(inputs);
            MatrixView<Scalar> stream = scope.matrix<Scalar>(rows, model_.width());
            MatrixView<Scalar> next = scope.matrix<Scalar>(rows, model_.width());
            run(
                [&](std::size_t layer, MatrixView<const Scalar> x, MatrixView<Scalar> y) {
                    layers_[layer].evaluate_with(
                        [&](MatrixView<const Scalar> v, MatrixView<Scalar> mixed) { mix(layer, v, mixed); },
                        x, y, ws);
                },
                inputs, stream, next, ws, {});
            use(MatrixView<const Scalar>(stream));
        }
        /// outputs = the head's, of features or of their means.
        void apply_head(MatrixView<const Scalar> features, MatrixView<Scalar> outputs, Workspace& ws) const {
            head_.apply(features, outputs, ws);
        }
        /// Bytes that evaluate_with takes from its workspace for some rows, with apply_head in `use`.
        std::size_t row_workspace(Index rows) const {
            std::size_t part = ends_workspace(rows);
            for (const auto& layer : layers_) part = (std::max)(part, layer.row_workspace(rows));
            return 2 * Workspace::bytes_for<Scalar>(rows * model_.width()) + part;
        }

        /// Bytes that evaluate takes from its workspace for B sequences, one after another.
        std::size_t required_workspace(Index batch = 1) const {
            std::size_t part =
                (std::max)(norm_ ? norm_->required_workspace(batch) : 0, ends_workspace(batch * length_));
            for (const auto& layer : layers_) part = (std::max)(part, layer.required_workspace(batch));
            return 2 * Workspace::bytes_for<Scalar>(batch * length_ * model_.width()) + part;
        }
        /// Bytes held: tied weights once, as the head's.
        std::size_t state_bytes() const {
            std::size_t bytes = head_.state_bytes();
            if (input_) bytes += input_->state_bytes();
            for (const auto& layer : layers_) bytes += layer.state_bytes();
            return norm_ ? bytes + norm_->state_bytes() : bytes;
        }

    private:
        friend Model;
        Prepared(const Model& model, const Parameters& parameters, const PrepareOptions& options);

        /// Bytes that the input map and the head take for some rows.
        std::size_t ends_workspace(Index rows) const {
            return (std::max)(input_ ? input_->row_workspace(rows) : 0, head_.row_workspace(rows));
        }

        /// stream = what the head sees or pools; `next` is scratch. The two may change places.
        template <class Layer>
        void run(Layer&& layer, Inputs inputs, MatrixView<Scalar>& stream, MatrixView<Scalar>& next,
                 Workspace& ws, const Sequences& sequences) const {
            embed(inputs, stream, ws);
            detail::clear_padding(stream, sequences);
            for (std::size_t l = 0; l < layers_.size(); ++l) {
                layer(l, stream, next);
                std::swap(stream, next);
            }
            if (norm_) {
                norm_->evaluate(stream, next, ws, sequences);
                std::swap(stream, next);
            }
        }

        void embed(Inputs inputs, MatrixView<Scalar> stream, Workspace& ws) const {
            if (input_) {
                input_->evaluate(inputs, stream, ws);
            } else if constexpr (has_table) {
                model_.input_.evaluate(head_, inputs, stream, ws);
            }
            model_.scale(stream);
        }

        Model model_;
        PackedLinear<Scalar> head_;
        std::optional<typename Input::Prepared> input_;  ///< absent where tied: the head has its table
        std::vector<typename BlockType::Prepared> layers_;
        std::optional<typename NormLayer::Prepared> norm_;
        Index length_;
    };

    /// Evaluates the kernels of all layers for sequences of `length`, which need not be that of training, and
    /// packs all weights; the parameters are not needed any more.
    /// \throws shape_error 405, config_error 201 (length), 440 and those of the mixer
    Prepared prepare(const Parameters& parameters, const PrepareOptions& options) const;
    Prepared prepare(const Parameters& parameters, Index length) const {
        return prepare(parameters, PrepareOptions{.length = length});
    }

private:
    static void fill(EmbeddingOptions& options, Index width) { options.width = width; }
    static void fill(LinearOptions& options, Index width) { options.outputs = width; }
    static Index vocabulary(const EmbeddingOptions& options) noexcept { return options.vocabulary; }
    static Index vocabulary(const LinearOptions&) noexcept { return 0; }
    /// Columns of inputs that are copied without their padding.
    static Index padded_inputs(const EmbeddingOptions&) noexcept { return 0; }
    static Index padded_inputs(const LinearOptions& options) noexcept { return options.inputs; }

    static Options completed(Options options);

    Precision precision() const noexcept { return options_.precision.value_or(Precision::exact); }
    bool has_norm() const noexcept { return options_.final_norm == FinalNorm::add; }
    bool is_tied() const noexcept { return options_.output_weights == OutputWeights::tied; }
    static std::uint64_t mask(const Cache& cache, std::uint64_t layer) noexcept {
        return CounterRandom(cache.seed).bits(layer);
    }
    MatrixView<const Scalar> head_input(const Cache& cache) const noexcept {
        return has_norm() ? cache.normed : cache.stream.back();
    }

    void require_set(const Parameters& set, const char* what, const char* where,
                     detail::Use use = detail::Use::training) const {
        if (static_cast<Index>(set.layers.size()) != options_.layers) {
            detail::raise<shape_error>(405, where, detail::text(what, " of ", options_.layers, " layers"),
                                       std::to_string(set.layers.size()));
        }
        if (!is_tied()) {
            detail::require_linear(set.out, outputs(), width(), options_.output_bias, what, where, use);
        }
    }
    void check(const Sequences& sequences, MatrixView<const Scalar> y, const char* where) const {
        detail::require_rows<Scalar>(y,
                                     output_rows(sequences.batch() * sequences.length(), sequences.length()),
                                     outputs(), 704, where, "outputs or g");
    }

    /// Whether the input map is a table of tokens that a head can be tied to.
    static constexpr bool has_table = requires(const Input& input, const PackedLinear<Scalar>& table,
                                               Inputs inputs, MatrixView<Scalar> stream, Workspace& ws) {
        input.evaluate(table, inputs, stream, ws);
    };
    PackedLinear<Scalar> table(const Parameters& parameters, WeightFormat weights) const {
        detail::require_table(parameters.embed, outputs(), width(), "Model::prepare", "embed.weight",
                              detail::Use::inference);
        return PackedLinear<Scalar>(detail::encoded_weight(parameters.embed, weights));
    }

    Scalar input_scale() const noexcept { return static_cast<Scalar>(options_.input_scale); }
    void scale(MatrixView<Scalar> stream) const {
        if (options_.input_scale != 1) stream.eigen() *= input_scale();
    }

    void apply_head(const Parameters& parameters, MatrixView<const Scalar> features,
                    MatrixView<Scalar> outputs, Workspace& ws) const {
        if (!is_tied()) {
            return detail::linear_forward<Scalar>({parameters.out, precision()}, features, outputs, ws);
        }
        detail::multiply<Scalar>(precision(), detail::Product::right_transposed, features,
                                 parameters.embed.weight, Update::assign, nullptr, outputs, ws);
    }

    void head_backward(const Parameters& parameters, MatrixView<const Scalar> features,
                       MatrixView<const Scalar> g, MatrixView<Scalar> dfeatures, Parameters& gradients,
                       Workspace& ws) const {
        if (!is_tied()) {
            detail::add_linear_gradients(features, g, gradients.out, ws, precision());
            detail::linear_adjoint<Scalar>({parameters.out, precision()}, g, Update::assign, dfeatures, ws);
            return;
        }
        using detail::Product;
        detail::multiply<Scalar>(precision(), Product::left_transposed, g, features, Update::add, nullptr,
                                 gradients.embed.weight, ws);
        detail::multiply<Scalar>(precision(), Product::plain, g, parameters.embed.weight, Update::assign,
                                 nullptr, dfeatures, ws);
    }

    /// What backward needs of a layer: kept, or made again. Its output goes to `scratch`.
    const typename BlockType::Cache& layer_cache(const Parameters& parameters, const Cache& cache,
                                                 const Sequences& sequences, std::size_t layer,
                                                 MatrixView<Scalar> scratch, Workspace& ws) const {
        if (options_.activations == Activations::keep) return cache.layers[layer];
        if (cache.last_layer != layer) {
            cache.last_layer = blocks_.size();  // no layer's until all is there
            blocks_[layer].forward(parameters.layers[layer], cache.stream[layer], sequences, scratch,
                                   cache.last, ws, mask(cache, layer + 1));
            cache.last_layer = layer;
        }
        return cache.last;
    }

    /// Means over the valid steps; zero where there is none.
    static void pool(MatrixView<const Scalar> x, const Sequences& sequences, MatrixView<Scalar> pooled) {
        for (Index b = 0; b < sequences.batch(); ++b) {
            pooled.eigen().row(b).setZero();
            if (sequences.valid_count(b) == 0) continue;
            sequences.for_valid_runs(b, [&](Index first, Index count) {
                pooled.eigen().row(b) += sequences.of(x, b).middle_rows(first, count).eigen().colwise().sum();
            });
            pooled.eigen().row(b) /= static_cast<Scalar>(sequences.valid_count(b));
        }
    }

    static void pool_backward(MatrixView<const Scalar> dpooled, const Sequences& sequences,
                              MatrixView<Scalar> dx) {
        dx.eigen().setZero();
        for (Index b = 0; b < sequences.batch(); ++b) {
            const Scalar count = static_cast<Scalar>(sequences.valid_count(b));
            sequences.for_valid_runs(b, [&](Index first, Index steps) {
                for (Index i = first; i < first + steps; ++i) {
                    dx.eigen().row(sequences.row(b, i)) = dpooled.eigen().row(b) / count;
                }
            });
        }
    }

    Options options_;
    Input input_;
    std::vector<BlockType> blocks_;
    NormLayer norm_;
};

template <TokenMixer MixerType, class NormLayer, class InputType>
void Model<MixerType, NormLayer, InputType>::forward(const Parameters& parameters, Inputs inputs,
                                                     const Sequences& sequences, MatrixView<Scalar> outputs,
                                                     Cache& cache, Workspace& ws,
                                                     std::uint64_t dropout_seed) const {
    const char* where = "Model::forward";
    const Index rows = Input::rows(inputs);
    const Sequences checked = sequences.within(rows, 0, where);
    require_set(parameters, "parameters", where);
    check(checked, outputs, where);
    cache.sequences.forget();  // until all is in the cache
    cache.seed = dropout_seed;
    const std::size_t depth = parameters.layers.size();
    cache.stream.resize(depth + 1);
    cache.layers.resize(depth);
    for (Matrix<Scalar>& stream : cache.stream) detail::resize_kept(stream, rows, width());
    input_.evaluate(parameters.embed, inputs, cache.stream[0], ws);
    scale(cache.stream[0]);
    detail::clear_padding<Scalar>(cache.stream[0], checked);
    dropout<Scalar>(options_.dropout, mask(cache, 0), cache.stream[0]);
    for (std::size_t l = 0; l < depth; ++l) {
        const bool keep = options_.activations == Activations::keep;
        typename BlockType::Cache& layer = keep ? cache.layers[l] : cache.last;
        blocks_[l].forward(parameters.layers[l], cache.stream[l], checked, cache.stream[l + 1], layer, ws,
                           mask(cache, l + 1));
        if (keep) continue;
        cache.last_layer = l;
        cache.layers[l].gtu_norm = layer.gtu_norm;
        cache.layers[l].glu_norm = layer.glu_norm;
    }
    if (has_norm()) {
        detail::resize_kept(cache.normed, rows, width());
        norm_.forward(parameters.norm, cache.stream[depth], checked, cache.normed, cache.norm, ws);
    }
    MatrixView<const Scalar> features = head_input(cache);
    if (options_.head == Head::mean_pool) {
        detail::resize_kept(cache.pooled, rows / checked.length(), width());
        pool(features, checked, cache.pooled);
        features = cache.pooled;
    }
    apply_head(parameters, features, outputs, ws);
    if (options_.head == Head::per_token) detail::clear_padding(outputs, checked);
    cache.sequences.keep(sequences, checked);
}

template <TokenMixer MixerType, class NormLayer, class InputType>
void Model<MixerType, NormLayer, InputType>::backward(const Parameters& parameters, Inputs inputs,
                                                      const Cache& cache, MatrixView<const Scalar> g,
                                                      Parameters& gradients, Workspace& ws,
                                                      const FinishedGradients& finished) const {
    const char* where = "Model::backward";
    const Index rows = Input::rows(inputs);
    const std::size_t depth = parameters.layers.size();
    if (cache.sequences.empty() || cache.stream.size() != depth + 1 || cache.stream[0].rows() != rows) {
        detail::raise<shape_error>(705, where, "the cache of a forward pass of these inputs", "another one");
    }
    const Sequences sequences = cache.sequences.get();
    require_set(parameters, "parameters", where);
    require_set(gradients, "gradients", where);
    check(sequences, g, where);
    Workspace::Scope scope(ws);
    MatrixView<Scalar> dstream = scope.matrix<Scalar>(rows, width());
    MatrixView<Scalar> dinput = scope.matrix<Scalar>(rows, width());
    if (options_.head == Head::per_token) {
        g = detail::without_padding(g, sequences, scope);
        head_backward(parameters, head_input(cache), g, dstream, gradients, ws);
    } else {
        const MatrixView<Scalar> dpooled = scope.matrix<Scalar>(g.rows(), width());
        head_backward(parameters, cache.pooled, g, dpooled, gradients, ws);
        pool_backward(dpooled, sequences, dstream);
    }
    finished(gradients.out);
    if (has_norm()) {
        norm_.backward(parameters.norm, cache.stream[depth], cache.norm, dstream, dstream, gradients.norm,
                       ws);
    }
    finished(gradients.norm);
    for (std::size_t l = depth; l-- > 0;) {
        const auto& layer = layer_cache(parameters, cache, sequences, l, dinput, ws);
        blocks_[l].backward(parameters.layers[l], cache.stream[l], layer, dstream, dinput,
                            gradients.layers[l], ws);
        finished(gradients.layers[l]);
        std::swap(dstream, dinput);
    }
    dropout<Scalar>(options_.dropout, mask(cache, 0), dstream);
    detail::clear_padding(dstream, sequences);
    if constexpr (std::is_same_v<Inputs, MatrixView<const Scalar>>) {
        inputs = detail::without_padding(inputs, sequences, scope);
    }
    input_.backward(parameters.embed, inputs, dstream, {}, gradients.embed, ws);
}

template <TokenMixer MixerType, class NormLayer, class InputType>
typename Model<MixerType, NormLayer, InputType>::Parameters
Model<MixerType, NormLayer, InputType>::make_parameters(std::uint64_t seed) const {
    const CounterRandom random(seed);
    Parameters parameters;
    parameters.embed = input_.make_parameters(random.bits(0));
    for (Index l = 0; l < options_.layers; ++l) {
        parameters.layers.push_back(block(l).make_parameters(random.bits(2 + static_cast<std::uint64_t>(l))));
    }
    if (has_norm()) parameters.norm = norm_.make_parameters();
    if (!is_tied()) {
        std::uint64_t drawn = 0;
        parameters.out = make_linear<Scalar>(outputs(), width(), options_.output_bias,
                                             CounterRandom(random.bits(1)), drawn);
    }
    return parameters;
}

template <TokenMixer MixerType, class NormLayer, class InputType>
typename Model<MixerType, NormLayer, InputType>::Options Model<MixerType, NormLayer, InputType>::completed(
    Options options) {
    detail::require_positive(options.width, "Model", "width");
    if (options.layers < 0) {
        detail::raise<config_error>(740, "Model", "layers >= 0", std::to_string(options.layers));
    }
    detail::require_dropout_rate(options.dropout, "Model");
    if (!detail::is_finite(static_cast<Scalar>(options.input_scale))) {
        detail::raise<config_error>(762, "Model", "a finite input_scale", detail::text(options.input_scale));
    }
    fill(options.input, options.width);
    options.block.width = options.width;
    if (!options.blocks.empty() && static_cast<Index>(options.blocks.size()) != options.layers) {
        detail::raise<config_error>(742, "Model",
                                    detail::text("options of ", options.layers, " layers, or none"),
                                    std::to_string(options.blocks.size()));
    }
    const Precision precision = options.precision.value_or(Precision::exact);
    detail::require_precision<Scalar>(precision, "Model");
    options.block.precision = precision;
    for (auto& block : options.blocks) {
        block.width = options.width;
        block.precision = precision;
    }
    if (!options.blocks.empty()) options.block = options.blocks.front();
    if (!options.norm) options.norm = (options.blocks.empty() ? options.block : options.blocks.back()).norm;
    options.norm->channels = options.width;
    const Index tokens = vocabulary(options.input);
    if (options.outputs == 0) {
        if constexpr (has_table) detail::require_positive(tokens, "Model", "input.vocabulary");
        options.outputs = tokens;
    }
    detail::require_positive(options.outputs, "Model", "outputs");
    if (options.output_weights == OutputWeights::tied && options.outputs != tokens) {
        detail::raise<config_error>(741, "Model",
                                    detail::text("tied weights with as many outputs as tokens, ", tokens),
                                    std::to_string(options.outputs));
    }
    return options;
}

template <TokenMixer MixerType, class NormLayer, class InputType>
typename Model<MixerType, NormLayer, InputType>::Prepared Model<MixerType, NormLayer, InputType>::prepare(
    const Parameters& parameters, const PrepareOptions& options) const {
    detail::require_positive(options.length, "Model::prepare", "length");
    require_set(parameters, "parameters", "Model::prepare", detail::Use::inference);
    return Prepared(*this, parameters, options);
}

template <TokenMixer MixerType, class NormLayer, class InputType>
void Model<MixerType, NormLayer, InputType>::Prepared::evaluate(Inputs inputs, MatrixView<Scalar> outputs,
                                                                Workspace& ws,
                                                                const Sequences& sequences) const {
    const char* where = "Model::Prepared::evaluate";
    const Index rows = Input::rows(inputs);
    const Sequences checked = sequences.within(rows, length_, where);
    model_.check(checked, outputs, where);
    Workspace::Scope scope(ws);
    MatrixView<Scalar> stream = scope.matrix<Scalar>(rows, model_.width());
    MatrixView<Scalar> next = scope.matrix<Scalar>(rows, model_.width());
    run([&](std::size_t layer, MatrixView<const Scalar> x,
            MatrixView<Scalar> y) { layers_[layer].evaluate(x, y, ws, checked); },
        inputs, stream, next, ws, checked);
    if (model_.options_.head == Head::mean_pool) {
        next = next.middle_rows(0, rows / length_);
        pool(stream, checked, next);
        stream = next;
    }
    apply_head(stream, outputs, ws);
    if (model_.options_.head == Head::per_token) detail::clear_padding(outputs, checked);
}

template <TokenMixer MixerType, class NormLayer, class InputType>
Model<MixerType, NormLayer, InputType>::Prepared::Prepared(const Model& model, const Parameters& parameters,
                                                           const PrepareOptions& options)
    : model_(model),
      head_(model.is_tied() ? model.table(parameters, options.weights)
                            : PackedLinear<Scalar>(parameters.out, options.weights)),
      length_(options.length) {
    if (!model.is_tied()) input_.emplace(model.input_.prepare(parameters.embed, options));
    for (std::size_t l = 0; l < parameters.layers.size(); ++l) {
        layers_.push_back(model.blocks_[l].prepare(parameters.layers[l], options));
    }
    if (model.has_norm()) norm_.emplace(model.norm_.prepare(parameters.norm));
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
