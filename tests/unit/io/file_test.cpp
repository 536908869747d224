// SPDX-License-Identifier: MIT
/// \file
/// Replacing files: completely or not at all, whatever goes wrong.

#include <thread>

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/small_disk.hpp>
#include <support/tensor_files.hpp>

namespace toeplitz::test {
namespace {

void replace(const std::string& path, const std::string& content) {
    const auto bytes = as_bytes(content);
    const std::span<const std::byte> parts[] = {bytes.first(3), bytes.subspan(3)};
    replace_file(path, parts);
}

void expect_not_written(const std::string& path, const std::string& got) {
    expect_error<io_error>(910,
                           "[toeplitz.io.910] replace_file: file " + detail::in_quotes(path) +
                               ": expected a file that can be written (an old one is intact), got " + got,
                           [&] { replace(path, "content"); });
}

TEST(ReplaceFileTest, WritesAllParts) {
    const TemporaryFolder folder;
    replace(folder / "a", "content");
    EXPECT_EQ(read_bytes(folder / "a"), "content");
    replace(folder / "a", "other");
    EXPECT_EQ(read_bytes(folder / "a"), "other");
    EXPECT_EQ(folder.entries(), 1U);
}

TEST(ReplaceFileTest, FullDiskLeavesTheOldFile) {
    const TemporaryFolder folder;
    const std::string path = folder / "checkpoint";
    write_bytes(path, "precious");
    TensorFile large;
    large.tensors["x"] = {Dtype::u8, {100'000}, std::vector<std::byte>(100'000)};
    {
        const SmallDisk disk(50'000);
        expect_error<io_error>(910,
                               "[toeplitz.io.910] write_safetensors: file " + detail::in_quotes(path) +
                                   ": expected a file that can be written (an old one is intact), "
                                   "got writing: File too large",
                               [&] { write_safetensors(path, large); });
    }
    EXPECT_EQ(read_bytes(path), "precious");
    EXPECT_EQ(folder.entries(), 1U) << "a part is left";
    write_safetensors(path, large);
    EXPECT_EQ(read_safetensors(path).at("x").size(), 100'000);
}

TEST(ReplaceFileTest, NoSpaceIsAnError) {
    const detail::FileDescriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    if (!full.is_open()) GTEST_SKIP() << "no /dev/full here";
    EXPECT_FALSE(detail::write_all(full.get(), as_bytes("x")));
    EXPECT_EQ(errno, ENOSPC);
}

TEST(ReplaceFileTest, PathsThatCannotBeWritten) {
    const TemporaryFolder folder;
    expect_not_written(folder / "missing/a", "creating a file beside it: No such file or directory");
    write_bytes(folder / "file", "x");
    expect_not_written(folder / "file/a", "Not a directory");
    expect_not_written(folder / std::string(300, 'n'), "File name too long");
    expect_not_written("", "renaming: No such file or directory");
    expect_not_written(folder / std::string("file\0.safetensors", 17), "a path with a zero byte");
    std::filesystem::create_symlink("b", folder / "a");
    std::filesystem::create_symlink("a", folder / "b");
    expect_not_written(folder / "a", "Too many levels of symbolic links");
    EXPECT_TRUE(std::filesystem::is_symlink(folder / "a"));
    EXPECT_EQ(folder.entries(), 3U);
}

TEST(ReplaceFileTest, OnlyRegularFilesAreReplaced) {
    const TemporaryFolder folder;
    ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
    std::filesystem::create_directory(folder / "folder");
    for (const std::string& path : {folder / "pipe", folder / "folder"}) {
        expect_not_written(path, "something that is not a regular file");
        EXPECT_THROW(read_safetensors(path), io_error);
    }
    EXPECT_EQ(folder.entries(), 2U);
}

TEST(ReplaceFileTest, PermissionsAndLinksStay) {
    const TemporaryFolder folder;
    write_bytes(folder / "file", "old");
    std::filesystem::permissions(folder / "file", std::filesystem::perms(0640));
    std::filesystem::create_symlink("file", folder / "link");
    replace(folder / "link", "content");
    EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
    EXPECT_EQ(read_bytes(folder / "file"), "content");
    EXPECT_EQ(std::filesystem::status(folder / "file").permissions(), std::filesystem::perms(0640));
    EXPECT_EQ(folder.entries(), 2U);
}

TEST(ReplaceFileTest, LinksToWhatIsNotThereYetLeadThere) {
    const TemporaryFolder folder;
    std::filesystem::create_directory(folder / "models");
    std::filesystem::create_symlink("models/next", folder / "latest");
    std::filesystem::create_symlink(folder / "latest", folder / "models/link");
    replace(folder / "models/link", "content");
    EXPECT_TRUE(std::filesystem::is_symlink(folder / "models/link"));
    EXPECT_TRUE(std::filesystem::is_symlink(folder / "latest"));
    EXPECT_FALSE(std::filesystem::is_symlink(folder / "models/next"));
    EXPECT_EQ(read_bytes(folder / "models/next"), "content");
    EXPECT_EQ(folder.entries(), 2U);
}

TEST(ReplaceFileTest, NamesMayBeAsLongAsTheSystemAllows) {
    const TemporaryFolder folder;
    for (const std::size_t length : {250U, 255U}) {
        const std::string path = folder / std::string(length, 'n');
        replace(path, "old");
        replace(path, "content");
        EXPECT_EQ(read_bytes(path), "content");
    }
    EXPECT_EQ(folder.entries(), 2U);
}

TEST(ReplaceFileTest, FilesThatMayNotBeWrittenStay) {
    const TemporaryFolder folder;
    std::filesystem::permissions(folder / ".", std::filesystem::perms(0777));
    write_bytes(folder / "file", "precious");
    std::filesystem::permissions(folder / "file", std::filesystem::perms(0444));
    const bool root = ::geteuid() == 0;  // who may write everything
    if (root) {
        ASSERT_EQ(::seteuid(65534), 0);
    }
    expect_not_written(folder / "file", "Permission denied");
    if (root) {
        ASSERT_EQ(::seteuid(0), 0);
    }
    EXPECT_EQ(read_bytes(folder / "file"), "precious");
    EXPECT_EQ(folder.entries(), 1U);
}

TEST(ReplaceFileTest, WhatACrashLeftIsRemovedAndWhatIsInUseIsNot) {
    const TemporaryFolder folder;
    const std::string path = folder / "checkpoint";
    std::string stale;
    std::string used;
    ::close(detail::create_part(path, stale));
    EXPECT_EQ(folder.entries(), 1U);
    write_bytes(stale, "half a file");
    {
        const detail::FileDescriptor other(detail::create_part(path, used));
        EXPECT_EQ(used, stale) << "the first is gone";
        replace(path, "content");
        EXPECT_EQ(folder.entries(), 2U);
        EXPECT_TRUE(detail::has_name(other.get(), used));
    }
    replace(path, "other");
    EXPECT_EQ(read_bytes(path), "other");
    EXPECT_EQ(folder.entries(), 1U);
}

TEST(ReplaceFileTest, ManyWritersOfOneFileNeverMix) {
    const TemporaryFolder folder;
    const std::string path = folder / "file";
    const auto write = [&](char c) {
        for (int i = 0; i < 50; ++i) replace(path, std::string(10'000, c));
    };
    std::thread other(write, 'a');
    write('b');
    other.join();
    const std::string bytes = read_bytes(path);
    EXPECT_TRUE(bytes == std::string(10'000, 'a') || bytes == std::string(10'000, 'b'));
    EXPECT_EQ(folder.entries(), 1U);
}

TEST(ReplaceFileTest, MissingFilesAreNamed) {
    expect_error<io_error>(
        901,
        "[toeplitz.io.901] read_safetensors: file 'no/such/file': expected a regular file that can "
        "be read, got No such file or directory",
        [] { read_safetensors("no/such/file"); });
    const std::string cut("/dev/null\0more", 14);
    expect_error<io_error>(901,
                           "[toeplitz.io.901] read_safetensors: file '/dev/null?more': expected a regular "
                           "file that can be read, got a path with a zero byte",
                           [&] { read_safetensors(cut); });
}

TEST(Crc64Test, IsTheOneOfXz) {
    EXPECT_EQ(Crc64().value(), 0U);
    const std::string digits = "123456789";
    EXPECT_EQ(Crc64().add(as_bytes(digits)).value(), 0x995DC9BBDF1939FAU);
    EXPECT_EQ(Crc64().add(as_bytes(digits)).text(), "995dc9bbdf1939fa");
    const std::string text = "The same bytes, whatever they are cut into.";
    const std::uint64_t whole = Crc64().add(as_bytes(text)).value();
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        EXPECT_EQ(Crc64().add(as_bytes(text).first(cut)).add(as_bytes(text).subspan(cut)).value(), whole);
    }
}

TEST(ReplaceFileTest, FilesThatShrinkMeanwhileAreNoticed) {
    const TemporaryFolder folder;
    write_bytes(folder / "a", "12345678");
    const detail::FileReader reader(folder / "a", "test");
    std::filesystem::resize_file(folder / "a", 4);
    std::byte bytes[8];
    EXPECT_THROW(reader.read(0, bytes), io_error);
}

}  // namespace
}  // namespace toeplitz::test
