// SPDX-License-Identifier: MIT
/// \file
/// Run by mpiexec with any number of processes, all of which run all tests.

#include <cmath>
#include <cstdio>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <unistd.h>

#include <support/errors.hpp>
#include <support/linear_model.hpp>
#include <support/threads.hpp>

#include <toeplitz/adapt/mpi.hpp>
#include <toeplitz/io/checkpoint.hpp>

#include "processes.hpp"

namespace toeplitz::test {
namespace {

/// Of the whole program: tests run one after another.
MpiCommunicator* all = nullptr;

using P = SmallNet::Parameters;
using D = ModelParameters<double>;

struct Result {
    P parameters = SmallNet::make_parameters();
    AdamWState<P> adamw{};
    std::vector<double> losses{};
};

bool same(const Result& a, const Result& b) {
    return a.losses == b.losses && a.adamw.step == b.adamw.step && same_sets(a.parameters, b.parameters) &&
           same_sets(a.adamw.first, b.adamw.first) && same_sets(a.adamw.second, b.adamw.second);
}

/// Some steps alone or together, from the start or from a state.
Result train(Index shards, Index steps, Communicator& processes, Index accumulation = 1,
             std::optional<Checkpoint<P>> from = {}, Result run = {}) {
    SmallNet model(shards);
    TrainerOptions options = SmallNet::options(shards);
    options.accumulation = accumulation;
    Trainer<P> trainer = from ? Trainer<P>(std::move(from->state), options, processes)
                              : Trainer<P>(run.parameters, options, processes);
    trainer.run(run.parameters, steps, model.objective(),
                [&](const StepReport& report) { run.losses.push_back(report.loss); });
    run.adamw = trainer.state().adamw;
    return run;
}

TEST(MpiTest, AThousandStepsHaveTheBitsOfOneProcess) {
    const Result together = train(6, 1000, *all);
    Communicator alone;
    Result expected;
    with_threads(all->size() == 1 ? 2 : 1, [&] { expected = train(6, 1000, alone); });
    EXPECT_TRUE(same(together, expected));
    EXPECT_LT(expected.losses.back(), 0.5 * expected.losses.front()) << "it learns";
    EXPECT_EQ(expected.parameters.norm.num_batches_tracked(0), 1000);
}

TEST(MpiTest, AnyNumberOfShardsWillDo) {
    Communicator alone;
    for (const Index shards : {1, 2, 3, 4, 5, 7, 8, 11, 12}) {
        for (const Index accumulation : {1, 2}) {
            EXPECT_TRUE(same(train(shards, 3, *all, accumulation), train(shards, 3, alone, accumulation)))
                << shards << " shards, " << accumulation << " micro batches";
        }
    }
}

TEST(MpiTest, MessagesOfAnySizeCarryTheSameBits) {
    LinearModel<double> model = make_linear_model<double>(40, 31, 7, 8);
    model.noise_size = 1;
    const auto run = [&](Communicator& processes) {
        D parameters = model.make_parameters(5);
        Trainer<D> trainer(parameters, SmallNet::options(5), processes);
        const StepReport report = trainer.run(parameters, 3, model.objective());
        EXPECT_EQ(report.bytes_sent > 0, processes.size() > 1);
        return parameters;
    };
    Communicator alone;
    const D expected = run(alone);
    for (const Index bytes : {1, 40, 1000, 1 << 20}) {
        MpiCommunicator processes(MPI_COMM_WORLD, {.bucket_bytes = bytes});
        EXPECT_TRUE(run(processes) == expected) << bytes << " bytes";
        processes.finish();
    }
}

TEST(MpiTest, GradientsAreSentWhileOthersAreComputed) {
    Communicator alone;
    for (const Index shards : {4, 7}) {
        for (const int threads : {1, 2}) {
            MpiCommunicator processes(MPI_COMM_WORLD, {.bucket_bytes = 64});
            SmallNet model(shards);
            P parameters = SmallNet::make_parameters();
            Trainer<P> trainer(parameters, SmallNet::options(shards), processes);
            with_threads(threads, [&] {
                trainer.run(parameters, 3, model.objective(), [&](const StepReport& report) {
                    EXPECT_LT(report.bytes_sent_early, report.bytes_sent + (processes.size() == 1 ? 1 : 0));
                    // Several threads finish in any order.
                    if (threads > 1) return;
                    EXPECT_EQ(report.bytes_sent_early > 0, processes.size() > 1);
                });
            });
            EXPECT_TRUE(same_sets(parameters, train(shards, 3, alone).parameters));
            processes.finish();
        }
    }
}

/// Tensors of both types, and some without numbers.
struct MixedSet {
    Vector<double> empty;
    Vector<float> a;
    Vector<double> b, c;
    Vector<float> none;
    Vector<float> d;

