// SPDX-License-Identifier: MIT
/// \file
/// The safetensors format: round trips, the bytes themselves, and one file for each way of being wrong.

#include <array>
#include <fstream>
#include <string>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/sanitizers.hpp>
#include <support/tensor_files.hpp>

namespace toeplitz::test {
namespace {

TensorFile parse(const std::string& bytes) { return parse_safetensors(as_bytes(bytes), "guest"); }

/// \param complaint what follows "parse_safetensors: file 'guest'"
void expect_refused(int id, const std::string& complaint, const std::string& bytes) {
    SCOPED_TRACE(complaint);
    const std::string message =
        detail::text("[toeplitz.io.", id, "] parse_safetensors: file 'guest'", complaint);
    expect_error<io_error>(id, message, [&] { parse(bytes); });
}

/// The file of one header entry and some data.
std::string file_of(const std::string& entry_text, std::size_t data) {
    return raw_file(detail::text("{", entry_text, "}"), std::string(data, '\1'));
}

// -------------------------------------------------------------------------------------------------- right
// ones

TEST(SafetensorsTest, EverythingComesBack) {
    const TensorFile file = sample_file();
    const TensorFile again = parse_safetensors(format_safetensors(file));
    EXPECT_EQ(again.tensors, file.tensors);
    EXPECT_EQ(again.metadata, file.metadata);
}

TEST(SafetensorsTest, FilesComeBackFromTheDisk) {
    const TemporaryFolder folder;
    const TensorFile file = sample_file();
    write_safetensors(folder / "a.safetensors", file);
    EXPECT_EQ(read_bytes(folder / "a.safetensors"), as_text(format_safetensors(file)));
    const TensorFile again = read_safetensors(folder / "a.safetensors");
    EXPECT_EQ(again.tensors, file.tensors);
    EXPECT_EQ(again.metadata, file.metadata);
    EXPECT_EQ(again.source, folder / "a.safetensors");
}

/// Larger elements first, then by name; the header ends at a multiple of 8 bytes: as the reference writes.
TEST(SafetensorsTest, BytesAreThoseOfTheReferenceImplementation) {
    TensorFile file;
    file.tensors["b"] = make_tensor(std::span<const float>(std::array{1.F}), {1});
    file.tensors["a"] = make_tensor(std::span<const float>(std::array{2.F}), {});
    file.tensors["z"] = make_tensor(std::span<const double>(std::array{0.}), {1, 1});
    file.tensors["c"] = {Dtype::u8, {2}, {std::byte{7}, std::byte{8}}};
    file.metadata["format"] = "pt";
    std::string header = "{\"__metadata__\":{\"format\":\"pt\"}," + entry("z", "F64", "[1,1]", "[0,8]") +
                         "," + entry("a", "F32", "[]", "[8,12]") + "," + entry("b", "F32", "[1]", "[12,16]") +
                         "," + entry("c", "U8", "[2]", "[16,18]") + "}";
    header.append((8 - header.size() % 8) % 8, ' ');
    const std::string data("\0\0\0\0\0\0\0\0\0\0\0\x40\0\0\x80\x3F\7\10", 18);
    EXPECT_EQ(as_text(format_safetensors(file)), raw_file(header, data));
}

TEST(SafetensorsTest, AFileMayBeEmpty) {
    EXPECT_EQ(as_text(format_safetensors({})), raw_file("{}      "));
    EXPECT_TRUE(parse(raw_file("{}")).tensors.empty());
    EXPECT_TRUE(parse(raw_file("{\"__metadata__\":{}}")).metadata.empty());
}

TEST(SafetensorsTest, TensorsMayComeInAnyOrderAndBeEmpty) {
    const std::string header = "{ " + entry("b", "U8", "[2]", "[3, 5]") + " ,\n" +
                               entry("e", "F64", "[0]", "[3,3]") + "," + entry("a", "I8", "[3]", "[0,3]") +
                               "}  ";
    const TensorFile file = parse(raw_file(header, "xyz\1\2"));
    EXPECT_EQ(file.at("b").bytes[1], std::byte{2});
    EXPECT_EQ(file.at("a").shape, std::vector<Index>{3});
    EXPECT_EQ(file.at("e").size(), 0);
}

TEST(SafetensorsTest, NamesMayBeAnyText) {
    const TensorFile file = parse(file_of(entry("\\u00fc\\n\\u0000\\ud83d\\ude00", "U8", "[]", "[0,1]"), 1));
    EXPECT_EQ(file.tensors.begin()->first, std::string("ü\n\0😀", 8));
    EXPECT_EQ(parse_safetensors(format_safetensors(file)).tensors, file.tensors);
}

TEST(SafetensorsTest, FieldsThatAreNotKnownAreSkipped) {
    const std::string known = "\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]";
    for (const std::string& value :
         {std::string("7"), std::string("-7"), std::string("1.5"), std::string("null"), std::string("true"),
          std::string("\"text\""), std::string("[]"), std::string("{}"),
          std::string("{\"shape\":[{\"dtype\":7},[null]],\"a\":1}"),
          std::string(100, '[') + std::string(100, ']')}) {
        for (const std::string& fields :
             {"\"x\":" + value + "," + known, known + ",\"x\":" + value + ",\"x\":" + value}) {
            const TensorFile file = parse(file_of("\"a\":{" + fields + "}", 1));
            EXPECT_EQ(file.tensors.size(), 1U) << fields;
            EXPECT_EQ(file.at("a"), (StoredTensor{Dtype::u8, {1}, {std::byte{1}}})) << fields;
        }
    }
    expect_refused(904, ", tensor 'a': expected dtype, shape and data_offsets, got no shape",
                   file_of("\"a\":{\"x\":{\"shape\":[1]},\"dtype\":\"U8\"}", 1));
}

TEST(SafetensorsTest, NoMetadataMayBeSaidWithNull) {
    EXPECT_TRUE(parse(file_of("\"__metadata__\":null", 0)).metadata.empty());
    const TensorFile file = parse(file_of("\"__metadata__\":null," + entry("a", "U8", "[1]", "[0,1]"), 1));
    EXPECT_TRUE(file.metadata.empty());
    EXPECT_EQ(file.tensors.size(), 1U);
    expect_refused(904, ", tensor '__metadata__': expected different names, got this one twice",
                   file_of("\"__metadata__\":null,\"__metadata__\":{}", 0));
}

/// Sorted as by version 0.8 of the reference implementation.
TEST(SafetensorsTest, TensorsOfEveryTypeAreWrittenInTheOrderOfTheReference) {
    const TensorFile file = sample_file();
    const std::string bytes = as_text(format_safetensors(file));
    std::size_t last = std::string::npos;
    for (const char* name :
         {"BOOL",    "F4",          "F6_E2M3",     "F6_E3M2", "U8",  "I8",  "F8_E5M2", "F8_E4M3",
          "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I16",     "U16", "F16", "BF16",    "I32",
          "U32",     "F32",         "C64",         "F64",     "I64", "U64"}) {
        const std::size_t at = bytes.find(detail::text("\"layers.0.", name, "\""));
        ASSERT_NE(at, std::string::npos) << name;
        EXPECT_LT(at, last) << name;
        last = at;
    }
}

TEST(SafetensorsTest, PackedTypesFillWholeBytes) {
    EXPECT_EQ(parse(file_of(entry("a", "F4", "[3,2]", "[0,3]"), 3)).at("a").bytes.size(), 3U);
    EXPECT_EQ(parse(file_of(entry("a", "F6_E3M2", "[4]", "[0,3]"), 3)).at("a").bytes.size(), 3U);
    expect_refused(905, ", tensor 'a': expected whole bytes, fewer than 2^60, got F4 of shape (3)",
                   file_of(entry("a", "F4", "[3]", "[0,2]"), 2));
    expect_refused(905, ", tensor 'a': expected 4 bytes for F8_E4M3 of shape (4), got 2",
                   file_of(entry("a", "F8_E4M3", "[4]", "[0,2]"), 2));
}

TEST(SafetensorsTest, MissingTensorIsNamed) {
    expect_error<io_error>(
        908, "[toeplitz.io.908] TensorFile::at: file 'guest': expected a tensor 'x', got none of this name",
        [] { static_cast<void>(parse(raw_file("{}")).at("x")); });
}

// -------------------------------------------------------------------------------------------------- wrong
// ones

TEST(SafetensorsTest, TruncatedFilesAreRefused) {
    expect_refused(902, ": expected 8 bytes of header length, got 0 bytes", "");
    expect_refused(902, ": expected 8 bytes of header length, got 7 bytes", std::string(7, '\0'));
    const std::string hint = "safetensors.torch.save_file(torch.load(FILE, weights_only=True), NEW_FILE)";
    expect_refused(
        914,
        ": expected a safetensors file, got a zip archive, as torch.save and numpy.savez write; for a "
        ".pt file, in Python: " +
            hint,
        std::string("PK\3\4\0\0\10\10", 8) + "archive/data.pkl");
    for (const char version : {'\2', '\5'}) {
        expect_refused(
            914,
            ": expected a safetensors file, got a Python pickle, as old versions of torch.save write; in "
            "Python: " +
                hint,
            std::string("\x80") + version + "}q\1(X\2bias");
    }
    expect_refused(914, ": expected a safetensors file, got text", "# Weights\nof a model");
    expect_refused(902, ": expected a header of 3 bytes, got 2 bytes after the header length",
                   raw_file("{}", "", 3));
    expect_refused(
        902, ": expected a safetensors file, with a header of at most 100000000 bytes, got one of 100000001",
        raw_file("{}", "", 100'000'001));
    expect_refused(902,
                   ": expected a safetensors file, with a header of at most 100000000 bytes, got one of "
                   "18446744073709551615",
                   raw_file("{}", "", ~std::uint64_t{0}));
}

/// Every proper prefix of a valid file is wrong, from the disk as from memory.
TEST(SafetensorsTest, EveryTruncationIsRefused) {
    const TemporaryFolder folder;
    const std::string whole = as_text(format_safetensors(sample_file()));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_THROW(parse(whole.substr(0, size)), io_error) << size;
        if (size % 64 != 0) continue;
        write_bytes(folder / "cut", whole.substr(0, size));
        EXPECT_THROW(read_safetensors(folder / "cut"), io_error) << size;
    }
    EXPECT_THROW(parse(whole + "x"), io_error);
}

TEST(SafetensorsTest, WhatIsNotJsonIsRefused) {
    const std::string beginning = ": expected a header that begins with '{' and has no zero bytes, got ";
    expect_refused(903, beginning + "''", raw_file(""));
    expect_refused(903, beginning + "'[]'", raw_file("[]"));
    expect_refused(903, beginning + "'\xEF\xBB\xBF{}'", raw_file("\xEF\xBB\xBF{}"));
    expect_refused(903, beginning + "'{}?x'", raw_file(std::string("{}\0x", 4)));
    for (const char* wrong :
         {"{", "{}}", "{} x", "{\"a\"}", "{,}", "{\"a\":tru}", "{'a':1}", "{}/*x*/", "{\"a\":NaN}",
          "{\"\xFF\":{}}", "{\"\xC0\x80\":{}}", "{\"\xED\xA0\x80\":{}}", "{\"\\ud800\":{}}", "{\"\n\":{}}"}) {
        try {
            parse(raw_file(wrong));
            ADD_FAILURE() << wrong;
        } catch (const io_error& caught) {
            EXPECT_TRUE(caught.id() == 903 || caught.id() == 904) << wrong << ": " << caught.what();
        }
    }
}

TEST(SafetensorsTest, MessagesStayShort) {
    std::string name(1'000'000, 'n');
    for (const std::string& wrong : {raw_file("{\"" + name), file_of("\"" + name + "\":1", 0),
                                     file_of(entry(name, "U8", "[1]", "[0,2]"), 2)}) {
        try {
            parse(wrong);
            ADD_FAILURE();
        } catch (const io_error& caught) {
            EXPECT_LT(std::string(caught.what()).size(), 500U);
        }
    }
}

TEST(SafetensorsTest, DeepJsonIsRefusedAtOnce) {
    std::string arrays(50'000'000, '[');
    expect_refused(904, ", tensor 'a': expected an object, got an array", raw_file("{\"a\":" + arrays));
    expect_refused(904, ", tensor 'a': expected an array of whole numbers from 0 on as shape, got an array",
                   raw_file("{\"a\":{\"shape\":" + arrays));
    std::string objects = "{\"a\":{";
    for (int i = 0; i < 1'000'000; ++i) objects += "\"a\":{";
    expect_refused(904,
                   ", tensor 'a': expected no deeper nesting in fields that are not known, got an object",
                   raw_file(objects));
    expect_refused(904, ", tensor 'a': expected no deeper nesting in fields that are not known, got an array",
                   raw_file("{\"a\":{\"x\":" + arrays));
}

TEST(SafetensorsTest, WrongTypesAreRefused) {
    const auto refused = [](const std::string& expected, const std::string& got, const std::string& value) {
        expect_refused(904, ", tensor 'a': expected " + expected + ", got " + got,
                       file_of("\"a\":" + value, 0));
    };
    refused("an object", "3", "3");
    refused("an object", "a string", "\"x\"");
    refused("an object", "null", "null");
    refused("an object", "a boolean", "true");
    refused("an object", "an array", "[]");
    refused("a string as dtype", "7", "{\"dtype\":7}");
    refused("a string as dtype", "an object", "{\"dtype\":{}}");
    const std::string dtypes =
        "a dtype out of BOOL F4 F6_E2M3 F6_E3M2 U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ I16 "
        "U16 "
        "F16 BF16 I32 U32 F32 C64 F64 I64 U64";
    refused(dtypes, "'f32'", "{\"dtype\":\"f32\"}");
    const std::string shape = "an array of whole numbers from 0 on as shape";
    refused(shape, "a string", "{\"shape\":\"2\"}");
    refused(shape, "2", "{\"shape\":2}");
    refused(shape, "-1", "{\"shape\":[-1]}");
    refused(shape, "'2.0'", "{\"shape\":[2.0]}");
    refused(shape, "'1e3'", "{\"shape\":[1e3]}");
    refused(shape, "null", "{\"shape\":[null]}");
    refused(shape, "an array", "{\"shape\":[[2]]}");
    refused(shape, "'99999999999999999999'", "{\"shape\":[99999999999999999999]}");
    const std::string offsets = "two whole numbers from 0 on as data_offsets";
    refused(offsets, "1 numbers", "{\"data_offsets\":[0]}");
    refused(offsets, "0 numbers", "{\"data_offsets\":[]}");
    refused(offsets, "more numbers", "{\"data_offsets\":[0,1,2]}");
    refused(offsets, "-4", "{\"data_offsets\":[0,-4]}");
    refused(offsets, "'0.5'", "{\"data_offsets\":[0,0.5]}");
    refused(offsets, "an object", "{\"data_offsets\":{}}");
}

TEST(SafetensorsTest, FieldsMustBeComplete) {
    const std::string where = ", tensor 'a': expected ";
    const std::string all = where + "dtype, shape and data_offsets, got ";
    expect_refused(904, all + "no dtype", file_of("\"a\":{}", 0));
    expect_refused(904, all + "no dtype", file_of("\"a\":{\"shape\":[],\"data_offsets\":[0,1]}", 1));
    expect_refused(904, all + "no shape", file_of("\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}", 1));
    expect_refused(904, all + "no data_offsets", file_of("\"a\":{\"dtype\":\"U8\",\"shape\":[]}", 1));
    expect_refused(904, where + "each field once, got 'shape' twice",
                   file_of("\"a\":{\"shape\":[],\"shape\":[]}", 1));
}

TEST(SafetensorsTest, NamesMustDiffer) {
    const std::string one = entry("a", "U8", "[1]", "[0,1]");
    const std::string two = entry("b", "U8", "[1]", "[1,2]");
    expect_refused(904, ", tensor 'a': expected different names, got this one twice",
                   file_of(one + "," + two + "," + one, 2));
    expect_refused(904, ", tensor 'a': expected different names, got this one twice",
                   file_of(one + "," + entry("\\u0061", "U8", "[1]", "[1,2]"), 2));
    expect_refused(904, ", tensor '__metadata__': expected different names, got this one twice",
                   file_of("\"__metadata__\":{},\"__metadata__\":{}", 0));
    expect_refused(904, ", metadata: expected different keys, got 'k' twice",
                   file_of("\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}", 0));
}

TEST(SafetensorsTest, MetadataMustBeStrings) {
    for (const auto& [value, got] : {std::pair("1", "1"), std::pair("-1", "-1"), std::pair("null", "null"),
                                     std::pair("{}", "an object"), std::pair("[]", "an array")}) {
        expect_refused(904, detail::text(", metadata: expected strings only, got ", got),
                       file_of(detail::text("\"__metadata__\":{\"k\":", value, "}"), 0));
    }
    expect_refused(904, ", tensor '__metadata__': expected an object, got an array",
                   file_of("\"__metadata__\":[]", 0));
}

TEST(SafetensorsTest, ShapesMustFitTheBytes) {
    const auto refused = [](const std::string& complaint, const std::string& shape) {
        expect_refused(905, ", tensor 'a': expected " + complaint,
                       file_of(entry("a", "F32", shape, "[0,8]"), 8));
    };
    refused("12 bytes for F32 of shape (3), got 8", "[3]");
    refused("0 bytes for F32 of shape (0, 2), got 8", "[0,2]");
    refused("4 bytes for F32 of shape (), got 8", "[]");
    refused("whole bytes, fewer than 2^60, got F32 of shape (4294967296, 4294967296)",
            "[4294967296,4294967296]");
    // 2^62 elements of 4 bytes, and products that wrap around to 2.
    refused("whole bytes, fewer than 2^60, got F32 of shape (4611686018427387904)", "[4611686018427387904]");
    refused("whole bytes, fewer than 2^60, got F32 of shape (9223372036854775807, 2, 0)",
            "[9223372036854775807,2,0]");
    refused("a dimension below 2^63, got 9223372036854775808", "[9223372036854775808]");
    refused("a dimension below 2^63, got 18446744073709551615", "[18446744073709551615]");
    std::string many = "[1";
    for (int i = 1; i < 64; ++i) many += ",1";
    EXPECT_EQ(parse(file_of(entry("a", "F32", many + "]", "[0,4]"), 4)).at("a").shape.size(), 64U);
    refused("at most 64 dimensions, got more", many + ",2]");
}

TEST(SafetensorsTest, OffsetsMustTileTheData) {
    const auto refused = [](const std::string& complaint, const std::string& entries, std::size_t data) {
        expect_refused(906, complaint, file_of(entries, data));
    };
    const std::string a = entry("a", "U8", "[2]", "[0,2]") + ",";
    refused(", tensor 'b': expected begin <= end as data_offsets, got [4, 2)",
            a + entry("b", "U8", "[2]", "[4,2]"), 4);
    refused(", tensor 'b': expected data_offsets within 3 bytes of data, got [2, 4)",
            a + entry("b", "U8", "[2]", "[2,4]"), 3);
    refused(", tensor 'b': expected data_offsets within 4 bytes of data, got [2, 18446744073709551615)",
            a + entry("b", "U8", "[2]", "[2,18446744073709551615]"), 4);
    refused(", tensor 'b': expected data from offset 2 on, without gap or overlap, got offset 1",
            a + entry("b", "U8", "[2]", "[1,3]"), 3);
    refused(", tensor 'b': expected data from offset 2 on, without gap or overlap, got offset 0",
            a + entry("b", "U8", "[3]", "[0,3]"), 3);
    refused(", tensor 'b': expected data from offset 2 on, without gap or overlap, got offset 3",
            a + entry("b", "U8", "[2]", "[3,5]"), 5);
    refused(", tensor 'b': expected data from offset 0 on, without gap or overlap, got offset 1",
            entry("b", "U8", "[1]", "[1,2]"), 2);
    refused(": expected data of 4 bytes, got 1 bytes more", a + entry("b", "U8", "[2]", "[2,4]"), 5);
    refused(": expected data of 0 bytes, got 3 bytes more", "", 3);
}

/// A header that asks for terabytes is refused before memory is taken.
TEST(SafetensorsTest, HugeTensorsTakeNoMemory) {
    expect_refused(906, ", tensor 'a': expected data_offsets within 0 bytes of data, got [0, 4398046511104)",
                   file_of(entry("a", "F32", "[1099511627776]", "[0,4398046511104]"), 0));
}

/// Half a million empty tensors: what they take while they are read is bounded, and too much is an error of
/// the file.
TEST(SafetensorsTest, ManyTensorsTakeBoundedMemory) {
#if defined(TOEPLITZ_TEST_SANITIZED)
    GTEST_SKIP() << "sanitizers need memory of their own";
#endif
    const TemporaryFolder folder;
    std::string header = "{";
    while (header.size() < 27'000'000) {
        if (header.size() > 1) header += ",";
        header += entry(std::to_string(header.size()), "U8", "[0]", "[0,0]");
    }
    write_bytes(folder / "a", raw_file(header + "}"));
    header = {};
    // In a process of its own, with so many bytes to spare: 0 where all was read, or the error's id.
    const auto outcome = [&](::rlim_t spare) {
        const ::pid_t child = ::fork();
        if (child == 0) {
            std::size_t pages = 0;
            std::ifstream("/proc/self/statm") >> pages;
            const ::rlim_t limit = pages * static_cast<::rlim_t>(::sysconf(_SC_PAGESIZE)) + spare;
            const ::rlimit both{limit, limit};
            ::setrlimit(RLIMIT_AS, &both);
            int id = 0;
            try {
                read_safetensors(folder / "a");
            } catch (const io_error& caught) {
                id = caught.id() - 900;
            } catch (...) {
                id = 255;
            }
            ::_exit(id);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    };
    EXPECT_EQ(outcome(160'000'000), 0);
    // Memory that earlier tests gave back may be enough.
    for (const ::rlim_t spare : {100'000'000UL, 60'000'000UL, 30'000'000UL, 10'000'000UL}) {
        const int id = outcome(spare);
        EXPECT_TRUE(id == 0 || id == 9) << id << " with " << spare << " bytes";
    }
}

TEST(ChecksumTest, IsWrittenVerifiedAndKept) {
    TensorFile file = sample_file();
    file.checksum = true;
    const std::string bytes = as_text(format_safetensors(file));
    EXPECT_NE(bytes.find("{\"__metadata__\":{\"toeplitz.checksum\":\"toeplitz-crc64:"), std::string::npos);
    const TensorFile again = parse(bytes);
    EXPECT_TRUE(again.checksum);
    EXPECT_EQ(again.tensors, file.tensors);
    EXPECT_EQ(again.metadata, file.metadata);
    EXPECT_EQ(as_text(format_safetensors(again)), bytes);
    EXPECT_FALSE(parse_safetensors(format_safetensors(sample_file())).checksum);
    TensorFile empty;
    empty.checksum = true;
    EXPECT_TRUE(parse_safetensors(format_safetensors(empty)).checksum);
}

TEST(ChecksumTest, AnyBitThatFlipsIsNoticed) {
    TensorFile file = sample_file();
    file.checksum = true;
    std::string bytes = as_text(format_safetensors(file));
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
        const char before = bytes[bit / 8];
        bytes[bit / 8] = static_cast<char>(before ^ 1 << bit % 8);
        EXPECT_THROW(parse(bytes), io_error) << "bit " << bit;
        bytes[bit / 8] = before;
    }
    EXPECT_NO_THROW(parse(bytes));
}

TEST(ChecksumTest, WhatIsWrongIsNamed) {
    TensorFile file;
    file.checksum = true;
    file.tensors["a"] = {Dtype::u8, {1}, {std::byte{1}}};
    const std::string bytes = as_text(format_safetensors(file));
    std::string changed = bytes;
    changed.back() = '\2';
    try {
        parse(changed);
        ADD_FAILURE();
    } catch (const io_error& caught) {
        EXPECT_EQ(caught.id(), 913);
        EXPECT_NE(std::string(caught.what()).find("expected content of the checksum 'toeplitz-crc64:"),
                  std::string::npos);
    }
    changed = bytes;
    changed[changed.find("toeplitz.checksum")] = 'u';
    expect_refused(913, ", metadata: expected 'toeplitz.checksum' as it was written, got another one",
                   changed);
    changed = bytes;
    changed[changed.find("toeplitz-crc64")] = 'u';
    expect_refused(913, ", metadata: expected 'toeplitz.checksum' as it was written, got another one",
                   changed);
    file.metadata["toeplitz.checksum"] = "mine";
    expect_error<io_error>(911,
                           "[toeplitz.io.911] format_safetensors: file 'in memory': expected other metadata, "
                           "got 'toeplitz.checksum'",
                           [&] { format_safetensors(file); });
}

// ------------------------------------------------------------------------------------------------------
// writing

TEST(SafetensorsTest, WhatCouldNotBeReadIsNotWritten) {
    const auto refused = [](const std::string& complaint, const TensorFile& file) {
        expect_error<io_error>(911, "[toeplitz.io.911] format_safetensors: file 'in memory'" + complaint,
                               [&] { format_safetensors(file); });
    };
    TensorFile file;
    file.tensors["\xC3("].dtype = Dtype::u8;
    file.tensors["\xC3("].shape = {0};
    refused(": expected a name in UTF-8, got '\xC3('", file);
    file = {};
    file.metadata["k"] = "\xED\xA0\x80";
    refused(": expected metadata in UTF-8, got '\xED\xA0\x80'", file);
    file = {};
    file.tensors["__metadata__"] = {Dtype::u8, {0}, {}};
    refused(": expected a tensor's name, got '__metadata__'", file);
    file = {};
    file.tensors["a"] = {Dtype::u8, std::vector<Index>(65, 0), {}};
    refused(", tensor 'a': expected at most 64 dimensions, got 65", file);
    file = {};
    file.tensors["a"] = {Dtype::u8, {2}, {}};
    EXPECT_THROW(format_safetensors(file), io_error);
}

/// The writer's notion of UTF-8 is the parser's: every sequence of up to 2 bytes, and some longer ones.
TEST(SafetensorsTest, WriterAndParserAgreeOnUtf8) {
    const auto check = [](const std::string& name) {
        TensorFile file;
        file.tensors[name] = {Dtype::u8, {0}, {}};
        std::string written;
        if (detail::append_json(written, name)) {
            EXPECT_EQ(parse_safetensors(format_safetensors(file)).tensors, file.tensors) << written;
        } else {
            EXPECT_THROW(parse(file_of(entry(name, "U8", "[0]", "[0,0]"), 0)), io_error) << written;
        }
    };
    for (unsigned a = 0; a < 256; ++a) {
        check({static_cast<char>(a)});
        for (unsigned b = 0x70; b < 256; ++b) {
            if (a >= 0x80) check({static_cast<char>(a), static_cast<char>(b)});
            if (a >= 0xE0) check({static_cast<char>(a), static_cast<char>(b), '\x80'});
            if (a >= 0xE0) check({static_cast<char>(a), static_cast<char>(b), '\xBF', '\x9F'});
        }
    }
}

}  // namespace
}  // namespace toeplitz::test
