// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Layers by their definition, in long double and with plain loops: the reference of the tests. Shares the
/// parameter structs with the library, and no code. In the precision that options say: where it is bf16,
/// factors of the maps and what is kept between the maps and the gates are rounded, and nothing else is.

#include <vector>

#include <support/nn.hpp>
#include <support/oracle.hpp>

namespace toeplitz::test {

LongMatrix oracle_activation(Activation activation, LongMatrix x);

LongMatrix oracle_linear(const LinearParameters<double>& parameters, const LongMatrix& x,
                         Precision precision = Precision::exact);

/// \param measured channels of which the root mean square is taken
LongMatrix oracle_norm(Norm norm, const NormParameters<double>& parameters, const LongMatrix& x,
                       Index measured);

/// Normalises by the statistics of the valid time steps; padding is zero.
LongMatrix oracle_batch_norm(const BatchNormParameters<double>& parameters, const LongMatrix& x,
                             const Sequences& sequences);
/// Normalises by given statistics.
LongMatrix oracle_fixed_norm(const BatchNormParameters<double>& parameters, const LongMatrix& x);

/// Padding is zero.
LongMatrix oracle_mixer(const PlainMixerParameters<double>& parameters, const LongMatrix& x,
                        const Sequences& sequences);
LongMatrix oracle_gtu(const GtuOptions<PlainMixer<double>>& options,
                      const GtuParameters<PlainMixer<double>>& parameters, const LongMatrix& x,
                      const Sequences& sequences);

LongMatrix oracle_glu(const GluOptions& options, const GluParameters<double>& parameters,
                      const LongMatrix& x);

/// Without dropout. Padding is zero.
LongMatrix oracle_block(const PlainBlock<double>::Options& options,
                        const PlainBlock<double>::Parameters& parameters, const LongMatrix& x,
                        const Sequences& sequences);

/// The network above its input map, from what that map gives. Padding is zero.
/// \param tied the weights of the embedding where the head uses them
template <class ModelType>
LongMatrix oracle_model(const typename ModelType::Options& options,
                        const typename ModelType::Parameters& parameters, LongMatrix x,
                        const Sequences& sequences, const Matrix<double>* tied = nullptr);

extern template LongMatrix oracle_model<PlainModel<double>>(const PlainModel<double>::Options&,
                                                            const PlainModel<double>::Parameters&, LongMatrix,
                                                            const Sequences&, const Matrix<double>*);
extern template LongMatrix oracle_model<PlainFeatureModel>(const PlainFeatureModel::Options&,
                                                           const PlainFeatureModel::Parameters&, LongMatrix,
                                                           const Sequences&, const Matrix<double>*);

/// Sets the rows of padding.
template <class M>
void fill_padding(M& rows, const Sequences& sequences, double value) {
    for (std::size_t b = 0; b < sequences.lengths().size(); ++b) {
        for (Index i = sequences.lengths()[b]; i < sequences.length(); ++i) {
            rows.row(static_cast<Index>(b) * sequences.length() + i)
                .setConstant(static_cast<typename M::Scalar>(value));
        }
    }
}

/// ‖y − y_ref‖₂ / ‖y_ref‖₂ of `layers` maps with sums of up to `terms` terms: u for each term and a few for
/// the rest of a map, times 4 for what one map's errors grow to in the next.
inline long double layer_error(Index layers, Index terms) {
    return 4 * static_cast<long double>(layers * (terms + 8)) * 0x1p-53L;
}

}  // namespace toeplitz::test
