// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Weights in fewer bits, laid out for products.

#include <toeplitz/dense/encoded_matrix.hpp>
#include <toeplitz/dense/packed_tiles.hpp>
#include <toeplitz/dense/word_product.hpp>

namespace toeplitz::inline TOEPLITZ_ABI::detail {

/// x ↦ W x + b of W in Numbers, laid out for products: see PackedLinear.
template <class Numbers, Real Scalar, Arithmetic arithmetic = word_arithmetic<Numbers>>
class PackedWords {
public:
    PackedWords() = default;
    /// \param weight in Numbers
    PackedWords(const EncodedMatrix<Scalar>& weight, const Vector<Scalar>& bias);

    std::size_t state_bytes() const noexcept {
        const Index count = words_.size() + scales_.size() + starts_.size() + biases_.size();
        return static_cast<std::size_t>(count) * sizeof(Word);
    }
    std::size_t workspace(Index rows, Index outputs) const noexcept {
        return ThreadScratch<Word>::bytes(scratch(rows), threads(rows, outputs));
    }
    void copy_row(Index output, Index inputs, Scalar* to) const noexcept;
    void apply(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
               const Finish<Scalar>& finish) const;

private:
    using Number = typename Numbers::Number;
    using Product = WordProduct<Numbers, arithmetic>;
    static constexpr Index width = ProductTile<float>::cols;
    static_assert(sizeof(typename Product::Left) == sizeof(Word));

    static Number* numbers(Word* words) noexcept { return reinterpret_cast<Number*>(words); }
    /// Words for one thread's part of some rows: their left factors, their scales, and one row.
    Index scratch(Index rows) const noexcept {
        return (std::min)(packed_tile_rows, rows) * (row_words_ * Product::parts + 1) + row_words_;
    }
    int threads(Index rows, Index outputs) const noexcept {
        return packed_tile_threads(rows, outputs, row_words_);
    }
    const Word* word(Index output, Index k) const noexcept {
        return words_.data() + (output / width * row_words_ + k) * width + output % width;
    }

    Index row_words_ = 0;   ///< of an output's weights
    Buffer<Word> words_;    ///< panels of outputs, each word by word
    Buffer<float> scales_;  ///< of outputs, or none; all these of whole panels
    Buffer<Word> starts_;   ///< of outputs' sums, which take the offset of the rows away; or none
    Buffer<float> biases_;
};

template <class Numbers, Real Scalar, Arithmetic arithmetic>
PackedWords<Numbers, Scalar, arithmetic>::PackedWords(const EncodedMatrix<Scalar>& weight,
                                                      const Vector<Scalar>& bias)
    : row_words_((weight.cols() + Numbers::group - 1) / Numbers::group) {
    if constexpr (Numbers::has_scales) {
        if (weight.cols() > Numbers::most_inputs) {
            raise<config_error>(440, "PackedLinear",
                                text("at most ", Numbers::most_inputs, " inputs with weights in int8"),
                                std::to_string(weight.cols()));
        }
    }
    const Index outputs = (weight.rows() + width - 1) / width * width;
    words_ = Buffer<Word>(checked_product(outputs, row_words_, "PackedLinear"));
    biases_ = Buffer<float>(outputs);
    if constexpr (Numbers::has_scales) {
        scales_ = Buffer<float>(outputs);
        starts_ = Buffer<Word>(outputs);
    }
    Buffer<Word> row(row_words_);
    for (Index j = 0; j < weight.rows(); ++j) {
        const Number* const from = weight.template row<Number>(j);
        std::copy_n(from, weight.cols(), numbers(row.data()));
        for (Index k = 0; k < row_words_; ++k) words_[word(j, k) - words_.data()] = row[k];
        if (bias.size() != 0) biases_[j] = static_cast<float>(bias[j]);
        if constexpr (Numbers::has_scales) {
            scales_[j] = weight.scales()[to_size(j)];
            starts_[j] = Numbers::start(from, weight.cols());
        }
    }
}

template <class Numbers, Real Scalar, Arithmetic arithmetic>
void PackedWords<Numbers, Scalar, arithmetic>::copy_row(Index output, Index inputs,
                                                        Scalar* to) const noexcept {
    const float scale = Numbers::has_scales ? scales_[output] : 1;
    for (Index k = 0; k < inputs; ++k) {
        Number group[static_cast<std::size_t>(Numbers::group)];
        std::memcpy(group, word(output, k / Numbers::group), sizeof group);
        to[k] = static_cast<Scalar>(Numbers::decode(group[k % Numbers::group], scale));
    }
}

template <class Numbers, Real Scalar, Arithmetic arithmetic>
void PackedWords<Numbers, Scalar, arithmetic>::apply(MatrixView<const Scalar> x, MatrixView<Scalar> y,
                                                     Workspace& ws, const Finish<Scalar>& finish) const {
    using Left = typename Product::Left;
    const int count = threads(y.rows(), y.cols());
    Workspace::Scope scope(ws);
    const ThreadScratch<Word> scratches(scope, scratch(y.rows()), count);
    for_packed_tiles(y.rows(), y.cols(), count, [&](Index row, Index rows, int thread, auto&& for_cols) {
        Word* const encoded = scratches[thread];
        float* const scales = reinterpret_cast<float*>(encoded + row_words_);
        Left* const left = reinterpret_cast<Left*>(scales + rows);
        std::fill_n(encoded, row_words_, Word{0});
        for (Index i = 0; i < rows; ++i) {
            scales[i] = Numbers::encode_row(x.row(row + i), x.cols(), numbers(encoded));
            expand_row<Numbers, arithmetic>(encoded, row_words_, left + i * row_words_ * Product::parts);
        }
        for_cols([&](Index col, Index cols) {
            WordFactors<Left> factors{left,      scales, word(col, 0), nullptr, nullptr, biases_.data() + col,
                                      row_words_};
            if constexpr (Numbers::has_scales) {
                factors.col_scales = scales_.data() + col;
                factors.starts = starts_.data() + col;
            }
            const auto out = y.block(row, col, rows, cols);
            multiply_words<Numbers, arithmetic>(factors, out);
            finish(row, col, out);
        });
    });
}

}  // namespace toeplitz::inline TOEPLITZ_ABI::detail
