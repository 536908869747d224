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
    expect(211, "expected 3 lengths, got 2", Sequences(4, two), 12, 0);
    expect(211, "expected lengths of 0..3, got 4", two, 6, 3);
    expect(211, "expected lengths of 0..3, got -1", negative, 6, 3);
    expect(212, "expected sequences of 4 time steps, got 3", Sequences(3), 12, 4);
    // Checked ones are looked at again where they come to another module.
    const Sequences checked = Sequences(3).within(12, 0, "f");
    expect(210, "expected 12 rows, got 9", checked, 9, 3);
    expect(212, "expected sequences of 4 time steps, got 3", checked, 12, 4);
    expect_error<config_error>(201, "[toeplitz.config.201] f: expected length >= 1, got 0",
                               [] { static_cast<void>(Sequences().within(3, 0, "f")); });
}

}  // namespace
}  // namespace toeplitz::test