    template <class F, class... Sets>
    static void for_each(F&& f, Sets&... sets) {
        f(ParameterName("empty"), sets.empty...);
        f(ParameterName("a"), sets.a...);
        f(ParameterName("b"), sets.b...);
        f(ParameterName("c"), sets.c...);
        f(ParameterName("none"), sets.none...);
        f(ParameterName("d"), sets.d...);
    }
};
MixedSet make_mixed_set(Index shard) {
    MixedSet set{{}, Vector<float>(37), Vector<double>(20), Vector<double>(9), {}, Vector<float>(5)};
    const CounterRandom random(static_cast<std::uint64_t>(shard));
    std::uint64_t drawn = 0;
    detail::for_each_tensor(
        [&](const ParameterName&, const detail::TensorRef* tensor) {
            tensor->with_data([&]<class Scalar>(Scalar* data) {
                for (Index i = 0; i < tensor->size(); ++i)
                    data[i] = static_cast<Scalar>(random.normal(drawn++));
            });
        },
        set);
    return set;
}

TEST(MpiTest, ProcessesBeginASumAtAnyTime) {
    for (const Index shards : {1, 3, 6}) {
        for (const Index bytes : {8, 48, 1000}) {
            MpiCommunicator processes(MPI_COMM_WORLD, {.bucket_bytes = bytes});
            for (const Index round : {0, 1, 2}) {
                const auto make_sets = [&](IndexRange own) {
                    std::vector<MixedSet> sets;
                    for (Index s = own.first; s < own.last; ++s)
                        sets.push_back(make_mixed_set(10 * round + s));
                    if (sets.empty()) sets.push_back(make_mixed_set(99));
                    return sets;
                };
                const std::vector<MixedSet> expected = make_sets({0, shards});
                ShardTensors all_shards(shards, {0, shards});
                all_shards.refer_to(expected);
                Communicator().sum_shards(all_shards);

                const std::vector<MixedSet> sets = make_sets(processes.share(shards));
                ShardTensors tensors(shards, processes.share(shards));
                tensors.refer_to(sets);
                for (Index first = 6; first > (processes.rank() + round) % 7; --first) {
                    processes.begin_sum(tensors, first);
                }
                processes.sum_shards(tensors);
                EXPECT_TRUE(same_sets(sets.front(), expected.front())) << shards << " shards, " << bytes;
            }
            processes.finish();
        }
    }
}

TEST(MpiTest, SendsEachGradientTwice) {
    const LinearModel<double> model = make_linear_model<double>(40, 100, 10, 8);
    const Index size = all->size();
    D parameters = model.make_parameters(5);
    Trainer<D> trainer(parameters, SmallNet::options(size), *all);
    trainer.step(parameters, model.objective());
    const double sent = static_cast<double>(trainer.step(parameters, model.objective()).bytes_sent);
    const double bytes = 8 * static_cast<double>(parameter_count(parameters));
    const double losses = 24 * static_cast<double>(size - 1);
    const double others = static_cast<double>(size - 1) / static_cast<double>(size);
    // A slice more or less, as slices need not be equal.
    EXPECT_NEAR(sent, 2 * bytes * others + losses, 16.0 * static_cast<double>(size));
}

TEST(MpiTest, ARunGoesOnWithAnotherNumberOfProcesses) {
    const std::string path = "mpi_" + std::to_string(all->size()) + ".checkpoint";
    Communicator alone;
    const Result whole = train(4, 40, alone);
    const auto half = [&](Communicator& first, Communicator& second) {
        SmallNet model(4);
        Result run;
        Trainer<P> trainer(run.parameters, SmallNet::options(4), first);
        trainer.run(run.parameters, 20, model.objective(),
                    [&](const StepReport& report) { run.losses.push_back(report.loss); });
        if (all->is_first()) save_checkpoint(path, run.parameters, trainer);
        all->any(false);  // the file is there
        auto checkpoint = load_checkpoint(path, run.parameters, SmallNet::options(4));
        run = train(4, 40, second, 1, std::move(checkpoint), std::move(run));
        all->any(false);  // all have read it
        return run;
    };
    EXPECT_TRUE(same(half(*all, alone), whole)) << "from several to one";
    EXPECT_TRUE(same(half(alone, *all), whole)) << "from one to several";
    if (all->is_first()) std::remove(path.c_str());
}

TEST(MpiTest, GathersSharesOfAnySize) {
    struct Item {
        Index number;
        char more[3];
    };
    for (const Index items : {0, 1, 2, 3, 5, 100}) {
        std::vector<Item> list(static_cast<std::size_t>(items), Item{-1, {}});
        const IndexRange own = all->share(items);
        for (Index i = own.first; i < own.last; ++i) list[static_cast<std::size_t>(i)].number = i * i;
        all->all_gather(std::span(list));
        for (Index i = 0; i < items; ++i) EXPECT_EQ(list[static_cast<std::size_t>(i)].number, i * i);
    }
    EXPECT_FALSE(all->any(false));
    for (Index rank = 0; rank < all->size(); ++rank) EXPECT_TRUE(all->any(all->rank() == rank));
    EXPECT_EQ(all->size_on_this_machine(), all->size());
}

/// A run of three steps whose third is made of another objective; what it throws must be as expected, and the
/// run can go on.
template <class Error>
void expect_failure(const Objective<double>& broken, const std::string& message) {
    const LinearModel<double> model = make_linear_model<double>(30, 4, 3, 6);
    D parameters = model.make_parameters(1);
    Trainer<D> trainer(parameters, SmallNet::options(3), *all);
    trainer.run(parameters, 2, model.objective());
    const D before = parameters;
    try {
        trainer.step(parameters, broken);
        ADD_FAILURE() << "no error";
    } catch (const Error& error) {
        EXPECT_EQ(std::string(error.what()), message);
    }
    EXPECT_TRUE(parameters == before);
    EXPECT_EQ(trainer.step(parameters, model.objective()).step, 3);
}

TEST(MpiErrorTest, ALossThatIsNotFiniteStopsAllAlike) {
    expect_failure<train_error>(
        [](const D&, const Part& part, D&) {
            return CrossEntropyLoss{part.shard == 1 ? HUGE_VAL : 1, 1};
        },
        "[toeplitz.train.810] Trainer::step: expected a finite loss in step 3, got inf");
    expect_failure<train_error>(
        [](const D&, const Part& part, D& gradients) {
            if (part.shard == 2) gradients.linear.bias(1) = std::nan("");
            return CrossEntropyLoss{1, 1};
        },
        "[toeplitz.train.811] Trainer::step: expected finite gradients in step 3, got nan in "
        "linear.bias(1, 0)");
}

TEST(MpiErrorTest, WhatOneProcessThrowsIsThrownInAll) {
    for (Index shard = 0; shard < 3; ++shard) {
        const IndexRange own = all->share(3);
        Index owner = 0;
        while (part_of(3, owner, all->size()).last <= shard) ++owner;
        const bool is_own = shard >= own.first && shard < own.last;
        expect_failure<std::runtime_error>(
            [&](const D&, const Part& part, D& gradients) {
                if (part.shard == shard) throw std::runtime_error("no such file");
                part.finished(gradients);  // on its way to those who have thrown
                return CrossEntropyLoss{1, 1};
            },
            is_own ? "no such file"
                   : "[toeplitz.train.814] Trainer::step: expected gradients from all processes in step 3, "
                     "got from process " +
                         std::to_string(owner) + ": no such file");
    }
}

TEST(MpiErrorTest, RunsThatDifferDoNotBegin) {
    if (all->size() == 1) return;
    const LinearModel<double> model = make_linear_model<double>(30, 4, 3, 6);
    const auto expect = [&](const D& parameters, const TrainerOptions& options) {
        D changed = parameters;
        Trainer<D> trainer(parameters, options, *all);
        expect_error<train_error>(815,
                                  "[toeplitz.train.815] Trainer::step: expected the same parameters, state "
                                  "and shards in all processes in step 1, got others in process 1",
                                  [&] { trainer.step(changed, model.objective()); });
    };
    const std::uint64_t seed = all->is_first() ? 1 : 2;
    expect(model.make_parameters(seed), SmallNet::options(3));
    TrainerOptions options = SmallNet::options(3);
    options.seed = seed;
    expect(model.make_parameters(1), options);
    options = SmallNet::options(3);
    options.accumulation = static_cast<Index>(seed);
    expect(model.make_parameters(1), options);
}

TEST(MpiErrorTest, ABucketHasAtLeastOneByte) {
    expect_error<config_error>(612,
                               "[toeplitz.config.612] MpiCommunicator: expected bucket_bytes >= 1, got 0",
                               [] { MpiCommunicator(MPI_COMM_WORLD, {.bucket_bytes = 0}); });
}

/// What the processes show that print no progress.
class ShowsFailures : public testing::EmptyTestEventListener {
    void OnTestPartResult(const testing::TestPartResult& part) override {
        if (!part.failed()) return;
        std::fprintf(stderr, "process %d: %s:%d: %s\n", static_cast<int>(all->rank()), part.file_name(),
                     part.line_number(), part.message());
    }
};

int run_all_tests() {
    testing::TestEventListeners& listeners = testing::UnitTest::GetInstance()->listeners();
    if (!all->is_first()) {
        delete listeners.Release(listeners.default_result_printer());
        listeners.Append(new ShowsFailures);
    }
    return RUN_ALL_TESTS();
}

/// For the tests of failures (kill.sh): a run in a folder, from its checkpoint on if there is one, that saves
/// after every third step. `folder`/steps has the steps that were saved, and `folder`/process_… the ids of
/// the processes. At the end it is compared with a run of one process that never stopped.
int run_in(const std::string& folder, Index steps) {
    const std::string path = folder + "/run.checkpoint";
    SmallNet model(4);
    P parameters = SmallNet::make_parameters();
    const TrainerOptions options = SmallNet::options(4);
    TrainerState<P> state{options.seed, make_adamw_state(parameters)};
    if (std::ifstream(path)) state = load_checkpoint(path, parameters, options).state;
    Trainer<P> trainer(std::move(state), options, *all);
    std::ofstream(folder + "/process_" + std::to_string(all->rank())) << ::getpid() << '\n';
    trainer.run(parameters, steps, model.objective(),
                every(3, [&](const StepReport& report, P& now, const Trainer<P>& of) {
                    if (!all->is_first()) return;
                    save_checkpoint(path, now, of);
                    std::ofstream(folder + "/steps", std::ios::app) << report.step << '\n';
                }));
    Communicator alone;
    const Result expected = train(4, trainer.state().step(), alone);
    return same_sets(parameters, expected.parameters) ? 0 : 3;
}

/// After the third step one process throws outside the step, or all do.
void throw_in(Index rank) {
    SmallNet model(4);
    P parameters = SmallNet::make_parameters();
    Trainer<P> trainer(parameters, SmallNet::options(4), *all);
    trainer.run(parameters, 1000, model.objective(), every(3, [&](const StepReport&) {
                    if (rank < 0 || all->rank() == rank) throw std::runtime_error("the disk is full");
                }));
}

}  // namespace
}  // namespace toeplitz::test

/// mpi_test [of GoogleTest] | run <folder> <steps> | throw <process, or -1 for all>
int main(int argc, char** argv) {
    using namespace toeplitz;
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    const std::string what = arguments.empty() ? "" : arguments[0];
    const MpiSession session;
    MpiCommunicator processes;
    test::all = &processes;
    int result = 0;
    try {
        if (what == "run") {
            result = test::run_in(arguments.at(1), std::stol(arguments.at(2)));
        } else if (what == "throw") {
            test::throw_in(std::stol(arguments.at(1)));
        } else {
            testing::InitGoogleTest(&argc, argv);
            result = test::run_all_tests();
        }
        processes.finish();
    } catch (const std::exception& error) {
        processes.abort(error.what(), [](const char* text) { std::fprintf(stderr, "error: %s\n", text); });
    }
    return result;
}
