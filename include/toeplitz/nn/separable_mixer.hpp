// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Images: a mixer along the rows of pixels and one along the columns.

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include <toeplitz/core/checks.hpp>
#include <toeplitz/core/random.hpp>
#include <toeplitz/dense/kept_matrix.hpp>
#include <toeplitz/dense/row_tiles.hpp>
#include <toeplitz/nn/mixer.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

template <class Rows, class Columns>
struct SeparableMixerOptions {
    Index channels = 0;             ///< d ≥ 1; a layer fills it in
    Index image_width = 0;          ///< W ≥ 1: pixels in a row
    double scale = 1;               ///< of the result; 2 for official modules, which add C V Rᵀ to itself
    typename Rows::Options rows{};  ///< of the mixer along rows; its channels are filled in
    typename Columns::Options columns{};  ///< along columns

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("channels", sets.channels...);
        f("image_width", sets.image_width...);
        f("scale", sets.scale...);
        f("rows", sets.rows...);
        f("columns", sets.columns...);
    }
};

/// Names: rows.*, columns.*; official ones: OfficialImageNames.
template <class Rows, class Columns>
struct SeparableMixerParameters {
    typename Rows::Parameters rows;
    typename Columns::Parameters columns;

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        Rows::Parameters::for_each(detail::under("rows", f), sets.rows...);
        Columns::Parameters::for_each(detail::under("columns", f), sets.columns...);
    }
};

namespace detail {

/// "a_by_b" of the names of two mixers; "separable" where they are known at run time only.
template <class Rows, class Columns>
struct SeparableName {
    static constexpr bool is_known = requires {
        std::string_view(Rows::architecture);
        std::string_view(Columns::architecture);
    };
    static constexpr auto text = [] {
        if constexpr (is_known) {
            constexpr std::string_view parts[] = {Rows::architecture, "_by_", Columns::architecture};
            std::array<char, parts[0].size() + parts[1].size() + parts[2].size() + 1> joined{};
            char* to = joined.data();
            for (const std::string_view part : parts) to = std::copy(part.begin(), part.end(), to);
            return joined;
        } else {
            return std::to_array("separable");
        }
    }();
};

}  // namespace detail

/// Y = scale · C X Rᵀ for images X of H × W pixels, channel by channel: every row of pixels is mixed by R,
/// then every column by C. The columns are read and written where they are.
///
///     using Axis = Tno<float, Causality::bidirectional>;
///     using Net = Model<SeparableMixer<Axis, Axis>>;
///     Net::Options options{.input = {.vocabulary = 256}, .width = 64, .outputs = 10};
///     options.head = Head::mean_pool;
///     options.block.gtu.mixer.image_width = 32;
///     const Net model(options);
///     model.forward(parameters, pixels, Sequences::images(32, 32), logits, cache, workspace);
///
/// An image is a sequence of H·W steps, row by row; H is as many rows as a sequence has. Of images within
/// their frames (Sequences::images with heights and widths), and of sequences whose lengths are whole rows,
/// the valid pixels are mixed, and the others are zero. R and C are any mixers, also an AnyOf. That the sum
/// over both orders, which official modules compute, is one product twice: (C ⊗ R) X in either order.
template <TokenMixer RowMixer, TokenMixer ColumnMixer>
class SeparableMixer {
    static_assert(std::is_same_v<typename RowMixer::Scalar, typename ColumnMixer::Scalar>,
                  "toeplitz: mixers of different scalars.");

public:
    using Rows = RowMixer;
    using Columns = ColumnMixer;
    using Scalar = typename Rows::Scalar;
    using Options = SeparableMixerOptions<Rows, Columns>;
    using Parameters = SeparableMixerParameters<Rows, Columns>;
    static constexpr const char* architecture = detail::SeparableName<Rows, Columns>::text.data();

    struct Cache {
        KeptMatrix<Scalar> mixed;  ///< scale · X Rᵀ, what the columns are
        typename Rows::Cache rows;
        typename Columns::Cache columns;
        std::vector<Index> lengths;              ///< of all rows and all columns, where there is padding
        KeptSequences images;                    ///< of the last forward call
        Precision precision = Precision::exact;  ///< of what is kept
    };

    /// \throws config_error 201, 762 (a scale that is not finite), and those of the mixers
    explicit SeparableMixer(const Options& options)
        : options_(completed(options)), rows_(options_.rows), columns_(options_.columns) {}

    const Options& options() const noexcept { return options_; }
    const Rows& rows() const noexcept { return rows_; }
    const Columns& columns() const noexcept { return columns_; }
    Index channels() const noexcept { return options_.channels; }
    Index image_width() const noexcept { return options_.image_width; }
    /// Causal along both axes: no pixel sees one below it or to the right.
    Causality causality() const noexcept {
        const bool causal =
            rows_.causality() == Causality::causal && columns_.causality() == Causality::causal;
        return causal ? Causality::causal : Causality::bidirectional;
    }

