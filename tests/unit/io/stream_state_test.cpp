// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/stream.hpp>
#include <support/tensor_files.hpp>

#include <toeplitz/io/stream_state.hpp>
#include <toeplitz/stream/kernel_stream.hpp>

namespace toeplitz::test {
namespace {

TEST(StreamStateTest, FilesGoOnWithTheSameBits) {
    const TemporaryFolder folder;
    const KernelStream<float> plan(random_matrix<float>(300, 3, 1));
    auto state = plan.make_state();
    streamed(plan, random_matrix<float>(555, 3, 2), state, 0);
    save_stream_state(folder / "state", plan, state);
    auto loaded = plan.make_state();
    load_stream_state(folder / "state", plan, loaded);
    EXPECT_TRUE(loaded == state);
    const Matrix<float> x = random_matrix<float>(700, 3, 3);
    EXPECT_TRUE(same_bits(streamed(plan, x, loaded, 0), streamed(plan, x, state, 0)));
}

TEST(StreamStateTest, OtherFilesLeaveTheStateAsItIs) {
    const TemporaryFolder folder;
    const KernelStream<float> plan(random_matrix<float>(30, 3, 1));
    auto state = plan.make_state();
    streamed(plan, random_matrix<float>(55, 3, 2), state, 0);
    const auto before = state;
    const auto load = [&](const std::string& file) {
        return [&, file] { load_stream_state(folder / file, plan, state); };
    };
    save_stream_state(folder / "state", plan, state);
    std::string bytes = read_bytes(folder / "state");
    bytes[40] = static_cast<char>(bytes[40] ^ 1);
    write_bytes(folder / "damaged", bytes);
    write_bytes(folder / "short", "12345");
    for (const std::string file : {"damaged", "short"}) {
        expect_error<io_error>(913,
                               "[toeplitz.io.913] load_stream_state: file " +
                                   detail::in_quotes(folder / file) +
                                   ": expected the state of a stream and its checksum, got other content",
                               load(file));
    }
    expect_error<io_error>(901,
                           "[toeplitz.io.901] load_stream_state: file " +
                               detail::in_quotes(folder / "nowhere") +
                               ": expected a regular file that can be read, got No such file or directory",
                           load("nowhere"));
    const KernelStream<float> other(random_matrix<float>(31, 3, 1));
    save_stream_state(folder / "other", other, other.make_state());
    expect_error<value_error>(1007,
                              "[toeplitz.value.1007] KernelStream::restore: expected a state of the same "
                              "kernel, streams and options, got one of another plan",
                              load("other"));
    EXPECT_TRUE(state == before);
}

}  // namespace
}  // namespace toeplitz::test
