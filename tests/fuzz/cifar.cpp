// SPDX-License-Identifier: MIT
/// \file
/// CIFAR-10's binary batches: refused, or the grey image and the class of each record.

#include <fuzz/mutator.hpp>

#include <examples/support/lra_readers.hpp>

namespace toeplitz::test {
namespace {

constexpr std::size_t record = 3073;

std::string one_image(char label, char red, char green, char blue) {
    std::string image(1, label);
    for (const char colour : {red, green, blue}) image.append(1024, colour);
    return image;
}

}  // namespace

const FuzzTarget& fuzz_target() {
    static const FuzzTarget target = [] {
        FuzzTarget of;
        of.seeds = {one_image(3, 'a', 'b', 'c'), one_image(0, '\xFF', '\xFF', '\xFF') + one_image(9, 0, 0, 0),
                    one_image(10, 'a', 'b', 'c'), one_image(1, 'x', 'y', 'z').substr(1), ""};
        of.words = {std::string(1, '\0'), "\x09", "\xFF", std::string(100, 'q')};
        of.repair = [](std::string& bytes) {
            bytes.resize((bytes.size() / record + 1) * record, '\7');
            if (bytes.size() > 4 * record) bytes.resize(4 * record);
        };
        of.outcomes = {0, 1};
        of.mutations = 2'000;
        return of;
    }();
    return target;
}

int fuzz(const std::string& input) {
    examples::LabelledSequences data;
    try {
        data = examples::parse_cifar(input, "guest");
    } catch (const std::runtime_error&) {
        return 1;
    }
    promise(static_cast<std::size_t>(data.count()) * record == input.size(), "an image of every record");
    promise(data.tokens.size() == 1024 * data.labels.size() && data.image_width == 32, "32 × 32 pixels");
    for (std::size_t image = 0; image < data.labels.size(); ++image) {
        promise(data.labels[image] == static_cast<unsigned char>(input[image * record]) &&
                    data.labels[image] <= 9,
                "its class");
        for (const std::size_t pixel : {std::size_t{0}, std::size_t{1023}}) {
            int lowest = 255;
            int highest = 0;
            for (const std::size_t plane : {0U, 1U, 2U}) {
                const int colour =
                    static_cast<unsigned char>(input[image * record + 1 + plane * 1024 + pixel]);
                lowest = std::min(lowest, colour);
                highest = std::max(highest, colour);
            }
            const int grey = data.tokens[image * 1024 + pixel];
            promise(grey >= lowest && grey <= highest, "a grey between its colours");
        }
    }
    return 0;
}

}  // namespace toeplitz::test