    /// Drawn from `seed`: those of the mixers, from streams of their own.
    Parameters make_parameters(std::uint64_t seed = 0) const {
        const CounterRandom random(seed);
        return {rows_.make_parameters(random.bits(0)), columns_.make_parameters(random.bits(1))};
    }

    /// Bytes that forward and backward take from their workspace for B images of a length.
    std::size_t required_workspace(Index batch, Index length) const
        requires(HasRequiredWorkspace<Rows>&& HasRequiredWorkspace<Columns>) {
        const Index height = height_of(length, "SeparableMixer::required_workspace");
        return Workspace::bytes_for<Scalar>(batch * length * channels()) +
               (std::max)(rows_.required_workspace(batch * height, image_width()),
                          columns_.required_workspace(batch * image_width(), height));
    }

    /// y = the mixed x; x and y are (B·H·W) × d.
    /// \throws shape_error 210 to 212, 706 (a length that is not that of images of this width), those of the
    /// mixers
    /// Cost of the mixers at B·H sequences of W steps and B·W of H | heap: the cache, when it grows |
    /// thread-safe: yes | same bits for any number of threads
    void forward(const Parameters& parameters, MatrixView<const Scalar> x, const Sequences& sequences,
                 MatrixView<Scalar> y, Cache& cache, Workspace& ws) const {
        const Images images(*this, x, y, sequences, "SeparableMixer::forward");
        cache.images.forget();
        cache.lengths.resize(static_cast<std::size_t>(images.length_count()));
        images.fill(cache.lengths.data());
        detail::set_precision(cache.rows, cache.precision);
        detail::set_precision(cache.columns, cache.precision);
        Workspace::Scope scope(ws);
        const MatrixView<Scalar> mixed = cache.mixed.resize(x.rows(), channels(), cache.precision, scope);
        rows_.forward(parameters.rows, x, images.rows(cache.lengths.data()), mixed, cache.rows, ws);
        scale(mixed);
        if (cache.precision != Precision::exact) {
            detail::for_row_tiles(mixed.rows(), channels(), [&](Index first, Index count) {
                cache.mixed.keep(first, 0, mixed.middle_rows(first, count));
            });
        }
        columns_.forward(parameters.columns, mixed, images.columns(cache.lengths.data()), y, cache.columns,
                         ws);
        cache.images.keep(sequences, images.sequences);
    }

    /// dx = scale · Cᵀ g R, and gradients += those of the mixers. x as in forward.
    /// \throws shape_error 705 (cache), 703 (dx), and those of the mixers
    /// Cost of the mixers' | heap: none with a reserved workspace | thread-safe: yes
    void backward(const Parameters& parameters, MatrixView<const Scalar> x, const Cache& cache,
                  MatrixView<const Scalar> g, MatrixView<Scalar> dx, Parameters& gradients,
                  Workspace& ws) const {
        if (cache.images.empty() || cache.mixed.rows() != x.rows() || cache.mixed.cols() != channels()) {
            detail::raise<shape_error>(705, "SeparableMixer::backward", "the cache of a forward pass of x",
                                       detail::shape_text(cache.mixed.rows(), cache.mixed.cols()));
        }
        detail::require_rows<Scalar>(dx, x.rows(), channels(), 703, "SeparableMixer::backward", "dx");
        Workspace::Scope scope(ws);
        const MatrixView<Scalar> dmixed = scope.matrix<Scalar>(x.rows(), channels());
        // dx is free until the end: it takes what the columns are.
        columns_.backward(parameters.columns, cache.mixed.read(dx), cache.columns, g, dmixed,
                          gradients.columns, ws);
        scale(dmixed);
        rows_.backward(parameters.rows, x, cache.rows, dmixed, dx, gradients.rows, ws);
    }

    /// The mixer of images of one height.
    class Prepared {
    public:
        using Scalar = typename RowMixer::Scalar;

        Index length() const noexcept { return length_; }
        const typename Rows::Prepared& rows() const noexcept { return rows_; }
        const typename Columns::Prepared& columns() const noexcept { return columns_; }
        /// Bytes that evaluate takes from its workspace for B images.
        std::size_t required_workspace(Index batch = 1) const {
            const Index height = length_ / mixer_.image_width();
            return Workspace::bytes_for<Scalar>(batch * length_ * mixer_.channels()) +
                   Workspace::bytes_for<Index>(batch * (height + mixer_.image_width())) +
                   (std::max)(rows_.required_workspace(batch * height),
                              columns_.required_workspace(batch * mixer_.image_width()));
        }
        /// Bytes held.
        std::size_t state_bytes() const { return rows_.state_bytes() + columns_.state_bytes(); }

        /// y = the mixed x, as forward.
        /// heap: none with a reserved workspace | thread-safe: yes, with distinct workspaces
        void evaluate(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
                      const Sequences& sequences = {}) const {
            const char* where = "SeparableMixer::Prepared::evaluate";
            const Images images(mixer_, x, y, sequences.within(x.rows(), length_, where), where);
            Workspace::Scope scope(ws);
            const MatrixView<Scalar> mixed = scope.matrix<Scalar>(x.rows(), mixer_.channels());
            Index* lengths = scope.take<Index>(images.length_count());
            images.fill(lengths);
            rows_.evaluate(x, mixed, ws, images.rows(lengths));
            mixer_.scale(mixed);
            columns_.evaluate(mixed, y, ws, images.columns(lengths));
        }

