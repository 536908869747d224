// SPDX-License-Identifier: MIT
#include "processes.hpp"

#include <vector>

#include <toeplitz/nn/loss.hpp>
#include <toeplitz/train/batches.hpp>

#if defined(TOEPLITZ_COMPILED)
#include <toeplitz/compiled.hpp>
#endif

namespace toeplitz::test {

namespace {

constexpr Index length = 6;
constexpr Index inputs = 3;
constexpr Index classes = 4;

const SmallNet::Net& net() {
    static const SmallNet::Net model = [] {
        SmallNet::Net::Options options{.input = {.inputs = inputs}, .width = 4, .layers = 1};
        options.outputs = classes;
        options.dropout = 0.2;
        options.block.gtu.inner_width = 4;
        options.block.gtu.mixer.mlp.width = 4;
        return SmallNet::Net(options);
    }();
    return model;
}
const BatchNorm<float>& norm() {
    static const BatchNorm<float> batch_norm({.channels = inputs});
    return batch_norm;
}

}  // namespace

struct SmallNet::Shard {
    Matrix<float> x, normed, logits;
    std::vector<Token> targets;
    Net::Cache cache;
    BatchNorm<float>::Cache norm;
    Workspace ws;
};

SmallNet::SmallNet(Index shards) : shards_(new Shard[static_cast<std::size_t>(shards)]) {}
SmallNet::~SmallNet() = default;

SmallNet::Parameters SmallNet::make_parameters() {
    return {net().make_parameters(1), norm().make_parameters()};
}

SmallNet::Objective SmallNet::objective() {
    return [this](const Parameters& p, const Part& part, Parameters& gradients) {
        return compute(p, part, gradients);
    };
}

LossSum SmallNet::compute(const Parameters& p, const Part& part, Parameters& gradients) {
    static const Batches batches(97, 12, 5);
    const Index count = batches.count(part);
    if (count == 0) return {};
    Shard& s = shards_[static_cast<std::size_t>(part.shard)];
    const Index rows = count * length;
    s.x.resize(rows, inputs);
    s.normed.resize(rows, inputs);
    s.logits.resize(rows, classes);
    s.targets.clear();
    for (Index row = 0; row < rows; ++row) {
        const CounterRandom random(
            static_cast<std::uint64_t>(batches.sample(part, row / length) * 64 + row % length));
        for (Index c = 0; c < inputs; ++c) {
            s.x(row, c) = static_cast<float>(random.normal(static_cast<std::uint64_t>(c)));
        }
        s.targets.push_back((s.x(row, 0) > 0 ? 1 : 0) + (s.x(row, 1) > 0 ? 2 : 0));
    }
    norm().forward(p.norm, s.x, {length}, s.normed, s.norm, s.ws);
    net().forward(p.net, s.normed, {length}, s.logits, s.cache, s.ws, part.seed);
    const CrossEntropyLoss loss = cross_entropy(s.logits, s.targets, s.logits, s.ws);
    net().backward(p.net, s.normed, s.cache, s.logits, gradients.net, s.ws, part.finished);
    // The statistics alone: no gradient reaches the inputs.
    s.normed.setZero();
    norm().backward(p.norm, s.x, s.norm, s.normed, s.normed, gradients.norm, s.ws);
    return {loss.sum, static_cast<double>(loss.count)};
}

}  // namespace toeplitz::test
