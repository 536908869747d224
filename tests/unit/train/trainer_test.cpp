// SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/linear_model.hpp>
#include <support/scalars.hpp>
#include <support/threads.hpp>
#include <support/tolerance.hpp>

#include <toeplitz/train/trainer.hpp>

namespace toeplitz::test {
namespace {

template <class Scalar>
class TrainerTest : public testing::Test {};
TYPED_TEST_SUITE(TrainerTest, Scalars, );

using D = ModelParameters<double>;

template <class Scalar>
bool same(const AdamWState<ModelParameters<Scalar>>& a, const AdamWState<ModelParameters<Scalar>>& b) {
    return a.step == b.step && a.first == b.first && a.second == b.second;
}

/// A schedule, a limit and noise, so that everything takes part.
TrainerOptions some_options() {
    return {.adamw = {.weight_decay = 0.1},
            .schedule = {.course = Course::cosine, .peak = 0.1, .warmup = 3, .total = 40},
            .clip_norm = 0.5,
            .seed = 11};
}

template <class Scalar>
struct Run {
    ModelParameters<Scalar> parameters;
    AdamWState<ModelParameters<Scalar>> adamw;
    std::vector<double> losses;
};

template <class Scalar>
Run<Scalar> train(const LinearModel<Scalar>& model, const TrainerOptions& options, Index steps, int threads) {
    Run<Scalar> result{model.make_parameters(5), {}, {}};
    with_threads(threads, [&] {
        Trainer<ModelParameters<Scalar>> trainer(result.parameters, options);
        trainer.run(result.parameters, steps, model.objective(),
                    [&](const StepReport& report) { result.losses.push_back(report.loss); });
        result.adamw = trainer.state().adamw;
    });
    return result;
}

TEST(TrainerReferenceTest, AgreesWithPyTorch) {
    // Ten samples in their own order: one batch is an epoch, and sums do not care for its order.
    LinearModel<double> model = make_linear_model<double>(10, 4, 3, 10);
    model.options.label_smoothing = 0.05;
    for (int i = 0; i < 40; ++i) model.inputs(i / 4, i % 4) = (i * 7 % 13 - 6) / 8.0;
    for (int i = 0; i < 10; ++i) model.classes[static_cast<std::size_t>(i)] = i * 5 % 3;
    D parameters = model.make_parameters(1);
    for (int i = 0; i < 12; ++i) parameters.linear.weight(i / 4, i % 4) = (i * 5 % 9 - 4) / 16.0;
    parameters.linear.bias << 0.25, -0.125, 0;

    const TrainerOptions options{
        .adamw = {.weight_decay = 0.02},
        .schedule = {.course = Course::cosine, .peak = 0.1, .warmup = 2, .total = 8},
        .clip_norm = 0.3,
    };
    Trainer<D> trainer(parameters, options);
    const double losses[] = {1.095881724005074,  1.095881724005074,  1.0621895489010633, 1.0070327886889998,
                             0.9621163639587822, 0.9294969755858422, 0.9096220635654899, 0.9002309199516609};
    const double norms[] = {0.23062765524225745, 0.23062765524225745, 0.21241086015243654,
                            0.19101399440593758, 0.1741414742815955,  0.16104490177332406,
                            0.1534529290137683,  0.1501960772622629};
    const double rates[] = {0.0,
                            0.05,
                            0.1,
                            0.09330127018922195,
                            0.07500000000000001,
                            0.05,
                            0.025000000000000012,
                            0.006698729810778065};
    // Every step adds a few hundred roundings of numbers below 1.
    const long double tolerance = 1000 * unit<double>;
    for (std::size_t step = 0; step < 8; ++step) {
        const StepReport report = trainer.step(parameters, model.objective());
        EXPECT_EQ(report.step, static_cast<Index>(step) + 1);
        EXPECT_EQ(report.count, 10);
        EXPECT_TRUE(near(report.loss, losses[step], tolerance)) << step;
        EXPECT_TRUE(near(report.gradient_norm, norms[step], tolerance)) << step;
        EXPECT_TRUE(near(report.rate, rates[step], tolerance)) << step;
    }
    Matrix<double> weight(3, 4);
    weight << 0.11690849938691456, -0.28530428381426587, -0.5874235326134669, -0.26677008716812883,
        0.274475791730363, 0.5753869642826354, 0.33566740112005145, 0.6440550530173208, -0.38339320688074274,
        -0.09642991120093218, -0.2799336683532256, 0.19312608559758382;
    EXPECT_TRUE(near_all(parameters.linear.weight, weight, tolerance));
    Vector<double> bias(3);
    bias << 0.21951143199951123, -0.033029292430273145, -0.09848728122822485;
    EXPECT_TRUE(near_all(parameters.linear.bias, bias, tolerance));
    EXPECT_EQ(parameters.seen(0), 13);  // 5, and 1 of each step, as the objective says
}

TYPED_TEST(TrainerTest, Learns) {
    using Scalar = TypeParam;
    const LinearModel<Scalar> model = make_linear_model<Scalar>(64, 5, 3, 16);
    const Run<Scalar> run = train(model, some_options(), 40, 1);
    EXPECT_LT(run.losses.back(), 0.5 * run.losses.front());
}

TYPED_TEST(TrainerTest, HasTheSameBitsForAnyNumberOfThreads) {
    using Scalar = TypeParam;
    // Noise per shard, and tensors large enough for threads of their own.
    LinearModel<Scalar> model = make_linear_model<Scalar>(40, 601, 37, 8);
    model.noise_size = 1;
    for (const Index shards : {1, 2, 3}) {
        for (const Index accumulation : {1, 2}) {
            TrainerOptions options = some_options();
            options.shards = shards;
            options.accumulation = accumulation;
            const Run<Scalar> one = train(model, options, 6, 1);
            for (const int threads : {2, 3}) {
                const Run<Scalar> more = train(model, options, 6, threads);
                EXPECT_EQ(more.losses, one.losses);
                EXPECT_TRUE(more.parameters == one.parameters) << shards << " shards";
                EXPECT_TRUE(same(more.adamw, one.adamw));
            }
        }
    }
}

TEST(TrainerSumTest, ShardsAreAddedInABalancedTree) {
    // Of 2⁵³, 1, 1 and so on the order of the additions shows in the sum.
    const double large = 0x1p53;
    const std::vector<std::pair<std::vector<double>, double>> sums = {
        {{large, 1}, large},
        {{large, 1, 1}, large},
        {{large, 1, 1, 1}, large + 2},
        {{1, 1, large, 1, 1}, (2 + large) + 1},
        {{large, 1, 1, 1, 1, 1}, (large + 2) + 2},
        {{large, 0, 1, 1, 1, 1, 1}, (large + 2) + 3}};
    const LinearModel<double> model = make_linear_model<double>(3, 2, 2, 1);
    for (const auto& [parts, sum] : sums) {
        D parameters = model.make_parameters(1);
        TrainerOptions options;
        options.shards = static_cast<Index>(parts.size());
        Trainer<D> trainer(parameters, options);
        const auto& terms = parts;
        trainer.step(parameters, Objective<double>([&](const D&, const Part& part, D& gradients) {
                         gradients.linear.weight(1, 1) = terms[static_cast<std::size_t>(part.shard)];
                         return CrossEntropyLoss{1, 1};
                     }));
        EXPECT_EQ(trainer.gradients().linear.weight(1, 1), sum) << parts.size() << " shards";
    }
}

TYPED_TEST(TrainerTest, CutsOfABatchAgreeToRounding) {
    using Scalar = TypeParam;
    const LinearModel<Scalar> whole = make_linear_model<Scalar>(60, 7, 4, 12);
    LinearModel<Scalar> third = make_linear_model<Scalar>(60, 7, 4, 4);
    TrainerOptions options = some_options();
    options.adamw.epsilon = 1e-2;  // otherwise Adam makes large steps of small roundings
    const Run<Scalar> expected = train(whole, options, 10, 1);
    options.accumulation = 3;
    const Run<Scalar> micro = train(third, options, 10, 1);
    options.shards = 3;
    const Run<Scalar> both = train(third, options, 10, 2);
    options.accumulation = 1;
    const Run<Scalar> shards = train(whole, options, 10, 2);
    // Gradients differ by the roundings of 12 terms, which ε lets grow a hundredfold; the rates sum up to
    // 0.9.
    const long double tolerance = 12 * 100 * unit<Scalar>;
    for (const Run<Scalar>* run : {&micro, &both, &shards}) {
        EXPECT_TRUE(near_all(run->parameters.linear.weight, expected.parameters.linear.weight, tolerance));
        EXPECT_TRUE(near_all(run->parameters.linear.bias, expected.parameters.linear.bias, tolerance));
    }
}

TYPED_TEST(TrainerTest, AnInterruptedRunEqualsAnUninterruptedOne) {
    using Scalar = TypeParam;
    using P = ModelParameters<Scalar>;
    LinearModel<Scalar> model = make_linear_model<Scalar>(50, 6, 3, 8);
    model.noise_size = 1;
    TrainerOptions options = some_options();
    options.shards = 2;
    options.accumulation = 2;
    const Run<Scalar> whole = train(model, options, 20, 1);

    P parameters = model.make_parameters(5);
    TrainerState<P> state;
    {
        Trainer<P> trainer(parameters, options);
        trainer.run(parameters, 7, model.objective());
        state = trainer.state();
    }
    options.seed = 999;  // the state's counts
    Trainer<P> resumed(state, options);
    const StepReport last = resumed.run(parameters, 20, model.objective());
    EXPECT_EQ(last.step, 20);
    EXPECT_EQ(last.loss, whole.losses.back());
    EXPECT_TRUE(parameters == whole.parameters);
    EXPECT_TRUE(same(resumed.state().adamw, whole.adamw));
    EXPECT_EQ(resumed.state().seed, 11U);
    EXPECT_EQ(resumed.run(parameters, 20, model.objective()).step, 20) << "nothing is left to do";
}

TYPED_TEST(TrainerTest, OtherSeedsGiveOtherRuns) {
    using Scalar = TypeParam;
    LinearModel<Scalar> model = make_linear_model<Scalar>(50, 6, 3, 8);
    model.noise_size = 1;
    TrainerOptions options = some_options();
    const Run<Scalar> one = train(model, options, 4, 1);
    options.seed = 12;
    EXPECT_FALSE(train(model, options, 4, 1).parameters == one.parameters);
}

/// A trainer that has done some steps, and an objective that breaks in the next one.
struct Broken {
    LinearModel<double> model = make_linear_model<double>(30, 4, 3, 6);
    D parameters = model.make_parameters(1);
    Trainer<D> trainer;

