// SPDX-License-Identifier: MIT
#include <cmath>
#include <numbers>

#include <support/bf16_oracle.hpp>
#include <support/layer_oracle.hpp>

namespace toeplitz::test {
namespace {

using Real80 = long double;

Real80 act(Activation activation, Real80 x) {
    switch (activation) {
        case Activation::identity:
            return x;
        case Activation::relu:
            return x > 0 ? x : 0;
        case Activation::silu:
            return x / (1 + std::exp(-x));
        case Activation::gelu:
            return x / 2 * (1 + std::erf(x / std::numbers::sqrt2_v<Real80>));
        case Activation::sine:
            return std::sin(x);
        case Activation::sigmoid:
            return 1 / (1 + std::exp(-x));
        case Activation::leaky_relu:
            return x > 0 ? x : x / 100;
        case Activation::elu:
            return x > 0 ? x : std::exp(x) - 1;
        case Activation::elu_plus_one:
            return x > 0 ? x + 1 : std::exp(x);
        case Activation::elu_plus_two:
            return x > 0 ? x + 2 : std::exp(x) + 1;
    }
    return 0;
}

Index valid_steps(const Sequences& sequences, Index b) {
    return sequences.lengths().empty() ? sequences.length()
                                       : sequences.lengths()[static_cast<std::size_t>(b)];
}

bool is_valid(const Sequences& sequences, Index row) {
    return row % sequences.length() < valid_steps(sequences, row / sequences.length());
}

LongMatrix product(const LongMatrix& a, const LongMatrix& b) {
    LongMatrix c = a;
    for (Index i = 0; i < a.size(); ++i) c.data()[i] = a.data()[i] * b.data()[i];
    return c;
}

LongMatrix sum(const LongMatrix& a, const LongMatrix& b) {
    LongMatrix c = a;
    for (Index i = 0; i < a.size(); ++i) c.data()[i] = a.data()[i] + b.data()[i];
    return c;
}

LongMatrix in_precision(Precision precision, const LongMatrix& x) {
    return precision == Precision::exact ? x : bf16_oracle::nearest_bf16(x);
}

}  // namespace

LongMatrix oracle_activation(Activation activation, LongMatrix x) {
    for (Index i = 0; i < x.size(); ++i) x.data()[i] = act(activation, x.data()[i]);
    return x;
}

LongMatrix oracle_linear(const LinearParameters<double>& parameters, const LongMatrix& inputs,
                         Precision precision) {
    const LongMatrix x = in_precision(precision, inputs);
    const LongMatrix weight = in_precision(precision, parameters.weight.cast<Real80>());
    LongMatrix y(x.rows(), weight.rows());
    for (Index i = 0; i < x.rows(); ++i) {
        for (Index o = 0; o < y.cols(); ++o) {
            y(i, o) = parameters.bias.size() == 0 ? 0 : Real80(parameters.bias(o));
            for (Index j = 0; j < x.cols(); ++j) y(i, o) += weight(o, j) * x(i, j);
        }
    }
    return y;
}

LongMatrix oracle_norm(Norm norm, const NormParameters<double>& parameters, const LongMatrix& x,
                       Index measured) {
    LongMatrix y = x;
    for (Index i = 0; i < x.rows(); ++i) {
        Real80 mean = 0;
        Real80 square = 0;
        Real80 variance = 0;
        for (Index j = 0; j < measured; ++j) mean += x(i, j) / static_cast<Real80>(measured);
        for (Index j = 0; j < measured; ++j) {
            square += x(i, j) * x(i, j) / static_cast<Real80>(measured);
            variance += (x(i, j) - mean) * (x(i, j) - mean) / static_cast<Real80>(measured);
        }
        for (Index j = 0; j < x.cols(); ++j) {
            switch (norm) {
                case Norm::simple_rms:
                    y(i, j) = x(i, j) / (std::sqrt(square) + 1e-8L);
                    break;
                case Norm::rms:
                    y(i, j) = parameters.scale(j) * x(i, j) / (std::sqrt(square) + 1e-8L);
                    if (parameters.offset.size() != 0) y(i, j) += Real80(parameters.offset(j));
                    break;
                case Norm::scale:
                    y(i, j) = parameters.scala(0) * x(i, j) / std::sqrt(square + 1e-5L);
                    break;
                case Norm::layer:
                    y(i, j) = parameters.weight(j) * (x(i, j) - mean) / std::sqrt(variance + 1e-5L) +
                              Real80(parameters.bias(j));
                    break;
            }
        }
    }
    return y;
}

LongMatrix oracle_batch_norm(const BatchNormParameters<double>& parameters, const LongMatrix& x,
                             const Sequences& sequences) {
    LongMatrix y = LongMatrix::Zero(x.rows(), x.cols());
    for (Index j = 0; j < x.cols(); ++j) {
        Real80 count = 0;
        Real80 mean = 0;
        Real80 variance = 0;
        for (Index i = 0; i < x.rows(); ++i) {
            if (!is_valid(sequences, i)) continue;
            ++count;
            mean += x(i, j);
        }
        mean /= count;
        for (Index i = 0; i < x.rows(); ++i) {
            if (is_valid(sequences, i)) variance += (x(i, j) - mean) * (x(i, j) - mean) / count;
        }
        for (Index i = 0; i < x.rows(); ++i) {
            if (!is_valid(sequences, i)) continue;
            y(i, j) = parameters.weight(j) * (x(i, j) - mean) / std::sqrt(variance + 1e-5L) +
                      Real80(parameters.bias(j));
        }
    }
    return y;
}

LongMatrix oracle_fixed_norm(const BatchNormParameters<double>& parameters, const LongMatrix& x) {
    LongMatrix y = x;
    for (Index i = 0; i < x.rows(); ++i) {
        for (Index j = 0; j < x.cols(); ++j) {
            y(i, j) = parameters.weight(j) * (x(i, j) - parameters.running_mean(j)) /
                          std::sqrt(parameters.running_var(j) + 1e-5L) +
                      Real80(parameters.bias(j));
        }
    }
    return y;
}

LongMatrix oracle_mixer(const PlainMixerParameters<double>& parameters, const LongMatrix& x,
                        const Sequences& sequences) {
    LongMatrix y = LongMatrix::Zero(x.rows(), x.cols());
    for (Index row = 0; row < x.rows(); ++row) {
        if (!is_valid(sequences, row)) continue;
        const Index b = row / sequences.length();
        for (Index j = 0; j < valid_steps(sequences, b); ++j) {
            for (Index c = 0; c < x.cols(); ++c) {
                y(row, c) += Real80(parameters.gain(c)) * parameters.weight(row % sequences.length(), j) *
                             x(b * sequences.length() + j, c);
            }
        }
    }
    return y;
}

LongMatrix oracle_gtu(const GtuOptions<PlainMixer<double>>& options,
                      const GtuParameters<PlainMixer<double>>& parameters, const LongMatrix& x,
                      const Sequences& sequences) {
    const auto projected = [&](const LinearParameters<double>& map) {
        const LongMatrix y = in_precision(options.precision, oracle_linear(map, x, options.precision));
        return oracle_activation(options.activation, y);
    };
    const LongMatrix mixed = oracle_mixer(parameters.toep, projected(parameters.v_proj), sequences);
    LongMatrix gated = product(projected(parameters.u_proj), in_precision(options.precision, mixed));
    if (options.norm) gated = oracle_norm(*options.norm, parameters.norm, gated, gated.cols());
    LongMatrix y = oracle_linear(parameters.o, gated, options.precision);
    fill_padding(y, sequences, 0);
    return y;
}

LongMatrix oracle_glu(const GluOptions& options, const GluParameters<double>& parameters,
                      const LongMatrix& x) {
    const auto kept = [&](const LinearParameters<double>& map, const LongMatrix& in) {
        return in_precision(options.precision, oracle_linear(map, in, options.precision));
    };
    const LongMatrix gate = oracle_activation(options.activation, kept(parameters.l1, x));
    const LongMatrix hidden = product(gate, kept(parameters.l2, x));
    if (options.final_activation == Activation::identity) {
        return oracle_linear(parameters.l3, hidden, options.precision);
    }
    return oracle_activation(options.final_activation, kept(parameters.l3, hidden));
}

LongMatrix oracle_block(const PlainBlock<double>::Options& given,
                        const PlainBlock<double>::Parameters& parameters, const LongMatrix& x,
                        const Sequences& sequences) {
    PlainBlock<double>::Options options = given;
    options.gtu.precision = options.glu.precision = options.precision;
    const Norm norm = options.norm.norm;
    const auto normed = [&](const NormParameters<double>& set, const LongMatrix& in) {
        return oracle_norm(norm, set, in, in.cols());
    };
    LongMatrix y;
    if (options.placement == NormPlacement::pre) {
        y = sum(x, oracle_gtu(options.gtu, parameters.gtu, normed(parameters.gtu_norm, x), sequences));
        y = sum(y, oracle_glu(options.glu, parameters.glu, normed(parameters.glu_norm, y)));
    } else {
        y = normed(parameters.gtu_norm, sum(x, oracle_gtu(options.gtu, parameters.gtu, x, sequences)));
        y = normed(parameters.glu_norm, sum(y, oracle_glu(options.glu, parameters.glu, y)));
    }
    fill_padding(y, sequences, 0);
    return y;
}

template <class ModelType>
LongMatrix oracle_model(const typename ModelType::Options& options,
                        const typename ModelType::Parameters& parameters, LongMatrix x,
                        const Sequences& sequences, const Matrix<double>* tied) {
    const Precision precision = options.precision.value_or(Precision::exact);
    for (std::size_t l = 0; l < parameters.layers.size(); ++l) {
        auto block = options.blocks.empty() ? options.block : options.blocks[l];
        block.precision = precision;
        x = oracle_block(block, parameters.layers[l], x, sequences);
    }
    if (options.final_norm == FinalNorm::add) {
        x = oracle_norm(options.block.norm.norm, parameters.norm, x, x.cols());
    }
    if (options.head == Head::mean_pool) {
        LongMatrix pooled = LongMatrix::Zero(x.rows() / sequences.length(), x.cols());
        for (Index b = 0; b < pooled.rows(); ++b) {
            for (Index i = 0; i < valid_steps(sequences, b); ++i) {
                for (Index c = 0; c < x.cols(); ++c) {
                    pooled(b, c) +=
                        x(b * sequences.length() + i, c) / static_cast<Real80>(valid_steps(sequences, b));
                }
            }
        }
        x = pooled;
    }
    LongMatrix y = tied == nullptr ? oracle_linear(parameters.out, x, precision)
                                   : oracle_linear({.weight = *tied, .bias = {}}, x, precision);
    if (options.head == Head::per_token) fill_padding(y, sequences, 0);
    return y;
}

template LongMatrix oracle_model<PlainModel<double>>(const PlainModel<double>::Options&,
                                                     const PlainModel<double>::Parameters&, LongMatrix,
                                                     const Sequences&, const Matrix<double>*);
template LongMatrix oracle_model<PlainFeatureModel>(const PlainFeatureModel::Options&,
                                                    const PlainFeatureModel::Parameters&, LongMatrix,
                                                    const Sequences&, const Matrix<double>*);

}  // namespace toeplitz::test
