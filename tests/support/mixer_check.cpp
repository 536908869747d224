// SPDX-License-Identifier: MIT
#include <cmath>

#include <gtest/gtest.h>

#include <support/mixer_check.hpp>
#include <support/random.hpp>

namespace toeplitz::test {

void expect_product(const AnyMixer& mixer, Index length, const Oracle& oracle, const Matrix<double>& kernel) {
    const std::vector<Index> lengths = {length, length / 2, 0};
    for (const Lengths valid : {Lengths(), Lengths(lengths)}) {
        const Sequences sequences{length, valid};
        Matrix<double> x = random_matrix<double>(3 * length, mixer.channels(), 1);
        Matrix<double> g = random_matrix<double>(3 * length, mixer.channels(), 2);
        const Reference expected =
            oracle.product(Direction::forward, kernel.cast<long double>(), x.cast<long double>(),
                           std::vector<Index>(valid.begin(), valid.end()), unit<double>);
        const Reference adjoint =
            oracle.product(Direction::adjoint, kernel.cast<long double>(), g.cast<long double>(),
                           std::vector<Index>(valid.begin(), valid.end()), unit<double>);
        const AnyMixer::Result clean = mixer.stepped(x, sequences, g);
        EXPECT_TRUE(near_each(clean.y, expected.value, expected.tolerance));
        EXPECT_TRUE(near_each(clean.dx, adjoint.value, adjoint.tolerance));
        EXPECT_TRUE(same_bits(mixer.evaluated(x, sequences), clean.y));
        fill_padding(x, sequences, std::nan(""));
        fill_padding(g, sequences, std::nan(""));
        const AnyMixer::Result dirty = mixer.stepped(x, sequences, g);
        EXPECT_TRUE(same_bits(dirty.y, clean.y));
        EXPECT_TRUE(same_bits(dirty.dx, clean.dx));
        EXPECT_TRUE(same_bits(dirty.gradients, clean.gradients));
        EXPECT_TRUE(same_bits(mixer.evaluated(x, sequences), clean.y));
        for (Matrix<double> cleared : {clean.y, clean.dx}) {
            const Matrix<double> before = cleared;
            fill_padding(cleared, sequences, 0);
            EXPECT_TRUE(same_bits(cleared, before));
        }
    }
}

Matrix<double> matrix_of(const AnyMixer& mixer, Index length, Index channel) {
    Matrix<double> impulses = Matrix<double>::Zero(length * length, mixer.channels());
    for (Index j = 0; j < length; ++j) impulses(j * length + j, channel) = 1;
    const Matrix<double> responses = mixer.evaluated(impulses, {length});
    Matrix<double> t(length, length);
    for (Index j = 0; j < length; ++j) {
        for (Index i = 0; i < length; ++i) t(i, j) = responses(j * length + i, channel);
    }
    return t;
}

long double entry_error(const Matrix<double>& t) {
    return transform_error(4 * t.rows()) * unit<double> * norm(t);
}

void expect_causal(const AnyMixer& mixer, Index length) {
    const Matrix<double> t = matrix_of(mixer, length, mixer.channels() - 1);
    const long double tolerance = entry_error(t);
    for (Index i = 0; i < length; ++i) {
        for (Index j = i + 1; j < length; ++j) EXPECT_TRUE(near(t(i, j), 0, tolerance)) << i << " " << j;
    }
}

void expect_nested(const AnyMixer& mixer, Index length, Index longer) {
    const Matrix<double> t = matrix_of(mixer, length, 0);
    const Matrix<double> more = matrix_of(mixer, longer, 0);
    const Matrix<double> block = more.topLeftCorner(length, length);
    EXPECT_TRUE(near_all(block, t, entry_error(more)));
}

}  // namespace toeplitz::test
