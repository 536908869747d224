// SPDX-License-Identifier: MIT
/// \file
/// Options of every kind of field, as a user would write them.

#include <cmath>

#include <gtest/gtest.h>

#include <support/errors.hpp>
#include <support/options.hpp>
#include <support/sample_options.hpp>

#include <toeplitz/core/types.hpp>

namespace toeplitz::test {
namespace {

static_assert(OptionSet<InnerOptions> && OptionSet<const SampleOptions>);
static_assert(!OptionSet<Colour> && !OptionSet<Vector<double>> && !OptionSet<std::optional<InnerOptions>>);
static_assert(detail::field_count<InnerOptions>() == 2 && detail::field_count<SampleOptions>() == 13);

constexpr const char* sample_text =
    "flag=true number=-0.30000000000000004 seed=18446744073709551615 label=\"a \\\"b\\\" \\\\n\\n=\" "
    "inner.count=-3 "
    "inner.colour=dark_green colour=blue more.count=1 more.colour=red values=2 values.0=inf values.1=5e-324 "
    "layers=2 layers.0.count=7 layers.0.colour=red layers.1.count=1 layers.1.colour=blue names=1 "
    "names.0=\"\" shape.circle.radius=2 shape.circle.colour=red";

TEST(OptionsTest, AreVisitedInLockstep) {
    InnerOptions to;
    const InnerOptions from{.count = 5, .colour = Colour::blue};
    std::string names;
    for_each_option(
        [&](const char* name, auto& x, const auto& y) {
            names.append(name).append(" ");
            x = y;
        },
        to, from);
    EXPECT_EQ(names, "count colour ");
    EXPECT_EQ(to.count, 5);
    EXPECT_EQ(to.colour, Colour::blue);
}

TEST(OptionsTextTest, HasEveryKindOfField) {
    EXPECT_EQ(options_text(sample_options()), sample_text);
    EXPECT_EQ(options_text(SampleOptions{}),
              "flag=false number=0.1 seed=0 label=\"\" inner.count=1 inner.colour=red rate=0.5 values=0 "
              "layers=0 names=0 shape.polygon.count=1 shape.polygon.colour=red");
}

TEST(OptionsTextTest, ReadsBack) {
    expect_round_trip<SampleOptions>(
        [](const SampleOptions& options) { return parse_options<SampleOptions>(options_text(options)); });
    EXPECT_EQ(list_options(parse_options<SampleOptions>(sample_text)), list_options(sample_options()));
    EXPECT_EQ(options_text(parse_options<InnerOptions>("  colour=blue   count=2 ")), "count=2 colour=blue");
}

TEST(OptionsTextTest, RefusesAndSaysWhat) {
    const auto refused = [](int id, const std::string& complaint, const char* line) {
        expect_error<config_error>(
            id, detail::text("[toeplitz.config.", id, "] parse_options: expected ", complaint),
            [&] { parse_options<InnerOptions>(line); });
    };
    refused(220, "options that this version knows, got 'inner.count'", "count=1 colour=red inner.count=2");
    refused(221, "an option 'count', got none", "colour=red");
    refused(221, "an option 'colour', got none", "count=1");
    refused(222, "colour as one of red, dark_green, blue, got 'green'", "count=1 colour=green");
    for (const char* word : {"", "redd", "Red", "1", "0"}) {
        refused(222, detail::text("colour as one of red, dark_green, blue, got '", word, "'"),
                detail::text("count=1 colour=", word).c_str());
    }
    for (const char* number : {"", "x", "1.5", "1x", "+1", "9223372036854775808", "0x1", "true"}) {
        refused(223, detail::text("count as a whole number, got '", number, "'"),
                detail::text("colour=red count=", number).c_str());
    }
    refused(223, "count as a whole number, got '1'", "colour=red count=\"1\"");
    refused(224, "every option once, got 'count' twice", "count=1 colour=red count=1");
    refused(224, "name=value and spaces between, got 'count'", "count 1");
    refused(224, "name=value and spaces between, got '=1'", "=1");
    refused(224, "name=value and spaces between, got 'a=\"b c'", "count=1 a=\"b c");
    refused(224, "name=value and spaces between, got 'a=\"b\\\"'", "a=\"b\\\"");
    refused(224, "name=value and spaces between, got 'a=\"b\"c'", "a=\"b\"c d=1");
    refused(224, "name=value and spaces between, got 'a=\"\\'", "a=\"\\");
}

TEST(OptionsTextTest, RefusesValuesOfEveryKind) {
    const OptionList good = list_options(sample_options());
    const auto refused = [&](int id, const std::string& name, const OptionValue& bad,
                             const std::string& expected) {
        OptionList list = good;
        const auto found = std::find_if(list.begin(), list.end(),
                                        [&](const OptionValue& value) { return value.name == name; });
        *found = {name, bad.text, bad.is_string};
        expect_error<config_error>(id,
                                   detail::text("[toeplitz.config.", id, "] parse_options: expected ", name,
                                                " as ", expected, ", got '", bad.text, "'"),
                                   [&] { parse_options<SampleOptions>(options_text(list)); });
    };
    refused(223, "flag", {"", "1"}, "true or false");
    refused(223, "flag", {"", "true", true}, "true or false");
    refused(223, "number", {"", "0,1"}, "a number");
    refused(223, "number", {"", "1e999"}, "a number");
    refused(223, "seed", {"", "-1"}, "a whole number");
    refused(223, "label", {"", "abc"}, "a string in quotes");
    refused(222, "colour", {"", "pink"}, "one of red, dark_green, blue");
    refused(222, "more.colour", {"", "pink"}, "one of red, dark_green, blue");
    refused(223, "values.1", {"", "x"}, "a number");
    refused(223, "values", {"", "99999999999999"}, "a number of elements");
    refused(223, "layers", {"", "-1"}, "a number of elements");
}

TEST(OptionsTextTest, NamesWhatIsMissingInAnOptionalSetAndInASequence) {
    const OptionList good = list_options(sample_options());
    for (const OptionValue& value : good) {
        if (value.name == "colour") continue;  // absent, as it may be
        OptionList list = good;
        std::erase(list, value);
        expect_error<config_error>(
            221, "[toeplitz.config.221] parse_options: expected an option '" + value.name + "', got none",
            [&] { parse_options<SampleOptions>(options_text(list)); });
    }
    std::string fewer = sample_text;
    fewer.replace(fewer.find("values=2"), 8, "values=1");
    expect_error<config_error>(
        220, "[toeplitz.config.220] parse_options: expected options that this version knows, got 'values.1'",
        [&] { parse_options<SampleOptions>(fewer); });
}

TEST(OptionsTextTest, RefusesOneOfSeveralSetsByAnUnknownName) {
    const auto refused = [](int id, const std::string& complaint, const std::string& shape) {
        std::string text = sample_text;
        text.replace(text.find("shape"), std::string::npos, shape);
        expect_error<config_error>(
            id, detail::text("[toeplitz.config.", id, "] parse_options: expected ", complaint),
            [&] { parse_options<SampleOptions>(text); });
    };
    refused(225, "shape as one of polygon, circle, got none", "");
    refused(225, "shape as one of polygon, circle, got 'star'", "shape.star.points=5");
    refused(225, "shape as one of polygon, circle, got 'circles'", "shape.circles.radius=5");
    refused(221, "an option 'shape.circle.colour', got none", "shape.circle.radius=5");
    refused(220, "options that this version knows, got 'shape.polygon.count'",
            "shape.circle.radius=5 shape.circle.colour=red shape.polygon.count=1");
}

TEST(OptionsTextTest, RefusesAValueThatIsNoEnumerator) {
    expect_error<config_error>(
        222, "[toeplitz.config.222] list_options: expected colour as one of red, dark_green, blue, got '3'",
        [] { list_options(InnerOptions{.colour = static_cast<Colour>(3)}); });
    EXPECT_THROW(list_options(InnerOptions{.colour = static_cast<Colour>(-1)}), config_error);
}

std::string differences(const SampleOptions& first, const SampleOptions& second) {
    std::string all;
    for (const OptionDifference& difference : option_differences(first, second)) {
        all.append(all.empty() ? "" : "; ").append(difference.text());
    }
    return all;
}

TEST(OptionDifferencesTest, NameWhatDiffers) {
    SampleOptions other = sample_options();
    EXPECT_EQ(differences(sample_options(), other), "");
    other.number = std::nextafter(other.number, 0);
    EXPECT_EQ(differences(sample_options(), other), "number: -0.30000000000000004 and -0.3");
    other = sample_options();
    other.more.reset();
    other.layers[1].count = 4;
    EXPECT_EQ(differences(sample_options(), other),
              "more.count: 1 and absent; more.colour: red and absent; layers.1.count: 1 and 4");
    EXPECT_EQ(differences(other, sample_options()),
              "layers.1.count: 4 and 1; more.count: absent and 1; more.colour: absent and red");
    SampleOptions empty;
    empty.layers.emplace_back();
    EXPECT_EQ(differences(SampleOptions{}, empty),
              "layers: 0 and 1; layers.0.count: absent and 1; layers.0.colour: absent and red");
}

/// Related to InnerOptions by one name.
struct OtherOptions {
    Index count = 0;
    Index own = 2;

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("count", sets.count...);
        f("own", sets.own...);
    }
};

/// Related to SampleOptions by some names.
struct Related {
    double number = 1;
    Index seed = 1;  ///< another type
    std::optional<InnerOptions> inner{};
    std::optional<OtherOptions> more{};
    std::vector<OtherOptions> layers{};
    std::string title = "kept";
    Vector<double> values{};

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("number", sets.number...);
        f("seed", sets.seed...);
        f("inner", sets.inner...);
        f("more", sets.more...);
        f("layers", sets.layers...);
        f("title", sets.title...);
        f("values", sets.values...);
    }
};

