// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Reads golden vectors: float64 safetensors files in the tests' data folder.

#include <cstring>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <toeplitz/core/parameter.hpp>

namespace toeplitz::test {

struct GoldenTensor {
    std::vector<Index> shape;
    std::vector<double> values;  ///< last dimension fastest

    Index size() const { return static_cast<Index>(values.size()); }

    /// All values as rows of `cols`.
    Matrix<double> matrix(Index cols) const {
        return Eigen::Map<const Matrix<double>>(values.data(), size() / cols, cols);
    }
    /// All values as rows of the last dimension.
    Matrix<double> matrix() const { return matrix(shape.back()); }
};

/// One golden file: tensors by name, and the configuration of the module that made them.
struct Golden {
    nlohmann::json config;
    std::map<std::string, GoldenTensor> tensors;

    const GoldenTensor& operator[](const std::string& name) const { return tensors.at(name); }
    bool has(const std::string& name) const { return tensors.count(name) != 0; }

    template <class T>
    T option(const char* name) const {
        return config.at(name).get<T>();
    }
};

/// Reads data/golden/<name>.safetensors. \throws std::runtime_error
inline Golden read_golden(const std::string& name) {
    const std::string path = std::string(TOEPLITZ_TEST_DATA_DIR) + "/golden/" + name + ".safetensors";
    std::ifstream file(path, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    std::uint64_t header_size = 0;
    if (bytes.size() < sizeof(header_size)) throw std::runtime_error("cannot read " + path);
    std::memcpy(&header_size, bytes.data(), sizeof(header_size));
    const std::size_t data_begin = sizeof(header_size) + header_size;
    if (bytes.size() < data_begin) throw std::runtime_error("cut off: " + path);
    const auto header = nlohmann::json::parse(bytes.substr(sizeof(header_size), header_size));

    Golden golden;
    for (const auto& [key, entry] : header.items()) {
        if (key == "__metadata__") {
            golden.config = nlohmann::json::parse(entry.at("config").get<std::string>());
            continue;
        }
        if (entry.at("dtype") != "F64") throw std::runtime_error("not float64: " + key + " in " + path);
        GoldenTensor tensor;
        tensor.shape = entry.at("shape").get<std::vector<Index>>();
        const auto offsets = entry.at("data_offsets").get<std::vector<std::size_t>>();
        tensor.values.resize((offsets.at(1) - offsets.at(0)) / sizeof(double));
        std::memcpy(tensor.values.data(), bytes.substr(data_begin).data() + offsets.at(0),
                    tensor.values.size() * sizeof(double));
        golden.tensors.emplace(key, std::move(tensor));
    }
    return golden;
}

/// Fills every tensor of a parameter set with the golden tensor of its name.
/// \throws std::runtime_error where a size differs, std::out_of_range where a name is missing
template <ParameterSet P>
void read_parameters(const Golden& golden, const std::string& prefix, P& parameters) {
    for_each_parameter(
        [&](const ParameterName& name, auto& tensor) {
            const GoldenTensor& from = golden[prefix + name.text()];
            if (from.size() != tensor.size()) throw std::runtime_error("size of " + name.text());
            using Element = typename std::remove_reference_t<decltype(tensor)>::Scalar;
            tensor = from.matrix(tensor.cols()).template cast<Element>();
        },
        parameters);
}

}  // namespace toeplitz::test
