// SPDX-License-Identifier: MIT
#include <limits>

#include <gtest/gtest.h>

#include <support/built_in_options.hpp>
#include <support/errors.hpp>
#include <support/options.hpp>
#include <support/sample_options.hpp>

#include <toeplitz/io/model_file.hpp>
#include <toeplitz/io/options_json.hpp>

namespace toeplitz::test {
namespace {

template <OptionSet O>
void expect_json_round_trip() {
    expect_round_trip<O>([](const O& options) { return parse_options_json<O>(options_json(options)); });
}

template <class O>
class BuiltInOptionsJsonTest : public testing::Test {};
TYPED_TEST_SUITE(BuiltInOptionsJsonTest, BuiltInOptions, );

TYPED_TEST(BuiltInOptionsJsonTest, ReadBack) { expect_json_round_trip<TypeParam>(); }

TEST(OptionsJsonTest, ReadsBack) {
    expect_json_round_trip<SampleOptions>();
    expect_json_round_trip<ModelFileOptions>();
    expect_json_round_trip<StateDictOptions>();
}

TEST(OptionsJsonTest, HasEveryKindOfField) {
    SampleOptions options = sample_options();
    options.values(0) = -0.0;
    const std::string json =
        R"({"flag":true,"number":-0.30000000000000004,"seed":18446744073709551615,"label":"a \"b\" \\n\u000a=",)"
        R"("inner":{"count":-3,"colour":"dark_green"},"colour":"blue","more":{"count":1,"colour":"red"},"rate":null,)"
        R"("values":[-0.0,5e-324],"layers":[{"count":7,"colour":"red"},{"count":1,"colour":"blue"}],"names":[""],)"
        R"("shape":{"circle":{"radius":2,"colour":"red"}}})";
    EXPECT_EQ(options_json(options), json);
    EXPECT_EQ(list_options(parse_options_json<SampleOptions>(json)), list_options(options));
    EXPECT_EQ(
        options_json(SampleOptions{}),
        R"({"flag":false,"number":0.1,"seed":0,"label":"","inner":{"count":1,"colour":"red"},"colour":null,)"
        R"("more":null,"rate":0.5,"values":[],"layers":[],"names":[],"shape":{"polygon":{"count":1,"colour":"red"}}})");
}

TEST(OptionsJsonTest, TakesWhatOthersWrite) {
    EXPECT_EQ(
        options_text(parse_options_json<InnerOptions>("\n { \"colour\" : \"blue\",\r\n\t\"count\" : 12 } ")),
        "count=12 colour=blue");
    std::string json = options_json(SampleOptions{});
    for (const char* absent : {"\"colour\":null,", "\"more\":null,"})
        json.erase(json.find(absent), std::string_view(absent).size());
    EXPECT_EQ(list_options(parse_options_json<SampleOptions>(json)), list_options(SampleOptions{}));
    for (const char* number : {"0.1", "1e-1", "100E-3", "0.1000000000000000055511151231257827"}) {
        std::string other = json;
        other.replace(other.find("0.1"), 3, number);
        EXPECT_EQ(parse_options_json<SampleOptions>(other).number, 0.1);
    }
    std::string other = json;
    other.replace(other.find("0.1"), 3, "123456789012345678901234567890");
    EXPECT_EQ(parse_options_json<SampleOptions>(other).number, 123456789012345678901234567890.0);
}

TEST(OptionsJsonTest, RefusesAndSaysWhat) {
    const auto refused = [](int id, const std::string& complaint, const char* json) {
        expect_error<config_error>(
            id, detail::text("[toeplitz.config.", id, "] parse_options_json: expected ", complaint),
            [&] { parse_options_json<InnerOptions>(json); });
    };
    refused(220, "options that this version knows, got 'extra'", R"({"count":1,"colour":"red","extra":0})");
    refused(220, "options that this version knows, got 'extra.deep'",
            R"({"count":1,"colour":"red","extra":{"deep":[]}})");
    refused(221, "an option 'count', got none", "{}");
    refused(221, "an option 'count', got none", R"({"count":null,"colour":"red"})");
    refused(221, "an option 'count', got none", R"({"count":{},"colour":"red"})");
    refused(222, "colour as one of red, dark_green, blue, got '1'", R"({"count":1,"colour":1})");
    refused(222, "colour as one of red, dark_green, blue, got 'pink'", R"({"count":1,"colour":"pink"})");
    refused(223, "count as a whole number, got '1.0'", R"({"count":1.0,"colour":"red"})");
    refused(223, "count as a whole number, got '1'", R"({"count":"1","colour":"red"})");
    refused(223, "count as a whole number, got 'true'", R"({"count":true,"colour":"red"})");
    refused(224, "every option once, got 'count' twice", R"({"count":1,"colour":"red","count":1})");
}

TEST(OptionsJsonTest, RefusesWhatIsNoObject) {
    const auto refused = [](const std::string& got, const std::string& json) {
        expect_error<io_error>(
            960,
            "[toeplitz.io.960] parse_options_json: expected a JSON object without zero bytes, got " + got,
            [&] { parse_options_json<InnerOptions>(json); });
    };
    refused("'[1]'", "[1]");
    refused("' 3'", " 3");
    refused("'{}?'", std::string("{}\0", 3));
    refused("more than 32 levels", "{\"a\":" + std::string(32, '[') + std::string(32, ']') + "}");
    const auto is_refused = [](const std::string& json) {
        try {
            parse_options_json<InnerOptions>(json);
        } catch (const io_error& caught) {
            return caught.id() == 960;
        }
        return false;
    };
    for (const char* json : {"", "{\"a\":n}", "{\"count\":1,\"colour\":\"red\"} more", "{\"count\":1",
                             "{\"\xff\":1}", "{\"count\":1e999}"}) {
        EXPECT_TRUE(is_refused(json)) << json;
    }
}

TEST(OptionsJsonTest, RefusesValuesThatJsonCannotHold) {
    const auto refused = [](const std::string& complaint, const SampleOptions& options) {
        expect_error<io_error>(961, "[toeplitz.io.961] options_json: expected " + complaint,
                               [&] { options_json(options); });
    };
    refused("values.0 as a finite number, which JSON can hold, got inf", sample_options());
    refused("number as a finite number, which JSON can hold, got nan",
            {.number = std::numeric_limits<double>::quiet_NaN()});
    refused("label as a string in UTF-8, got '\xff'", {.label = "\xff"});
    expect_error<config_error>(
        222, "[toeplitz.config.222] options_json: expected colour as one of red, dark_green, blue, got '3'",
        [] { options_json(InnerOptions{.colour = static_cast<Colour>(3)}); });
}

}  // namespace
}  // namespace toeplitz::test
