// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Images as sequences of grey values, pixel by pixel, with their classes.

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <toeplitz/core/random.hpp>

#include "idx.hpp"
#include "labelled_sequences.hpp"

namespace examples {

inline const char* const fashion_mnist = "/usr/share/datasets/fashion-mnist";
inline const char* const fashion_mnist_package = "dataset-fashion-mnist";

/// "train" or "t10k" of the four files in the directory.
inline LabelledSequences read_images(const std::string& directory, const std::string& part) {
    if (directory == fashion_mnist && !std::filesystem::exists(directory)) {
        throw std::runtime_error("cannot read '" + directory + "': it is in the Debian package " +
                                 fashion_mnist_package + "; or name another directory with --data");
    }
    const auto read = [&](const std::string& what) {
        const std::string path = directory + "/" + part + what;
        return read_idx(std::filesystem::exists(path) ? path : path + ".gz");
    };
    const IdxFile images = read("-images-idx3-ubyte");
    const IdxFile labels = read("-labels-idx1-ubyte");
    if (images.shape.size() != 3 || labels.shape.size() != 1 || images.shape[0] != labels.shape[0]) {
        throw std::runtime_error("images and labels in '" + directory + "' do not fit together");
    }
    LabelledSequences data{.length = images.shape[1] * images.shape[2], .image_width = images.shape[2]};
    data.tokens.assign(images.bytes.begin(), images.bytes.end());
    for (const char byte : labels.bytes) data.labels.push_back(static_cast<unsigned char>(byte));
    return data;
}

/// Images of 8 × 8 pixels with a bright row or a bright column, for a first look where no data is installed.
inline LabelledSequences made_up_images(Index count, std::uint64_t seed) {
    const toeplitz::CounterRandom random(seed);
    LabelledSequences data{.length = 64, .image_width = 8};
    for (Index i = 0; i < count; ++i) {
        const std::uint64_t bits = random.bits(static_cast<std::uint64_t>(i));
        const Index place = static_cast<Index>(bits >> 1U & 7U);
        const bool is_row = (bits & 1U) != 0;
        for (Index p = 0; p < 64; ++p) data.tokens.push_back((is_row ? p / 8 : p % 8) == place ? 200 : 10);
        data.labels.push_back(is_row ? 1 : 0);
    }
    return data;
}

}  // namespace examples
