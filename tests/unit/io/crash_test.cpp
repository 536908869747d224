// SPDX-License-Identifier: MIT
/// \file
/// A process that is killed while it writes leaves the old file or the new one, whole.

#include <csignal>

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <support/linear_model.hpp>
#include <support/tensor_files.hpp>

#include <toeplitz/io/checkpoint.hpp>
#include <toeplitz/io/model_file.hpp>

namespace toeplitz::test {
namespace {

using P = ModelParameters<double>;

/// Two states of a run in turns, large enough to be hit halfway.
struct Versions {
    LinearModel<double> model = make_linear_model<double>(8, 20'000, 4, 2);
    P parameters[2] = {model.make_parameters(1), model.make_parameters(2)};
    Trainer<P> trainers[2] = {Trainer<P>(parameters[0], {.seed = 0}), Trainer<P>(parameters[1], {.seed = 1})};

    void save_run(const std::string& path, int version) const {
        save_checkpoint(path, parameters[version], trainers[version], {{"version", std::to_string(version)}});
    }
    void expect_run(const std::string& path) const {
        P loaded = parameters[0];
        const Checkpoint<P> checkpoint = load_checkpoint(path, loaded);
        ASSERT_LE(checkpoint.state.seed, 1U);
        EXPECT_TRUE(loaded == parameters[checkpoint.state.seed]);
        EXPECT_EQ(checkpoint.metadata.at("version"), std::to_string(checkpoint.state.seed));
    }

    static Matrix<double> evaluate(const P& p, MatrixView<const double> x) {
        return x.eigen().lazyProduct(p.linear.weight.transpose());
    }
    void save_trained(const std::string& path, int version) const {
        const Matrix<double> input = model.inputs.topRows(1);
        save_model(path, parameters[version], {{"version", std::to_string(version)}}, input, evaluate);
    }
    void expect_trained(const std::string& path) const {
        P loaded = parameters[0];
        const auto metadata = load_model(path, loaded, evaluate);
        EXPECT_TRUE(loaded == parameters[metadata.at("version") == "1" ? 1 : 0]);
        EXPECT_EQ(metadata.size(), 1U);
    }
};

/// Kills a child `kills` times while it calls write(0), write(1), write(0), …; check() must hold after each.
/// Returns how often a part was left.
template <class Write, class Check>
int kill_while_writing(const TemporaryFolder& folder, int kills, Write write, Check check) {
    int left = 0;
    write(0);
    for (int kill = 0; kill < kills; ++kill) {
        const ::pid_t child = ::fork();
        if (child == 0) {
            for (int version = 1;; version = 1 - version) write(version);
        }
        // Some writes take longer than others: a moment of any of the first few.
        const CounterRandom random(static_cast<std::uint64_t>(kills));
        ::usleep(static_cast<::useconds_t>(random.uniform(static_cast<std::uint64_t>(kill), 0, 30'000)));
        // Every other time in the middle of a file, wherever a write spends its time.
        for (int look = 0; kill % 2 == 1 && look < 100'000 && folder.entries() < 2; ++look) {
        }
        ::kill(child, SIGKILL);
        int status = 0;
        ::waitpid(child, &status, 0);
        EXPECT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself";
        EXPECT_LE(folder.entries(), 2U) << "parts of earlier crashes are still there";
        left += folder.entries() == 2 ? 1 : 0;
        check();
    }
    write(0);
    EXPECT_EQ(folder.entries(), 1U);
    return left;
}

int kill_run(int kills) {
    const TemporaryFolder folder;
    const Versions versions;
    return kill_while_writing(
        folder, kills, [&](int version) { versions.save_run(folder / "run", version); },
        [&] { versions.expect_run(folder / "run"); });
}
int kill_trained(int kills) {
    const TemporaryFolder folder;
    const Versions versions;
    return kill_while_writing(
        folder, kills, [&](int version) { versions.save_trained(folder / "model", version); },
        [&] { versions.expect_trained(folder / "model"); });
}

TEST(CrashTest, LeavesAWholeCheckpoint) { kill_run(8); }
TEST(CrashTest, LeavesAWholeModel) { kill_trained(8); }

TEST(SlowCrashTest, OftenKilledCheckpointsStayWhole) { EXPECT_GT(kill_run(100), 0) << "no write was hit"; }
TEST(SlowCrashTest, OftenKilledModelsStayWhole) { EXPECT_GT(kill_trained(100), 0) << "no write was hit"; }

}  // namespace
}  // namespace toeplitz::test
