// SPDX-License-Identifier: MIT

#include "lra_data.hpp"

#include <algorithm>
#include <filesystem>
#include <numeric>

#include <toeplitz/core/random.hpp>

#include "documents.hpp"
#include "images.hpp"
#include "lra_readers.hpp"
#include "pathfinder.hpp"
#include "png_file.hpp"
#include "text_corpus.hpp"

namespace examples {
namespace {

namespace fs = std::filesystem;

std::string read_file(const std::string& path) {
    if (!fs::exists(path)) throw std::runtime_error("cannot read '" + path + "': no such file");
    return read_bytes(path, static_cast<Index>(fs::file_size(path)));
}

/// The order of 0..count−1 that a seed draws.
std::vector<Index> shuffled(Index count, std::uint64_t seed) {
    std::vector<Index> order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), Index{0});
    const toeplitz::CounterRandom random(seed);
    for (std::size_t i = order.size(); i > 1; --i) {
        std::swap(order[i - 1], order[static_cast<std::size_t>(random.uniform(i) * static_cast<double>(i))]);
    }
    return order;
}

void append(LabelledSequences& to, const LabelledSequences& from) {
    to.length = from.length;
    to.image_width = from.image_width;
    to.tokens.insert(to.tokens.end(), from.tokens.begin(), from.tokens.end());
    to.labels.insert(to.labels.end(), from.labels.begin(), from.labels.end());
}

LraData load_listops(const LraDataOptions& options) {
    LraData data{.vocabulary = listops::vocabulary, .classes = 10};
    if (!options.directory.empty()) {
        const Index length = options.length > 0 ? options.length : 2048;
        const auto read = [&](const char* part) {
            const std::string path = options.directory + "/basic_" + part + ".tsv";
            return parse_listops(read_file(path), path, length);
        };
        data.train = read("train");
        data.validation = read("val");
        data.test = read("test");
        data.source = options.directory;
        return data;
    }
    listops::Options of = options.listops;
    if (options.is_quick) of = {.min_length = 4, .max_length = 6, .max_depth = 2, .max_arguments = 4};
    const Index samples = options.samples > 0 ? options.samples : options.is_quick ? 2000 : 96000;
    const Index test = options.test > 0 ? options.test : options.is_quick ? 200 : 2000;
    listops::Split split =
        listops::make_data(of, options.as_tested ? of.min_length : 8, samples, test, options.seed);
    data.train = std::move(split.train);
    data.validation = split.test.first(500);
    data.test = std::move(split.test);
    data.source = "drawn: " + std::to_string(of.min_length) + " to " + std::to_string(of.max_length) +
                  " tokens, depth up to " + std::to_string(of.max_depth);
    return data;
}

/// IMDb: train|test/pos|neg/*.txt, a review each.
LabelledSequences read_reviews(const std::string& directory, Index length) {
    LabelledSequences reviews{.length = length};
    for (const Token label : {0, 1}) {
        for (const std::string& file : list_files({directory + (label == 0 ? "/neg" : "/pos")}, ".txt")) {
            const std::string text = read_file(file);
            reviews.add(std::string_view(text).substr(0, static_cast<std::size_t>(length)), label);
        }
    }
    return reviews;
}

/// Texts of one letter: which it is, or of pairs whether both have the same.
LabelledSequences made_up_texts(Index count, Index parts, Index length, std::uint64_t seed) {
    const toeplitz::CounterRandom random(seed);
    LabelledSequences texts{.length = length, .parts = parts};
    for (Index i = 0; i < count; ++i) {
        const std::uint64_t bits = random.bits(static_cast<std::uint64_t>(i));
        const bool is_one = (bits & 1U) != 0;
        const bool is_first = (bits & 2U) != 0;
        const auto text_of = [&](bool a) {
            return std::string(static_cast<std::size_t>(length), a ? 'a' : 'b');
        };
        if (parts == 2) texts.add(text_of(is_first));
        texts.add(text_of(parts == 2 ? is_first == is_one : is_one), is_one ? 1 : 0);
    }
    return texts;
}

