// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What the tests of several processes train, alone and together.

#include <cstring>
#include <functional>
#include <memory>

#include <toeplitz/nn/model.hpp>
#include <toeplitz/nn/tno.hpp>
#include <toeplitz/train/trainer.hpp>

namespace toeplitz::test {

/// A causal model of made-up points behind a norm of the batch: statistics, dropout and batches take part.
class SmallNet {
public:
    using Net = Model<Tno<float, Causality::causal>, RowNorm<float>, Linear<float>>;

    struct Parameters {
        Net::Parameters net;
        BatchNorm<float>::Parameters norm;

        template <class F, class... Sets>
        static void for_each(F&& f, Sets&... sets) {
            // The net is finished first.
            detail::visit_present_set(detail::under("norm", f), sets.norm...);
            detail::visit_present_set(detail::under("net", f), sets.net...);
        }
    };
    using Objective = std::function<LossSum(const Parameters&, const Part&, Parameters&)>;

    explicit SmallNet(Index shards);
    ~SmallNet();

    static Parameters make_parameters();
    static TrainerOptions options(Index shards) {
        return {.adamw = {.weight_decay = 0.05},
                .schedule = {.course = Course::cosine, .peak = 0.01, .warmup = 20, .total = 1000},
                .clip_norm = 1,
                .shards = shards,
                .seed = 7};
    }
    /// Refers to this.
    Objective objective();

private:
    struct Shard;
    LossSum compute(const Parameters& p, const Part& part, Parameters& gradients);
    std::unique_ptr<Shard[]> shards_;
};

/// Whether two sets have the same bits.
template <ParameterSet P>
bool same_sets(const P& a, const P& b) {
    bool same = true;
    detail::for_each_tensor(
        [&](const ParameterName&, const detail::TensorRef* tensors) {
            tensors->with_data([&]<class Scalar>(const Scalar* data) {
                same = same && std::memcmp(data, tensors[1].data<Scalar>(),
                                           static_cast<std::size_t>(tensors->size()) * sizeof(Scalar)) == 0;
            });
        },
        a, b);
    return same;
}

}  // namespace toeplitz::test
