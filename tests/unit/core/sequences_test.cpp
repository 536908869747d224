// SPDX-License-Identifier: MIT
#include <toeplitz/core/sequences.hpp>

#include <gtest/gtest.h>

#include <support/errors.hpp>

namespace toeplitz::test {
namespace {

TEST(SequencesTest, FollowOneAnotherUnlessStridesAreGiven) {
    const Sequences all = Sequences().within(12, 4, "f");
    EXPECT_EQ(all.batch(), 3);
    EXPECT_EQ(all.length(), 4);
    EXPECT_EQ(all.row(2, 1), 9);
    EXPECT_EQ(all.valid(2), 4);
    EXPECT_FALSE(all.has_padding());
    EXPECT_FALSE(all.has_gaps());
    EXPECT_EQ(Sequences(6).within(12, 0, "f").batch(), 2);
    EXPECT_EQ(Sequences(6).within(0, 0, "f").batch(), 0);
}

TEST(SequencesTest, ColumnsOfAnImageAreSequences) {
    constexpr Index height = 3;
    constexpr Index width = 5;
    const Sequences columns = Sequences::strided(width, height, width, 1).within(height * width, 0, "f");
    Matrix<double> image(height * width, 2);
    for (Index i = 0; i < image.size(); ++i) image.data()[i] = static_cast<double>(i);
    for (Index b = 0; b < width; ++b) {
        const MatrixView<double> column = columns.of(MatrixView<double>(image), b);
        ASSERT_EQ(column.rows(), height);
        for (Index i = 0; i < height; ++i) EXPECT_EQ(column(i, 1), image(i * width + b, 1));
    }
    EXPECT_FALSE(columns.has_gaps());
    EXPECT_TRUE(Sequences::strided(2, 3, 3, 1).within(8, 0, "f").has_gaps());
}

TEST(SequencesTest, KeepingThemKeepsTheLengths) {
    KeptSequences kept;
    EXPECT_TRUE(kept.empty());
    {
        const std::vector<Index> lengths = {2, 0, 4};
        const Sequences given(4, lengths);
        kept.keep(given, given.within(12, 0, "f"));
    }
    const KeptSequences copy = kept;
    kept = {};
    EXPECT_EQ(copy.get().valid(0), 2);
    EXPECT_EQ(copy.get().valid(1), 0);
    EXPECT_TRUE(copy.is_outermost());
    EXPECT_TRUE(copy.get().is_checked());
    KeptSequences inner;
    inner.keep(copy.get(), copy.get().within(12, 4, "f"));
    EXPECT_FALSE(inner.is_outermost());
}

TEST(SequencesTest, PaddingIsClearedWhereverItLies) {
    const std::vector<Index> lengths = {1, 3};
    Matrix<double> rows = Matrix<double>::Ones(6, 2);
    detail::clear_padding<double>(rows, Sequences::strided(2, 3, 2, 1, lengths).within(6, 0, "f"));
    EXPECT_EQ(rows.col(0), (Vector<double>{{1, 1, 0, 1, 0, 1}}));
}

TEST(SequencesTest, OfImagesHaveARunOfValidPixelsInEachRow) {
    const std::vector<Index> heights = {2, 0, 3};
    const std::vector<Index> widths = {3, 4, 0};
    const auto runs_of = [](const Sequences& images, Index b) {
        std::vector<std::pair<Index, Index>> runs;
        images.for_valid_runs(b, [&](Index first, Index count) { runs.emplace_back(first, count); });
        return runs;
    };
    using Runs = std::vector<std::pair<Index, Index>>;
    const Sequences images = Sequences::images(3, 4, heights, widths).within(36, 0, "f");
    EXPECT_EQ(images.batch(), 3);
    EXPECT_EQ(images.length(), 12);
    EXPECT_EQ(images.image_width(), 4);
    EXPECT_EQ(runs_of(images, 0), (Runs{{0, 3}, {4, 3}}));
    EXPECT_EQ(runs_of(images, 1), Runs{});
    EXPECT_EQ(images.valid(0), 7);
    EXPECT_EQ(images.valid(1), 0);
    EXPECT_EQ(images.valid(2), 0);
    EXPECT_EQ(images.valid_count(0), 6);
    EXPECT_EQ(images.valid_count(2), 0);
    EXPECT_TRUE(images.has_padded_widths());
    // Whole rows are steps as of any sequence.
    const Sequences low = Sequences::images(3, 4, heights).within(36, 0, "f");
    EXPECT_EQ(runs_of(low, 0), (Runs{{0, 8}}));
    EXPECT_EQ(low.valid(0), 8);
    EXPECT_NO_THROW(low.require_one_axis("f"));
    KeptSequences kept;
    kept.keep(images, images);
    EXPECT_EQ(runs_of(kept.get(), 0), runs_of(images, 0));
    Matrix<double> rows = Matrix<double>::Ones(36, 1);
    detail::clear_padding<double>(rows, images);
    EXPECT_EQ(rows.sum(), 6);
    EXPECT_EQ(rows.col(0).head(8), (Vector<double>{{1, 1, 1, 0, 1, 1, 1, 0}}));
}

TEST(SequencesTest, ColumnsOfManyImagesAreSequences) {
    const Sequences columns = Sequences::image_columns(2, 3, 4).within(24, 0, "f");
    EXPECT_EQ(columns.batch(), 8);
    EXPECT_FALSE(columns.has_gaps());
    EXPECT_FALSE(columns.is_stacked());
    for (Index image = 0; image < 2; ++image) {
        for (Index j = 0; j < 4; ++j) {
            for (Index i = 0; i < 3; ++i) {
                EXPECT_EQ(columns.row(image * 4 + j, i), image * 12 + i * 4 + j);
            }
        }
    }
}

TEST(SequencesErrors, SayWhatDoesNotFit) {
    const auto expect = [](int id, const std::string& message, const Sequences& sequences, Index rows,
                           Index length) {
        expect_error<shape_error>(id, "[toeplitz.shape." + std::to_string(id) + "] f: " + message,
                                  [&] { static_cast<void>(sequences.within(rows, length, "f")); });
    };
    const std::vector<Index> two = {3, 4};
    const std::vector<Index> negative = {3, -1};
    expect(210, "expected B*4 rows, got 7", Sequences(4), 7, 0);
    expect(210, "expected 6 rows, got 7", Sequences::strided(2, 3, 2, 1), 7, 0);
    expect(210, "expected strides of at least one row, got 0 between steps, 1 between sequences",
           Sequences::strided(2, 3, 0, 1), 6, 0);
    // Products would write these rows twice, in whichever order threads come.
    expect(210, "expected sequences without a row in common, got 2 between steps, 4 between sequences",
           Sequences::strided(2, 3, 2, 4), 9, 0);
    expect(210, "expected sequences without a row in common, got 6 between steps, 4 between sequences",
           Sequences::strided(4, 3, 6, 4), 25, 0);
    for (const Sequences& apart : {Sequences::strided(3, 3, 6, 4), Sequences::strided(4, 2, 6, 4)}) {
        EXPECT_TRUE(apart.within(apart.length() == 3 ? 21 : 19, 0, "f").is_checked());
    }
    expect(211, "expected 3 lengths, got 2", Sequences(4, two), 12, 0);
    expect(211, "expected lengths of 0..3, got 4", two, 6, 3);
    expect(211, "expected lengths of 0..3, got -1", negative, 6, 3);
    expect(211, "expected lengths of 0..2, got 3", Sequences::images(2, 4, two), 16, 0);
    expect(211, "expected lengths of 0..3, got 4", Sequences::images(4, 3, {}, two), 24, 0);
    expect(212, "expected sequences of 4 time steps, got 3", Sequences(3), 12, 4);
    // No Index holds what these ask for: it must not come out as a small number.
    constexpr Index wide = Index{1} << 32;
    for (const Sequences& huge :
         {Sequences::strided(1, wide + 1, wide, 1), Sequences::strided(wide + 1, 1, 1, wide),
          Sequences::strided(2, wide, wide / 2, Index{1} << 62), Sequences::image_columns(wide, 1, wide)}) {
        expect(210, "expected 9223372036854775807 rows, got 1", huge, 1, 0);
    }
    expect(210, "expected B*9223372036854775807 rows, got 1", Sequences::images(wide, wide), 1, 0);
    // Checked ones are looked at again where they come to another module.
    const Sequences checked = Sequences(3).within(12, 0, "f");
    expect(210, "expected 12 rows, got 9", checked, 9, 3);
    expect(212, "expected sequences of 4 time steps, got 3", checked, 12, 4);
    expect_error<config_error>(201, "[toeplitz.config.201] f: expected length >= 1, got 0",
                               [] { static_cast<void>(Sequences().within(3, 0, "f")); });
}

}  // namespace
}  // namespace toeplitz::test