LraData load_text(const LraDataOptions& options) {
    const Index length = options.length > 0 ? options.length : 4000;
    LraData data;
    if (options.is_quick) {
        data.train = made_up_texts(200, 1, 64, options.seed);
        data.validation = data.test = made_up_texts(50, 1, 64, options.seed + 1);
        data.source = "made up";
    } else if (!options.directory.empty() && fs::is_directory(options.directory + "/train")) {
        data.source = options.directory;
        data.train = read_reviews(options.directory + "/train", length);
        data.test = read_reviews(options.directory + "/test", length);
        // The middle, where one class ends and the other begins.
        const Index watched = std::min<Index>(1000, data.test.count());
        data.validation = data.test.part((data.test.count() - watched) / 2, watched);
    } else {
        data.source = options.directory.empty() ? manual_pages : options.directory;
        DocumentSplit split = make_section_data(data.source, length, options.seed);
        data.train = std::move(split.train);
        data.validation = std::move(split.validation);
        data.test = std::move(split.test);
    }
    return data;
}

LraData load_retrieval(const LraDataOptions& options) {
    const Index length = options.length > 0 ? options.length : 4000;
    LraData data;
    const std::string pairs = options.directory + "/new_aan_pairs.";
    if (options.is_quick) {
        data.train = made_up_texts(200, 2, 32, options.seed);
        data.validation = data.test = made_up_texts(50, 2, 32, options.seed + 1);
        data.source = "made up";
    } else if (!options.directory.empty() && fs::exists(pairs + "train.tsv")) {
        const auto read = [&](const char* part) {
            const std::string path = pairs + part + ".tsv";
            return parse_pairs(read_file(path), path, length);
        };
        data.source = options.directory;
        data.train = read("train");
        data.validation = read("eval");
        data.test = read("test");
    } else {
        data.source = options.directory.empty() ? manual_pages : options.directory;
        DocumentSplit split = make_reference_data(data.source, length, options.seed);
        data.train = std::move(split.train);
        data.validation = std::move(split.validation);
        data.test = std::move(split.test);
    }
    return data;
}

LraData load_images(const LraDataOptions& options) {
    LraData data{.classes = 10};
    const std::string directory = options.directory.empty() ? fashion_mnist : options.directory;
    data.source = directory;
    if (options.is_quick) {
        data.train = made_up_images(200, 1);
        data.test = made_up_images(50, 2);
        data.source = "made up";
    } else if (fs::exists(directory + "/test_batch.bin")) {
        for (const char number : {'1', '2', '3', '4', '5'}) {
            const std::string path = directory + "/data_batch_" + number + ".bin";
            append(data.train, parse_cifar(read_file(path), path));
        }
        data.test = parse_cifar(read_file(directory + "/test_batch.bin"), directory + "/test_batch.bin");
    } else {
        data.train = read_images(directory, "train");
        data.test = read_images(directory, "t10k");
    }
    // The last training images are kept back for watching; the test images are looked at once, at the end.
    data.validation = data.train.take_last(std::min<Index>(1000, data.train.count() / 10));
    return data;
}

/// A folder of the release: metadata/*.npy, and the images that they name. A tenth each to watch and to test
/// on.
LraData read_paths(const std::string& directory, Index size, std::uint64_t seed) {
    std::vector<LabelledFile> files;
    for (const std::string& path : list_files({directory + "/metadata"}, ".npy")) {
        const auto more = parse_pathfinder_metadata(read_file(path), path);
        files.insert(files.end(), more.begin(), more.end());
    }
    LraData data{.source = directory};
    for (LabelledSequences* part : {&data.train, &data.validation, &data.test}) {
        part->length = size * size;
        part->image_width = size;
    }
    const Index count = static_cast<Index>(files.size());
    const std::vector<Index> order = shuffled(count, seed);
    for (Index i = 0; i < count; ++i) {
        const LabelledFile& file = files[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])];
        const std::string path = directory + "/" + file.path;
        const GreyImage image = parse_png(read_file(path), path);
        if (image.height != size || image.width != size) {
            refuse_file(path, 0,
                        std::to_string(image.width) + " × " + std::to_string(image.height) +
                            " pixels, and not " + std::to_string(size) + " × " + std::to_string(size));
        }
        LabelledSequences& part = 10 * i < 8 * count   ? data.train
                                  : 10 * i < 9 * count ? data.validation
                                                       : data.test;
        part.tokens.insert(part.tokens.end(), image.pixels.begin(), image.pixels.end());
        part.labels.push_back(file.label);
    }
    return data;
}

