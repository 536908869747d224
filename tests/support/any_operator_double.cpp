// SPDX-License-Identifier: MIT
#include <support/any_operator_impl.hpp>

namespace toeplitz::test {

template std::unique_ptr<AnyOperator<double>> make_operator<double>(const Spec&, std::uint64_t);

std::string text(const Spec& spec) {
    constexpr std::array names = {"dense",
                                  "dense causal",
                                  "band",
                                  "band causal",
                                  "fft",
                                  "fft causal",
                                  "ski",
                                  "spectral",
                                  "spectral causal",
                                  "band + ski",
                                  "ski + band causal",
                                  "nested sum",
                                  "state space",
                                  "state space with taps",
                                  "two-sided",
                                  "causal filter"};
    static_assert(names.size() == all_kinds.size());
    std::string result = names[static_cast<std::size_t>(spec.kind)];
    const auto add = [&](const char* name, Index value) {
        if (value > 0) result += std::string(" ") + name + "=" + std::to_string(value);
    };
    add("n", spec.length);
    add("d", spec.channels);
    add("r", spec.rank);
    add("m", spec.taps);
    add("N", spec.grid);
    return result;
}

}  // namespace toeplitz::test
