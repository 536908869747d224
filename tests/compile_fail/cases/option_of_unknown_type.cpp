// expect: a struct without for_each_option: see core/options.hpp
#include <toeplitz/core/options_text.hpp>

struct Inner {
    double rate = 0;
#if !defined(TOEPLITZ_EXPECT_ERROR)
    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("rate", sets.rate...);
    }
#endif
};

struct Options {
    Inner inner{};

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("inner", sets.inner...);
    }
};

std::string text(const Options& options) { return toeplitz::options_text(options); }
