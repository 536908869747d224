// SPDX-License-Identifier: MIT
// One allocation fails, whichever, while files are written and read: an exception says so, the file that was
// there stays, and then the same call works.

#include <support/allocations.hpp>
#include <support/linear_model.hpp>
#include <support/tensor_files.hpp>

#include <toeplitz/io/checkpoint.hpp>
#include <toeplitz/io/model_file.hpp>

namespace toeplitz::test {
namespace {

using P = ModelParameters<double>;

class FailingFiles : public Allocations {
protected:
    const LinearModel<double> model = make_linear_model<double>(30, 4, 3, 6);
    const P parameters = model.make_parameters(1);
    const P others = model.make_parameters(2);
    const TemporaryFolder folder;
    const std::string path = folder / "file";

    /// save(path, set) and load(path, set).
    template <class Save, class Load>
    void expect_whole(Save&& save, Load&& load) {
        P set = others;
        save(others);
        bool saved = false;
        const auto save_new = [&] {
            saved = false;
            save(parameters);
            saved = true;
        };
        const auto old_or_new = [&] {
            load(set);
            // The last of the failures come when the new file is in its place.
            EXPECT_TRUE(set == parameters || (!saved && set == others));
            EXPECT_EQ(folder.entries(), 1U) << "nothing is left beside the file";
            set = others;
            save(others);
        };
        EXPECT_GT(fail_each(save_new, old_or_new), 10);
        save(parameters);
        EXPECT_GT(fail_each([&] { load(set); },
                            [&] {
                                if (!(set == parameters)) {
                                    EXPECT_TRUE(set == others) << "a set is loaded whole or not at all";
                                }
                                load(set);
                                EXPECT_TRUE(set == parameters);
                                set = others;
                            }),
                  10);
    }
};

TEST_F(FailingFiles, StateDicts) {
    expect_whole(
        [&](const P& set) {
            TensorFile file;
            store_parameters(file, set);
            write_safetensors(path, file);
        },
        [&](P& set) { load_parameters(read_safetensors(path), set); });
}

TEST_F(FailingFiles, Models) {
    const auto evaluate = [](const P& set, MatrixView<const double> x) {
        return Matrix<double>(x.eigen() * set.linear.weight.transpose());
    };
    const Matrix<double> input = Matrix<double>::Ones(2, 4);
    expect_whole(
        [&](const P& set) {
            save_model(path, set, {{"a", "b"}}, input, evaluate);
        },
        [&](P& set) { load_model(path, set, evaluate); });
}

TEST_F(FailingFiles, Checkpoints) {
    const TrainerOptions options;
    expect_whole([&](const P& set) { save_checkpoint(path, set, Trainer<P>(set, options)); },
                 [&](P& set) { load_checkpoint(path, set, options); });
}

}  // namespace
}  // namespace toeplitz::test
