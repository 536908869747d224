// expect: an option is forgotten: for_each_option must visit every field of the struct
// expect: or unvisited_options name it
#include <optional>

#include <toeplitz/core/options.hpp>
#include <toeplitz/core/types.hpp>

struct Inner {
    double rate = 0;

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("rate", sets.rate...);
    }
};

struct Options {
    toeplitz::Index channels = 0;
    std::optional<Inner> inner{};
    toeplitz::Vector<double> rates{};
#if defined(TOEPLITZ_EXPECT_ERROR)
    bool forgotten = false;
#endif

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("channels", sets.channels...);
        f("inner", sets.inner...);
        f("rates", sets.rates...);
    }
};

void visit(Options& options) {
    toeplitz::for_each_option([](const char*, auto&) {}, options);
}
