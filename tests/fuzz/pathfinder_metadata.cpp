// SPDX-License-Identifier: MIT
/// \file
/// The lists of Pathfinder's images: refused, or a file below the folder and a label for every line.

#include <fuzz/mutator.hpp>

#include <examples/support/lra_readers.hpp>

namespace toeplitz::test {

const FuzzTarget& fuzz_target() {
    static const FuzzTarget target = [] {
        FuzzTarget of;
        of.seeds = {"imgs/0 sample_0.png 0 1 1.0 14 2 1.8\nimgs/0 sample_1.png 1 0 1.0 14 2 1.8\n",
                    "imgs/7 sample_9.png 9 1\r\n",
                    "imgs/0 sample_0.png 0 2\n",
                    "imgs/0 sample_0.png 0\n",
                    "../../etc passwd 0 1\n",
                    "/etc passwd 0 1\n",
                    " x 0 1\n",
                    ""};
        of.words = {" 0 1\n", " ", "..", "/", "imgs/1 sample_2.png 2 0 x\n", std::string(1, '\0')};
        of.outcomes = {0, 1};
        return of;
    }();
    return target;
}

int fuzz(const std::string& input) {
    std::vector<examples::LabelledFile> files;
    try {
        files = examples::parse_pathfinder_metadata(input, "guest");
    } catch (const std::runtime_error&) {
        return 1;
    }
    promise(!files.empty(), "some file");
    std::string content;
    for (const auto& file : files) {
        promise(file.label == 0 || file.label == 1, "a label");
        promise(file.path[0] != '/' && file.path.find("..") == std::string::npos, "a file below the folder");
        const std::size_t slash = file.path.rfind('/');
        promise(slash != std::string::npos, "a folder");
        promise(file.path.find_first_of(" \n") == std::string::npos, "names without spaces");
        content += file.path.substr(0, slash) + ' ' + file.path.substr(slash + 1) + " 0 " +
                   std::to_string(file.label) + '\n';
    }
    // A name that ends in a slash is two names of which the second is empty.
    for (const auto& file : files) {
        if (file.path.ends_with('/') || file.path.starts_with('/')) return 0;
    }
    const auto again = examples::parse_pathfinder_metadata(content, "guest");
    promise(again.size() == files.size(), "a round trip");
    for (std::size_t i = 0; i < files.size(); ++i) promise(again[i].path == files[i].path, "the same names");
    return 0;
}

}  // namespace toeplitz::test
