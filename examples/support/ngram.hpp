// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A byte n-gram model, the classic to compare language models with.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace examples {

/// Interpolates all orders as Witten and Bell do. With a context h of k−1 bytes that was followed N times by
/// T different bytes, h' being h without its first byte:
///     p_k(c | h) = (count(hc) + T p_{k−1}(c | h')) / (N + T),   p₀ = 1/256.
class NgramModel {
public:
    /// \param order 1 (single bytes) to 7
    NgramModel(std::string_view text, int order) : counts_(static_cast<std::size_t>(order)) {
        // All n-grams of the highest order, sorted; those of the others are their beginnings.
        const std::size_t n = static_cast<std::size_t>(order);
        std::vector<std::uint64_t> keys;
        for (std::size_t i = 0; i + n <= text.size(); ++i) keys.push_back(key(text.substr(i, n)));
        std::sort(keys.begin(), keys.end());
        std::vector<std::pair<std::uint64_t, std::uint32_t>> grams;
        for (const std::uint64_t k : keys) {
            if (grams.empty() || grams.back().first != k) grams.emplace_back(k, 0);
            ++grams.back().second;
        }
        for (std::size_t k = n; k-- > 0;) {
            Order& order_k = counts_[k];
            std::vector<std::pair<std::uint64_t, std::uint32_t>> shorter;
            for (const auto& [gram, count] : grams) {
                order_k.grams.emplace(gram, count);
                const std::uint64_t context = gram >> 8U;
                if (shorter.empty() || shorter.back().first != context) shorter.emplace_back(context, 0);
                shorter.back().second += count;
                Followers& followers = order_k.contexts[context];
                followers.occurrences += count;
                ++followers.different;
            }
            grams = std::move(shorter);
        }
    }

    /// p(byte i of the text | the bytes before it)
    double probability(std::string_view text, std::size_t i) const {
        double p = 1.0 / 256;
        for (std::size_t k = 0; k < counts_.size() && k <= i; ++k) {
            const std::uint64_t gram = key(text.substr(i - k, k + 1));
            const auto context = counts_[k].contexts.find(gram >> 8U);
            if (context == counts_[k].contexts.end()) break;  // nor is any longer one known
            const auto found = counts_[k].grams.find(gram);
            const double count = found == counts_[k].grams.end() ? 0 : found->second;
            const Followers& followers = context->second;
            p = (count + followers.different * p) /
                static_cast<double>(followers.occurrences + followers.different);
        }
        return p;
    }

    double bits_per_byte(std::string_view text) const {
        double bits = 0;
        for (std::size_t i = 0; i < text.size(); ++i) bits -= std::log2(probability(text, i));
        return bits / static_cast<double>(text.size());
    }

private:
    struct Followers {
        std::uint64_t occurrences = 0;
        std::uint32_t different = 0;
    };
    struct Order {
        std::unordered_map<std::uint64_t, std::uint32_t> grams;
        std::unordered_map<std::uint64_t, Followers> contexts;
    };

    static std::uint64_t key(std::string_view bytes) {
        std::uint64_t key = 0;
        for (const char c : bytes) key = key << 8U | static_cast<unsigned char>(c);
        return key;
    }

    std::vector<Order> counts_;
};

}  // namespace examples