TEST(CopyOptionsTest, CopiesWhatBothHaveByNameAndType) {
    Related to;
    copy_options(sample_options(), to);
    EXPECT_EQ(
        options_text(to),
        "number=-0.30000000000000004 seed=1 more.count=1 more.own=2 layers=2 layers.0.count=7 layers.0.own=2 "
        "layers.1.count=1 layers.1.own=2 title=\"kept\" values=2 values.0=inf values.1=5e-324");
    copy_options(SampleOptions{}, to);
    EXPECT_EQ(options_text(to), "number=0.1 seed=1 layers=0 title=\"kept\" values=0");
}

struct HasShape {
    Shape<OtherOptions> shape{};

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("shape", sets.shape...);
    }
};

TEST(CopyOptionsTest, CopiesOneOfSeveralSetsByItsName) {
    HasShape to;
    copy_options(sample_options(), to);
    EXPECT_EQ(options_text(to), "shape.circle.count=0 shape.circle.own=2");
    SampleOptions polygon;
    std::get<0>(polygon.shape.options).count = 7;
    copy_options(polygon, to);
    EXPECT_EQ(options_text(to), "shape.polygon.count=7 shape.polygon.colour=red");
}

TEST(EnumeratorTest, HasTheNameOfTheSource) {
    EXPECT_EQ(enumerator_names<Colour>, (std::array<std::string_view, 3>{"red", "dark_green", "blue"}));
    EXPECT_EQ(enumerator_name(Causality::causal), "causal");
    EXPECT_EQ(enumerator_name(static_cast<Causality>(2)), "");
    EXPECT_EQ(enumerator_name(static_cast<Causality>(-1)), "");
    EXPECT_EQ(parse_enumerator<Causality>("causal"), Causality::causal);
    EXPECT_EQ(parse_enumerator<Causality>("causa"), std::nullopt);
    EXPECT_EQ(parse_enumerator<Causality>(""), std::nullopt);
}

}  // namespace
}  // namespace toeplitz::test
