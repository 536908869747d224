// SPDX-License-Identifier: MIT
// Checks batches of about one length; prints what is wrong, and exits with 1 if anything is.

#include <cstdio>
#include <set>
#include <string>

#include "batches_by_length.hpp"

namespace {

using namespace examples;

int failures = 0;

void expect(bool ok, const std::string& what) {
    if (ok) return;
    std::printf("failed: %s\n", what.c_str());
    ++failures;
}

/// Sequence i has lengths[i] tokens i.
LabelledSequences sequences_of_lengths(const std::vector<Index>& lengths, Index length) {
    LabelledSequences data{.length = length};
    for (std::size_t i = 0; i < lengths.size(); ++i) {
        data.add(
            std::vector<unsigned char>(static_cast<std::size_t>(lengths[i]), static_cast<unsigned char>(i)),
            static_cast<Token>(i));
    }
    return data;
}

constexpr Index batch_size = 4;

void check_lengths_are_sorted_out() {
    // Two windows of 32 batches of 4: an epoch of 256 samples.
    const toeplitz::CounterRandom random(1);
    std::vector<Index> lengths;
    for (std::uint64_t i = 0; i < 256; ++i)
        lengths.push_back(1 + static_cast<Index>(100 * random.uniform(i)));
    const LabelledSequences data = sequences_of_lengths(lengths, 100);
    const BatchesByLength batches(data, batch_size, 7);
    const BatchesByLength same(data, batch_size, 7);
    std::vector<std::vector<Index>> epochs(2);
    Index padded = 0;
    Index falls = 0;
    Index last = 0;
    for (Index step = 0; step < 128; ++step) {
        const std::vector<Index> samples = batches({.step = step});
        expect(samples == same({.step = step}), "the same seed gives the same batches");
        std::vector<Index> of_shards;
        for (Index shard = 0; shard < 3; ++shard) {
            const auto part = batches({.step = step, .shard = shard, .shards = 3});
            of_shards.insert(of_shards.end(), part.begin(), part.end());
        }
        expect(of_shards == samples, "shards share a batch out");
        expect(batches({.step = step / 2, .micro = step % 2, .micros = 2}) == samples,
               "micro batches follow one another");
        auto& epoch = epochs[static_cast<std::size_t>(step / 64)];
        epoch.insert(epoch.end(), samples.begin(), samples.end());
        LabelledBatch batch;
        batch.fill(data, samples);
        expect(batch.length == *std::max_element(batch.lengths.begin(), batch.lengths.end()),
               "a batch is as long as its longest");
        for (std::size_t j = 0; j < samples.size(); ++j) {
            const auto first = static_cast<std::size_t>(batch.length) * j;
            expect(batch.lengths[j] == data.length_of(samples[j]) && batch.labels[j] == samples[j] &&
                       batch.tokens[first] == samples[j] &&
                       batch.tokens[first + static_cast<std::size_t>(batch.lengths[j]) - 1] == samples[j],
                   "a batch has the samples named");
            padded += batch.length - batch.lengths[j];
        }
        falls += batch.length < last ? 1 : 0;
        last = batch.length;
    }
    expect(epochs[0] != epochs[1], "epochs differ");
    for (const auto& epoch : epochs) {
        expect(std::set<Index>(epoch.begin(), epoch.end()).size() == 256, "an epoch has every sample once");
    }
    expect(padded < 3 * 512, "padding: " + std::to_string(padded));  // of 128 batches, each about 3 wide
    expect(falls > 40, "the order of lengths is drawn");
}

void check_one_length() {
    const LabelledSequences data = sequences_of_lengths(std::vector<Index>(50, 9), 10);
    const BatchesByLength batches(data, batch_size, 7);
    const toeplitz::Batches plain(50, batch_size, 7);
    for (Index step = 0; step < 40; ++step) {
        const toeplitz::Part part{.step = step, .shard = 1, .shards = 2};
        std::vector<Index> samples;
        for (Index j = 0; j < plain.count(part); ++j) samples.push_back(plain.sample(part, j));
        expect(batches(part) == samples, "of one length, batches are those of the library");
    }
    expect(batches({.shard = 5, .shards = 6}).size() + batches({.shard = 0, .shards = 6}).size() == 1,
           "shards without samples");
}

}  // namespace

int main() {
    check_lengths_are_sorted_out();
    check_one_length();
    if (failures == 0) std::puts("Batches of about one length are as described.");
    return failures == 0 ? 0 : 1;
}
