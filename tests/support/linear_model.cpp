// SPDX-License-Identifier: MIT
#include <support/linear_model.hpp>
#include <support/random.hpp>

namespace toeplitz::test {

template <Real Scalar>
ModelParameters<Scalar> LinearModel<Scalar>::make_parameters(std::uint64_t seed) const {
    std::uint64_t drawn = 0;
    return {make_linear<Scalar>(outputs, inputs.cols(), Bias::add, CounterRandom(seed), drawn),
            Vector<Scalar>::Constant(2, 5)};
}

template <Real Scalar>
CrossEntropyLoss LinearModel<Scalar>::operator()(const ModelParameters<Scalar>& parameters, const Part& part,
                                                 ModelParameters<Scalar>& gradients) const {
    const Index count = batches.count(part);
    Matrix<Scalar> x(count, inputs.cols());
    std::vector<Token> targets;
    const CounterRandom noise(part.seed);
    for (Index j = 0; j < count; ++j) {
        const Index sample = batches.sample(part, j);
        x.row(j) = inputs.row(sample);
        x(j, 0) += noise_size * static_cast<Scalar>(noise.uniform(static_cast<std::uint64_t>(j)) - 0.5);
        targets.push_back(classes[static_cast<std::size_t>(sample)]);
    }
    Matrix<Scalar> logits(count, outputs);
    detail::linear_forward<Scalar>(parameters.linear, x, logits);
    Workspace ws;
    const CrossEntropyLoss loss = cross_entropy(logits, targets, logits, ws, options);
    detail::add_linear_gradients<Scalar>(
        x, logits, gradients.linear.weight,
        Eigen::Map<Vector<Scalar>>(gradients.linear.bias.data(), gradients.linear.bias.size()));
    gradients.seen.array() += 1;  // what the buffer moves by, and no gradient
    return loss;
}

template <Real Scalar>
LinearModel<Scalar> make_linear_model(Index samples, Index features, Index outputs, Index batch) {
    LinearModel<Scalar> model{.inputs = random_matrix<Scalar>(samples, features, 1),
                              .classes = {},
                              .outputs = outputs,
                              .batches = Batches(samples, batch, 3)};
    const Matrix<Scalar> truth = model.inputs * random_matrix<Scalar>(features, outputs, 2);
    for (Index i = 0; i < samples; ++i) {
        Index best = 0;
        truth.row(i).maxCoeff(&best);
        model.classes.push_back(static_cast<Token>(best));
    }
    return model;
}

template struct LinearModel<float>;
template struct LinearModel<double>;
template LinearModel<float> make_linear_model(Index, Index, Index, Index);
template LinearModel<double> make_linear_model(Index, Index, Index, Index);

}  // namespace toeplitz::test