    private:
        friend SeparableMixer;
        Prepared(const SeparableMixer& mixer, const Parameters& parameters, Index length)
            : mixer_(mixer),
              rows_(mixer.rows_.prepare(parameters.rows, mixer.image_width())),
              columns_(mixer.columns_.prepare(parameters.columns,
                                              mixer.height_of(length, "SeparableMixer::prepare"))),
              length_(length) {}
        SeparableMixer mixer_;
        typename Rows::Prepared rows_;
        typename Columns::Prepared columns_;
        Index length_;
    };

    /// For images of `length` pixels. \throws config_error 201, shape_error 706, and those of the mixers
    Prepared prepare(const Parameters& parameters, Index length) const {
        detail::require_positive(length, "SeparableMixer::prepare", "length");
        return Prepared(*this, parameters, length);
    }

private:
    /// Images as the sequences that their rows and their columns are.
    struct Images {
        Sequences sequences;
        Index height;
        Index width;

        Images(const SeparableMixer& mixer, MatrixView<const Scalar> x, MatrixView<const Scalar> y,
               const Sequences& given, const char* where)
            : sequences(given.within(x.rows(), 0, where)),
              height(mixer.height_of(sequences.length(), where)),
              width(mixer.image_width()) {
            const Index columns = sequences.image_width();
            if (columns != 0 && columns != width) {
                detail::raise<shape_error>(706, where, detail::text("images ", width, " pixels wide"),
                                           std::to_string(columns));
            }
            if (!sequences.is_stacked()) {
                detail::raise<shape_error>(706, where, "images one after another", "strides between them");
            }
            for (Index b = 0; sequences.has_padding() && columns == 0 && b < batch(); ++b) {
                if (sequences.valid(b) % width == 0) continue;
                detail::raise<shape_error>(706, where,
                                           detail::text("lengths of whole rows of ", width, " pixels"),
                                           std::to_string(sequences.valid(b)));
            }
            detail::require_rows<Scalar>(y, x.rows(), mixer.channels(), 503, where, "y");
        }

        Index batch() const noexcept { return sequences.batch(); }
        Index length_count() const noexcept {
            return sequences.has_padding() ? batch() * (height + width) : 0;
        }
        Sequences rows(const Index* lengths) const noexcept {
            return Sequences(width, part(lengths, batch() * height));
        }
        Sequences columns(const Index* lengths) const noexcept {
            return Sequences::image_columns(
                batch(), height, width,
                part(lengths + (length_count() == 0 ? 0 : batch() * height), batch() * width));
        }

        /// The lengths of all rows, then of all columns.
        void fill(Index* to) const noexcept {
            if (length_count() == 0) return;
            for (Index b = 0; b < batch(); ++b) {
                for (Index i = 0; i < height; ++i) *to++ = i < valid_height(b) ? valid_width(b) : 0;
            }
            for (Index b = 0; b < batch(); ++b) {
                for (Index j = 0; j < width; ++j) *to++ = j < valid_width(b) ? valid_height(b) : 0;
            }
        }

    private:
        Lengths part(const Index* lengths, Index count) const noexcept {
            if (length_count() == 0) return {};
            return Lengths(lengths, static_cast<std::size_t>(count));
        }
        Index valid_height(Index b) const noexcept {
            return sequences.image_width() == 0 ? sequences.valid(b) / width : sequences.valid_height(b);
        }
        Index valid_width(Index b) const noexcept {
            return sequences.image_width() == 0 ? width : sequences.valid_width(b);
        }
    };

    Index height_of(Index length, const char* where) const {
        if (length % image_width() == 0) return length / image_width();
        detail::raise<shape_error>(706, where, detail::text("images ", image_width(), " pixels wide"),
                                   detail::text(length, " pixels"));
    }

    void scale(MatrixView<Scalar> x) const {
        if (options_.scale == 1) return;
        const Scalar factor = static_cast<Scalar>(options_.scale);
        detail::for_row_tiles(x.rows(), x.cols() / 8, [&](Index first, Index count) {
            x.middle_rows(first, count).eigen() *= factor;
        });
    }

    static Options completed(Options options) {
        detail::require_positive(options.channels, "SeparableMixer", "channels");
        detail::require_positive(options.image_width, "SeparableMixer", "image_width");
        if (!detail::is_finite(static_cast<Scalar>(options.scale))) {
            detail::raise<config_error>(762, "SeparableMixer", "a finite scale", detail::text(options.scale));
        }
        options.rows.channels = options.channels;
        options.columns.channels = options.channels;
        return options;
    }

    Options options_;
    Rows rows_;
    Columns columns_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