    explicit Broken(Index shards) : trainer(parameters, options(shards)) {
        trainer.run(parameters, 2, model.objective());
    }

    static TrainerOptions options(Index shards) {
        TrainerOptions options = some_options();
        options.shards = shards;
        return options;
    }

    template <class Error>
    void expect(int id, const std::string& message, const Objective<double>& objective) {
        const D before = parameters;
        const TrainerState<D> state = trainer.state();
        expect_error<Error>(id, message, [&] { trainer.step(parameters, objective); });
        EXPECT_TRUE(parameters == before);
        EXPECT_TRUE(same(state.adamw, trainer.state().adamw));
        EXPECT_EQ(trainer.step(parameters, model.objective()).step, 3) << "the run can go on";
    }
};

TEST(TrainerErrorTest, ALossThatIsNotFiniteChangesNothing) {
    for (const Index shards : {1, 2}) {
        for (const double bad :
             {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
            Broken broken(shards);
            broken.expect<train_error>(
                810,
                detail::text("[toeplitz.train.810] Trainer::step: expected a finite loss in step 3, got ",
                             std::isnan(bad) ? "nan" : "inf"),
                [&](const D& parameters, const Part& part, D& gradients) {
                    CrossEntropyLoss loss = broken.model(parameters, part, gradients);
                    if (part.shard == part.shards - 1) loss.sum = bad;
                    return loss;
                });
        }
    }
}

TEST(TrainerErrorTest, AGradientThatIsNotFiniteIsNamed) {
    for (const Index shards : {1, 2}) {
        Broken broken(shards);
        broken.expect<train_error>(
            811,
            "[toeplitz.train.811] Trainer::step: expected finite gradients in step 3, got nan in "
            "linear.weight(2, 1)",
            [&](const D& parameters, const Part& part, D& gradients) {
                const CrossEntropyLoss loss = broken.model(parameters, part, gradients);
                if (part.shard == part.shards - 1) {
                    gradients.linear.weight(2, 1) = std::nan("");
                    gradients.linear.bias(0) = HUGE_VAL;
                }
                return loss;
            });
    }
    Broken broken(1);
    broken.expect<train_error>(
        811,
        "[toeplitz.train.811] Trainer::step: expected finite gradients in step 3, got a norm that overflows",
        [](const D&, const Part&, D& gradients) {
            gradients.linear.weight.setConstant(1e200);
            return CrossEntropyLoss{1, 1};
        });
}

TEST(TrainerErrorTest, ABatchWithoutLossesIsRefused) {
    Broken broken(2);
    broken.expect<train_error>(
        812, "[toeplitz.train.812] Trainer::step: expected losses that count in step 3, got none",
        [](const D&, const Part&, D&) { return CrossEntropyLoss{}; });
}

TEST(TrainerErrorTest, ACountThatIsNoNumberOfLossesIsRefused) {
    for (const double count : {HUGE_VAL, std::nan(""), -1.0}) {
        Broken broken(1);
        LossSum loss{1, count};
        expect_error<train_error>(
            812,
            detail::text("[toeplitz.train.812] Trainer::step: expected losses that count in step 3, got ",
                         count),
            [&] { broken.trainer.step(broken.parameters, [&](const D&, const Part&, D&) { return loss; }); });
    }
    // A mean that overflows, and gradients that do.
    const auto expect = [](int id, LossSum loss, double gradient) {
        Broken broken(1);
        const D before = broken.parameters;
        const TrainerState<D> state = broken.trainer.state();
        try {
            broken.trainer.step(broken.parameters, [&](const D&, const Part&, D& gradients) {
                gradients.linear.weight.setConstant(gradient);
                return loss;
            });
            ADD_FAILURE() << "no error " << id;
        } catch (const train_error& caught) {
            EXPECT_EQ(caught.id(), id) << caught.what();
        }
        EXPECT_TRUE(broken.parameters == before);
        EXPECT_TRUE(same(state.adamw, broken.trainer.state().adamw));
    };
    expect(810, {1e10, 1e-300}, 0);
    expect(811, {1, 1e-300}, 1e10);
    expect(813, {0, 1e-310}, 0);
}

TEST(TrainerErrorTest, AStepToWhatIsNotFiniteChangesNothing) {
    Broken broken(2);
    TrainerOptions options = Broken::options(2);
    options.schedule = {.peak = 1e308};
    broken.trainer = Trainer<D>(broken.trainer.state(), options);
    const D before = broken.parameters;
    const TrainerState<D> state = broken.trainer.state();
    EXPECT_THROW(broken.trainer.step(broken.parameters, broken.model.objective()), train_error);
    EXPECT_TRUE(broken.parameters == before);
    EXPECT_TRUE(same(state.adamw, broken.trainer.state().adamw));
}

TEST(TrainerErrorTest, ParametersOfOtherShapesAreRefused) {
    const LinearModel<double> model = make_linear_model<double>(30, 40, 3, 6);
    D parameters = model.make_parameters(1);
    const D smaller = make_linear_model<double>(30, 4, 3, 6).make_parameters(1);
    Trainer<D> trainer(smaller, some_options());
    expect_error<shape_error>(
        820,
        "[toeplitz.shape.820] Trainer::step: expected parameters with linear.weight of shape 3×4, got 3×40",
        [&] { trainer.step(parameters, model.objective()); });
    EXPECT_TRUE(parameters == model.make_parameters(1));
}

TEST(TrainerErrorTest, AStateThatNoRunLeavesIsRefused) {
    const D parameters = make_linear_model<double>(30, 4, 3, 6).make_parameters(1);
    const auto expect = [&](const std::string& got, const auto& change) {
        TrainerState<D> state{1, make_adamw_state(parameters)};
        change(state.adamw);
        expect_error<value_error>(821,
                                  "[toeplitz.value.821] Trainer: expected a step in 0..9007199254740991, "
                                  "finite moments, and second "
                                  "ones from 0 on, got " +
                                      got,
                                  [&] { Trainer<D>(state, some_options()); });
    };
    using State = AdamWState<D>;
    expect("step -1", [](State& s) { s.step = -1; });
    expect("step 9223372036854775807", [](State& s) { s.step = std::numeric_limits<Index>::max(); });
    expect("nan in the first moment of linear.weight(2, 1)",
           [](State& s) { s.first.linear.weight(2, 1) = std::nan(""); });
    expect("inf in the second moment of linear.bias(1, 0)",
           [](State& s) { s.second.linear.bias(1) = HUGE_VAL; });
    expect("-1e-20 in the second moment of linear.weight(0, 3)",
           [](State& s) { s.second.linear.weight(0, 3) = -1e-20; });
    TrainerState<D> state{1, make_adamw_state(parameters)};
    state.adamw.second.linear.weight.resize(2, 4);
    EXPECT_THROW(Trainer<D>(state, some_options()), shape_error);
}

TEST(TrainerErrorTest, ErrorsLeaveTheShardsThatThrowThem) {
    for (const Index shards : {1, 2, 3, 9}) {
        for (const int threads : {1, 2, 7}) {
            with_threads(threads, [&] {
                Broken broken(shards);
                broken.expect<value_error>(123,
                                           detail::text("[toeplitz.value.123] shard ", shards > 1 ? 1 : 0),
                                           [&](const D& parameters, const Part& part, D& gradients) {
                                               if (part.shard > 0 || part.shards == 1) {
                                                   throw value_error(123, detail::text("shard ", part.shard));
                                               }
                                               return broken.model(parameters, part, gradients);
                                           });
            });
        }
    }
}

TEST(TrainerErrorTest, GradientsAreFinishedOnce) {
    const std::string message =
        "[toeplitz.train.816] Trainer::step: expected every gradient to be finished once in step 3, got one "
        "that was before, or another set's";
    for (const Index shards : {1, 3}) {
        Broken broken(shards);
        broken.expect<train_error>(816, message, [&](const D& p, const Part& part, D& gradients) {
            const auto loss = broken.model(p, part, gradients);
            part.finished(gradients.linear);
            part.finished(gradients);
            return loss;
        });
        Broken other(shards);
        other.expect<train_error>(816, message, [&](const D& p, const Part& part, D& gradients) {
            const auto loss = other.model(p, part, gradients);
            part.finished(D(gradients));
            return loss;
        });
    }
}

TEST(TrainerShardTest, GradientsAreFinishedByTheLastMicroBatch) {
    const LinearModel<double> model = make_linear_model<double>(30, 4, 3, 6);
    const D start = model.make_parameters(1);
    TrainerOptions options = some_options();
    options.accumulation = 3;
    options.shards = 2;
    D expected = start, finished = start;
    Trainer<D>(expected, options).step(expected, model.objective());
    Trainer<D>(finished, options)
        .step(finished, Objective<double>([&](const D& p, const Part& part, D& gradients) {
                  const auto loss = model(p, part, gradients);
                  part.finished(gradients);
                  return loss;
              }));
    EXPECT_TRUE(finished == expected);
}

TEST(TrainerErrorTest, NamesTheOption) {
    const D parameters = make_linear_model<double>(3, 2, 2, 1).make_parameters(1);
    const auto expect = [&](const TrainerOptions& options, const char* text) {
        expect_error<config_error>(803, detail::text("[toeplitz.config.803] Trainer: expected ", text),
                                   [&] { Trainer<D>(parameters, options); });
    };
    expect({.clip_norm = -1}, "a finite clip_norm >= 0, got -1");
    expect({.clip_norm = std::nan("")}, "a finite clip_norm >= 0, got nan");
    expect({.clip_norm = HUGE_VAL}, "a finite clip_norm >= 0, got inf");
    expect({.accumulation = 0}, "accumulation >= 1, got 0");
    expect({.shards = 0}, "shards >= 1, got 0");
    expect_error<config_error>(803, "[toeplitz.config.803] every: expected n >= 1, got 0",
                               [] { every(0, [](const StepReport&) {}); });
    EXPECT_THROW(Trainer<D>(parameters, {.adamw = {.beta1 = 2}}), config_error);
    EXPECT_THROW(Trainer<D>(parameters, {.schedule = {.peak = -2}}), config_error);
    const auto single = make_linear_model<float>(3, 2, 2, 1).make_parameters(1);
    using F = ModelParameters<float>;
    EXPECT_THROW(Trainer<F>(single, {.adamw = {.epsilon = 1e-50}}), config_error);
    EXPECT_THROW(Trainer<F>(single, {.schedule = {.peak = 1e39}}), config_error);
    Trainer<F>(single, {.schedule = {.peak = 1e30}});
}

TEST(TrainerCallbackTest, AreCalledInOrderWithWhatTheyTake) {
    const LinearModel<double> model = make_linear_model<double>(30, 4, 3, 6);
    D parameters = model.make_parameters(1);
    Trainer<D> trainer(parameters, some_options());
    std::string calls;
    trainer.run(
        parameters, 6, model.objective(),
        [&](const StepReport& report) { calls += std::to_string(report.step); },
        every(2,
              [&](const auto& report, D& current) {
                  EXPECT_EQ(&current, &parameters);
                  EXPECT_EQ(report.step % 2, 0);
                  calls += "b";
              }),
        every(3, [&](const auto&, const D&, const Trainer<D>& now) {
            EXPECT_EQ(&now, &trainer);
            EXPECT_EQ(now.state().step() % 3, 0);
            calls += "c";
        }));
    EXPECT_EQ(calls, "12b3c4b56bc");
}

TEST(TrainerCallbackTest, StopTheRunAfterAllWereCalled) {
    const LinearModel<double> model = make_linear_model<double>(30, 4, 3, 6);
    D parameters = model.make_parameters(1);
    Trainer<D> trainer(parameters, some_options());
    int others = 0;
    const StepReport last = trainer.run(
        parameters, 100, model.objective(),
        every(2, [](const StepReport& report) { return report.step >= 4 ? Continue::no : Continue::yes; }),
        [&](const StepReport&) { ++others; });
    EXPECT_EQ(last.step, 4);
    EXPECT_EQ(others, 4);
    EXPECT_EQ(trainer.state().step(), 4);
}

TEST(TrainerShardTest, SeesEveryPartOfEveryStepOnceWithItsSeed) {
    const LinearModel<double> model = make_linear_model<double>(30, 4, 3, 6);
    D parameters = model.make_parameters(1);
    TrainerOptions options = some_options();
    options.shards = 3;
    options.accumulation = 2;
    std::vector<std::vector<Part>> seen(3);
    Trainer<D>(parameters, options)
        .run(parameters, 2, Objective<double>([&](const D& p, const Part& part, D& g) {
                 seen[static_cast<std::size_t>(part.shard)].push_back(part);
                 return model(p, part, g);
             }));
    for (Index shard = 0; shard < 3; ++shard) {
        const std::vector<Part>& parts = seen[static_cast<std::size_t>(shard)];
        ASSERT_EQ(parts.size(), 4U);
        for (Index i = 0; i < 4; ++i) {
            const Part& part = parts[static_cast<std::size_t>(i)];
            EXPECT_EQ(part.step, i / 2);
            EXPECT_EQ(part.micro, i % 2);
            EXPECT_EQ(part.micros, 2);
            EXPECT_EQ(part.shards, 3);
            EXPECT_EQ(part.seed, part_seed(options.seed, i / 2, i % 2, shard));
        }
    }
}

TEST(TrainerShardTest, MayBeWithoutSamples) {
    // Two samples for five shards: three parts are empty, and say so.
    const LinearModel<double> model = make_linear_model<double>(30, 4, 3, 2);
    const auto trained = [&](Index shards) {
        D parameters = model.make_parameters(1);
        TrainerOptions options = some_options();
        options.shards = shards;
        std::atomic<int> empty = 0;  // shards run at the same time
        const StepReport report =
            Trainer<D>(parameters, options)
                .step(parameters, Objective<double>([&](const D& p, const Part& part, D& g) {
                          if (model.batches.count(part) > 0) return model(p, part, g);
                          ++empty;
                          return CrossEntropyLoss{};
                      }));
        EXPECT_EQ(report.count, 2);
        EXPECT_EQ(empty, std::max<Index>(0, shards - 2));
        return parameters;
    };
    const D expected = trained(2);
    EXPECT_TRUE(trained(5) == expected);
}

TEST(TrainerShardTest, AHugeNumberOfMicroBatchesIsLegal) {
    const LinearModel<double> model = make_linear_model<double>(30, 4, 3, 6);
    D parameters = model.make_parameters(1);
    TrainerOptions options = some_options();
    options.shards = 4;
    options.accumulation = Index{1} << 62;
    Trainer<D> trainer(parameters, options);
    const auto stop = [&](const D& p, const Part& part, D& g) {
        if (part.micro == 2) throw value_error(123, "enough");
        return model(p, part, g);
    };
    EXPECT_THROW(trainer.step(parameters, Objective<double>(stop)), value_error);
}

TEST(TrainerShardTest, SeesOneThread) {
    const LinearModel<double> model = make_linear_model<double>(30, 4, 3, 6);
    D parameters = model.make_parameters(1);
    TrainerOptions options = some_options();
    options.shards = 2;
    std::vector<int> threads(2);
    with_threads(2, [&] {
        Trainer<D>(parameters, options)
            .step(parameters, Objective<double>([&](const D& p, const Part& part, D& g) {
                      threads[static_cast<std::size_t>(part.shard)] = available_threads();
                      return model(p, part, g);
                  }));
    });
    EXPECT_EQ(threads, (std::vector<int>{1, 1}));
}

}  // namespace
}  // namespace toeplitz::test
