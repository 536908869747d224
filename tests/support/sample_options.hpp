// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Options of every kind of field, as a user would write them.

#include <limits>
#include <variant>

#include <toeplitz/core/options.hpp>
#include <toeplitz/core/types.hpp>

namespace toeplitz::test {

enum class Colour { red, dark_green, blue };

struct InnerOptions {
    Index count = 1;
    Colour colour = Colour::red;

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("count", sets.count...);
        f("colour", sets.colour...);
    }
};

struct CircleOptions {
    double radius = 1;
    Colour colour = Colour::red;

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("radius", sets.radius...);
        f("colour", sets.colour...);
    }
};

/// One of two sets, by name.
template <class Second>
struct Shape {
    std::variant<InnerOptions, Second> options;

    template <class F>
    void visit(F&& f) {
        std::visit([&](auto& its) { f(name(), its); }, options);
    }
    template <class F>
    void visit(F&& f) const {
        std::visit([&](const auto& its) { f(name(), its); }, options);
    }
    template <class F>
    static void for_each_choice(F&& f) {
        f("polygon");
        f("circle");
    }
    void choose(std::string_view name) {
        if (name == "polygon") options.template emplace<0>();
        if (name == "circle") options.template emplace<1>();
    }

private:
    const char* name() const { return options.index() == 0 ? "polygon" : "circle"; }
};

struct SampleOptions {
    bool flag = false;
    double number = 0.1;
    std::uint64_t seed = 0;
    std::string label{};
    InnerOptions inner{};
    std::optional<Colour> colour{};
    std::optional<InnerOptions> more{};
    std::optional<double> rate = 0.5;
    Vector<double> values{};
    std::vector<InnerOptions> layers{};
    std::vector<std::string> names{};
    Shape<CircleOptions> shape{};
    void (*callback)() = nullptr;

    static constexpr const char* unvisited_options[] = {"callback"};

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("flag", sets.flag...);
        f("number", sets.number...);
        f("seed", sets.seed...);
        f("label", sets.label...);
        f("inner", sets.inner...);
        f("colour", sets.colour...);
        f("more", sets.more...);
        f("rate", sets.rate...);
        f("values", sets.values...);
        f("layers", sets.layers...);
        f("names", sets.names...);
        f("shape", sets.shape...);
    }
};

inline SampleOptions sample_options() {
    return {.flag = true,
            .number = -0.1 - 0.2,
            .seed = std::numeric_limits<std::uint64_t>::max(),
            .label = "a \"b\" \\n\n=",
            .inner = {.count = -3, .colour = Colour::dark_green},
            .colour = Colour::blue,
            .more = InnerOptions{},
            .rate = {},
            .values = (Vector<double>(2) << std::numeric_limits<double>::infinity(),
                       std::numeric_limits<double>::denorm_min())
                          .finished(),
            .layers = {{.count = 7}, {.colour = Colour::blue}},
            .names = {""},
            .shape = {CircleOptions{.radius = 2}}};
}

}  // namespace toeplitz::test