/// Without the lowest bits of pixels.
void coarsen(LraData& data, Index greys) {
    data.vocabulary = greys;
    for (LabelledSequences* part : {&data.train, &data.validation, &data.test}) {
        for (unsigned char& pixel : part->tokens) pixel = static_cast<unsigned char>(pixel * greys / 256);
    }
}

LraData load_paths(LraTask task, const LraDataOptions& options) {
    const Index size = task == LraTask::pathx ? 128 : 32;
    if (!options.directory.empty()) return read_paths(options.directory, size, options.seed);
    if (options.is_quick) {
        // What takes seconds is to learn a few by heart.
        LraData data{.source = "drawn, all parts the same"};
        data.train = data.validation = data.test = pathfinder::make_data({.size = 16}, 32, options.seed);
        return data;
    }
    const Index orientations = 8;
    const Index samples = options.samples > 0 ? options.samples : task == LraTask::pathx ? 8000 : 64000;
    const Index test = options.test > 0 ? options.test : 1000;
    LraData data;
    const pathfinder::Options of{.size = size, .dashes = options.dashes};
    // A hint, which the pictures to test on do not have: how far discs are from the middle.
    pathfinder::Options easier = of;
    if (!options.as_tested) easier.alike = 32;
    data.train = pathfinder::in_all_orientations(
        pathfinder::make_data(easier, options.as_tested ? of.dashes : std::min(of.dashes, 4),
                              (samples + orientations - 1) / orientations, options.seed));
    // The seed of each picture is drawn from this one.
    data.test = pathfinder::make_data(of, 3 * test / 2, ~options.seed);
    data.validation = data.test.take_last(test / 2);
    data.source = "drawn";
    return data;
}

/// Random tokens and classes, all sequences of full length.
LraData make_noise(LraTask task, const LraDataOptions& options) {
    constexpr Index length[] = {2000, 4000, 4000, 1024, 1024, 16384};
    constexpr Index image_width[] = {0, 0, 0, 32, 32, 128};
    const auto t = static_cast<std::size_t>(task);
    LraData data{.source = "noise"};
    if (task == LraTask::listops) data.vocabulary = listops::vocabulary;
    if (task == LraTask::listops || task == LraTask::image) data.classes = 10;
    LabelledSequences& train = data.train;
    train.length = length[t];
    train.image_width = image_width[t];
    if (task == LraTask::retrieval) train.parts = 2;
    const toeplitz::CounterRandom random(options.seed);
    std::uint64_t drawn = 0;
    const auto draw = [&](Index below) { return random.uniform(drawn++) * static_cast<double>(below); };
    train.tokens.resize(static_cast<std::size_t>(options.noise * train.parts * train.length));
    for (unsigned char& token : train.tokens) token = static_cast<unsigned char>(draw(data.vocabulary));
    train.labels.resize(static_cast<std::size_t>(options.noise));
    for (Token& label : train.labels) label = static_cast<Token>(draw(data.classes));
    data.validation = data.test = train;
    return data;
}

}  // namespace

LraData load_lra(LraTask task, const LraDataOptions& options) {
    LraData data = options.noise > 0            ? make_noise(task, options)
                   : task == LraTask::listops   ? load_listops(options)
                   : task == LraTask::text      ? load_text(options)
                   : task == LraTask::retrieval ? load_retrieval(options)
                   : task == LraTask::image     ? load_images(options)
                                                : load_paths(task, options);
    if (data.train.image_width > 0) coarsen(data, options.greys);
    if (options.test > 0) data.test = data.test.first(options.test);
    if (data.train.count() == 0 || data.validation.count() == 0 || data.test.count() == 0) {
        throw std::runtime_error("too little data in '" + data.source +
                                 "': " + std::to_string(data.train.count()) + " to train on, " +
                                 std::to_string(data.validation.count()) + " to watch, " +
                                 std::to_string(data.test.count()) + " to test on");
    }
    return data;
}

}  // namespace examples
