// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Parameter sets from and to the tensors of a file, by the names of official state dicts.

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <toeplitz/core/finite.hpp>
#include <toeplitz/core/parameter.hpp>
#include <toeplitz/dense/encoded_matrix.hpp>
#include <toeplitz/io/safetensors.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

struct StateDictOptions {
    std::string prefix;  ///< before every name in the file, with its dot: "decoder."
    /// Names under the prefix that may be in the file without use: each also stands for the names that end in
    /// it after a dot, so "version" covers "layers.3.version".
    std::vector<std::string> ignorable{};

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("prefix", sets.prefix...);
        f("ignorable", sets.ignorable...);
    }
};

/// How a file calls what we call `name`, both without the prefix. An empty result: the file has none, and the
/// tensor keeps its value.
template <class F>
concept NameMapping = std::invocable<F&, const std::string&> &&
    std::convertible_to<std::invoke_result_t<F&, const std::string&>, std::string>;

/// The official names as they are.
struct SameNames {
    std::string operator()(const std::string& name) const { return name; }
};

namespace detail {

/// Names of metadata that are the library's begin so.
inline constexpr const char* own_metadata = "toeplitz.";

/// Adds a user's metadata.
/// \throws io_error 942
inline void add_metadata(const std::map<std::string, std::string>& from,
                         std::map<std::string, std::string>& to, const char* where) {
    for (const auto& [key, value] : from) {
        if (key.starts_with(own_metadata)) {
            raise<io_error>(942, where, "metadata whose names do not begin with 'toeplitz.'", in_quotes(key));
        }
        to[key] = value;
    }
}

// The library's own tensors: the moments in checkpoints, and the probe in model files.
inline constexpr const char* first_moment_prefix = "adam.m.";
inline constexpr const char* second_moment_prefix = "adam.v.";
inline constexpr const char* probe_input = "probe.input";
inline constexpr const char* probe_output = "probe.output";

inline bool is_own_tensor(std::string_view name) {
    return name.starts_with(first_moment_prefix) || name.starts_with(second_moment_prefix) ||
           name == probe_input || name == probe_output;
}

/// Mismatches that a message lists; more are counted.
inline constexpr std::size_t most_listed = 1000;

template <class Tensor>
inline constexpr bool is_vector = std::remove_cvref_t<Tensor>::IsVectorAtCompileTime != 0;

/// Shape under which a tensor is stored.
template <class Tensor>
std::vector<Index> shape_of(const Tensor& tensor) {
    if (is_vector<Tensor>) return {tensor.size()};
    return {tensor.rows(), tensor.cols()};
}

/// The numbers of a tensor in the order of files: the last dimension is contiguous.
template <class Tensor>
auto numbers_of(Tensor& tensor) {
    static_assert(is_vector<Tensor> || std::remove_cvref_t<Tensor>::IsRowMajor,
                  "toeplitz: the matrices of a parameter set are row-major.");
    return std::span(tensor.data(), static_cast<std::size_t>(tensor.size()));
}

/// Whether numbers in the shape of a file lie in memory as ours do, whose shape is of one or two dimensions.
/// Official modules write some tensors with more: (1, d, 1, R) for d × R, (h, 1, d/h) for d numbers.
inline bool shape_fits(std::vector<Index> ours, std::vector<Index> theirs) {
    const auto product = [](const std::vector<Index>& shape) {
        Index count = 1;
        for (const Index dimension : shape) count *= dimension;
        return count;
    };
    if (product(ours) != product(theirs)) return false;
    if (ours.size() == 1 || (!theirs.empty() && theirs.back() == ours.back())) return true;
    const auto drop_ones = [](std::vector<Index>& shape) {
        shape.erase(std::remove(shape.begin(), shape.end(), Index{1}), shape.end());
    };
    drop_ones(ours);
    drop_ones(theirs);
    return ours == theirs;
}

/// What a parameter set wants from a file.
struct WantedTensor {
    std::string name;  ///< in the file, with the prefix; empty where the file has none
    std::vector<Index> shape;
    Dtype dtype;
    bool as_stored = false;  ///< the file's numbers must be of the type, not only fit in it
};

/// What keeps a stored tensor from filling ours; empty where nothing does.
inline std::string mismatch(const StoredTensor& stored, const WantedTensor& wanted) {
    const auto count = static_cast<std::size_t>(stored.size());
    if (!dtype_row(stored.dtype).converts) return text("expected numbers, got ", dtype_name(stored.dtype));
    if (!shape_fits(wanted.shape, stored.shape)) {
        return text("expected shape ", shape_text(wanted.shape), ", got ", shape_text(stored.shape));
    }
    if (wanted.as_stored && stored.dtype != wanted.dtype) {
        return text("expected ", dtype_name(wanted.dtype), ", got ", dtype_name(stored.dtype));
    }
    if (wanted.dtype != Dtype::f32 && wanted.dtype != Dtype::f64 && wanted.dtype != Dtype::bf16) {
        const std::size_t misfit = with_stored_type(wanted.dtype, [&](auto element) {
            if constexpr (std::integral<decltype(element)>) {
                return stored.first_misfit<decltype(element)>();
            } else {
                return std::size_t{};
            }
        });
        if (misfit == count) return {};
        return text("expected numbers that fit ", dtype_name(wanted.dtype), ", got one of ",
                    dtype_name(stored.dtype), " that does not, at ", misfit);
    }
    const double most = wanted.dtype == Dtype::f64 ? (std::numeric_limits<double>::max)()
                                                   : static_cast<double>((std::numeric_limits<float>::max)());
    std::size_t at = count;
    double wrong = 0;
    stored.for_each([&](std::size_t i, auto value) {
        if constexpr (std::floating_point<decltype(value)>) {
            const auto number = static_cast<double>(value);
            if ((is_finite(number) && std::abs(number) <= most) || at != count) return;
            at = i;
            wrong = number;
        }
    });
    if (at == count) return {};
    return text("expected finite numbers, got ", is_nan(wrong) ? "a NaN" : "an infinity", " at ", at);
}

inline bool is_ignorable(std::string_view name, const std::vector<std::string>& ignorable) {
    return std::any_of(ignorable.begin(), ignorable.end(), [&](const std::string& entry) {
        if (name == entry) return true;
        return name.size() > entry.size() && name.ends_with(entry) &&
               name[name.size() - entry.size() - 1] == '.';
    });
}

/// The mismatches between a file and a parameter set, one line each.
class MismatchList {
public:
    void add(std::string_view name, std::string_view what) {
        if (++count_ > most_listed) return;
        lines_.append(text("\n  ", in_quotes(name), ": ", what));
    }
    bool empty() const noexcept { return count_ == 0; }
    std::string message() const {
        std::string result = text(count_, count_ == 1 ? " mismatch:" : " mismatches:", lines_);
        if (count_ > most_listed) result.append(text("\n  and ", count_ - most_listed, " more"));
        return result;
    }

private:
    std::size_t count_ = 0;
    std::string lines_;
};

/// Where none of the wanted tensors is there under its name, but some are under another prefix: the prefix of
/// the most of them.
inline std::optional<std::string> other_prefix(const TensorFile& file,
                                               const std::vector<WantedTensor>& wanted,
                                               const std::string& prefix) {
    std::map<std::string, std::size_t> found;
    for (const WantedTensor& tensor : wanted) {
        if (tensor.name.empty()) continue;
        if (file.tensors.count(tensor.name) != 0) return std::nullopt;
        const std::string_view own = std::string_view(tensor.name).substr(prefix.size());
        for (const auto& [name, stored] : file.tensors) {
            if (!name.ends_with(own)) continue;
            const std::string other = name.substr(0, name.size() - own.size());
            if (other.empty() || other.back() == '.') ++found[other];
        }
    }
    const auto most = std::max_element(found.begin(), found.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most == found.end()) return std::nullopt;
    return most->first;
}

/// The stored tensor for each wanted one; null where the file has none.
/// \throws io_error 907, 920
inline std::vector<const StoredTensor*> find_tensors(const TensorFile& file,
                                                     const std::vector<WantedTensor>& wanted,
                                                     const StateDictOptions& options) {
    MismatchList mismatches;
    std::set<std::string> used;
    std::vector<const StoredTensor*> sources;
    for (const WantedTensor& tensor : wanted) {
        sources.push_back(nullptr);
        if (tensor.name.empty()) continue;
        used.insert(tensor.name);
        const auto found = file.tensors.find(tensor.name);
        if (found == file.tensors.end()) {
            mismatches.add(tensor.name, "missing");
            continue;
        }
        sources.back() = &found->second;
        const std::string problem = mismatch(found->second, tensor);
        if (!problem.empty()) mismatches.add(tensor.name, problem);
    }
    for (auto at = file.tensors.lower_bound(options.prefix);
         at != file.tensors.end() && at->first.starts_with(options.prefix); ++at) {
        const std::string_view name = at->first;
        const bool is_own = options.prefix.empty() && is_own_tensor(name);
        if (used.count(at->first) == 0 && !is_own &&
            !is_ignorable(name.substr(options.prefix.size()), options.ignorable)) {
            mismatches.add(name, "unexpected");
        }
    }
    if (!mismatches.empty()) {
        const auto other = other_prefix(file, wanted, options.prefix);
        raise<io_error>(920, text("load_parameters: file ", in_quotes(file.source)),
                        text("the ", wanted.size(), " tensors of the parameters under prefix ",
                             in_quotes(options.prefix)),
                        other ? text("names that begin with ", in_quotes(*other)) : mismatches.message());
    }
    return sources;
}

/// Throws io_error 912 where a number is not finite: load_parameters would refuse it.
template <std::floating_point T>
void require_finite(T number, std::size_t i, const std::string& name, const TensorFile& file) {
    if (is_finite(number)) return;
    raise<io_error>(912, text("store_parameters: file ", in_quotes(file.source)), "finite numbers",
                    text(static_cast<double>(number), " in ", in_quotes(name), " at ", i));
}
template <class T>
void require_finite(std::span<T> numbers, const std::string& name, const TensorFile& file) {
    if constexpr (std::floating_point<std::remove_const_t<T>>) {
        for (std::size_t i = 0; i < numbers.size(); ++i) require_finite(numbers[i], i, name, file);
    }
}

/// Adds a tensor under a new name.
/// \throws io_error 911
inline void add_tensor(TensorFile& file, const std::string& name, StoredTensor tensor) {
    if (!file.tensors.try_emplace(name, std::move(tensor)).second) {
        raise<io_error>(911, "store_parameters", "names that are not in the file yet", in_quotes(name));
    }
}

// Weights in fewer bits: I8 numbers have the scales of their rows beside them, as (rows, 1).
inline constexpr const char* scales_suffix = "_scale";

template <Real Scalar>
constexpr Dtype weight_dtype(WeightFormat format) noexcept {
    if (format == WeightFormat::bf16) return Dtype::bf16;
    if (format == WeightFormat::int8) return Dtype::i8;
    return dtype_of<Scalar>();
}
constexpr WeightFormat weight_format(Dtype dtype) noexcept {
    if (dtype == Dtype::bf16) return WeightFormat::bf16;
    if (dtype == Dtype::i8) return WeightFormat::int8;
    return WeightFormat::exact;
}

/// \throws io_error 911, 912
template <Real Scalar>
void store_encoded(TensorFile& file, const std::string& name, const EncodedMatrix<Scalar>& matrix) {
    const auto numbers = matrix.numbers();
    StoredTensor tensor{weight_dtype<Scalar>(matrix.format()),
                        {matrix.rows(), matrix.cols()},
                        {numbers.begin(), numbers.end()}};
    tensor.for_each([&](std::size_t i, auto number) {
        if constexpr (std::floating_point<decltype(number)>) require_finite(number, i, name, file);
    });
    add_tensor(file, name, std::move(tensor));
    const auto scales = matrix.scales();
    if (scales.empty()) return;
    require_finite(scales, name + scales_suffix, file);
    add_tensor(file, name + scales_suffix, make_tensor(scales, {matrix.rows(), 1}));
}

/// The tensors that fill the matrix, as find_tensors returns them.
template <Real Scalar>
void fill_encoded(EncodedMatrix<Scalar>& matrix, std::vector<const StoredTensor*>::const_iterator& source) {
    const auto fill = [&](auto to) {
        if (to.empty()) return;
        const StoredTensor* const from = *source++;
        if (from != nullptr) std::copy(from->bytes.begin(), from->bytes.end(), to.begin());
    };
    fill(matrix.numbers());
    fill(std::as_writable_bytes(matrix.scales()));
}

}  // namespace detail

/// Puts every tensor of a set into a file under options.prefix + names(its name), in the set's own element
/// type; a matrix with shape (rows, cols), a vector with shape (size). Weights in fewer bits
/// (convert_weights) go as they are: BF16, or I8 with an F32 tensor …_scale of shape (rows, 1), which the
/// rows are multiplied by.
/// \throws io_error 911 where the file has a tensor of that name already, 912 where a number is not finite
/// Cost the bytes | heap: the bytes | thread-safe: yes
template <ParameterSet P, NameMapping Names = SameNames>
void store_parameters(TensorFile& file, const P& parameters, const StateDictOptions& options = {},
                      Names&& names = {}) {
    const auto store = [&](const ParameterName& name, auto&& with_name) {
        const std::string theirs(names(name.text()));
        if (!theirs.empty()) with_name(detail::text(options.prefix, theirs));
    };
    for_each_parameter(
        [&](const ParameterName& name, const auto& tensor) {
            store(name, [&](const std::string& full) {
                const auto numbers = detail::numbers_of(tensor);
                detail::require_finite(numbers, full, file);
                detail::add_tensor(file, full, make_tensor(numbers, detail::shape_of(tensor)));
            });
        },
        parameters);
    detail::for_each_weight(
        [&](const ParameterName& name, const auto& part) {
            if (part.encoded.empty()) return;
            store(name, [&](const std::string& full) { detail::store_encoded(file, full, part.encoded); });
        },
        parameters);
}

/// Fills every tensor of a set from the file's tensor options.prefix + names(its name).
///
/// Dimensions of 1 do not count: (1, d, 1, R) fills d × R. A vector takes any shape of its size, a matrix any
/// shape with its size and its last dimension. Element types are converted.
///
/// Mismatches are a missing tensor, a wrong shape, a number that is not finite in the set's type, and a
/// further name under the prefix unless the options list it as ignorable. Without a prefix, what checkpoints
/// and model files hold beside parameters (adam.m.*, adam.v.*, probe.input, probe.output) is none. One error
/// reports all of them; the set is as it was. It keeps its memory, so that views of it stay valid.
///
/// Weights that the set has in fewer bits are filled with tensors of their format alone, as store_parameters
/// writes them, without a conversion.
/// \throws io_error 920 (all mismatches), 907 (the bytes of a hand-made tensor do not fit its shape)
/// Cost 2× the conversion | heap: names | thread-safe: yes
template <ParameterSet P, NameMapping Names = SameNames>
void load_parameters(const TensorFile& file, P& parameters, const StateDictOptions& options = {},
                     Names&& names = {}) {
    std::vector<detail::WantedTensor> wanted;
    const auto theirs = [&](const ParameterName& name) {
        std::string result(names(name.text()));
        if (!result.empty()) result.insert(0, options.prefix);
        return result;
    };
    for_each_parameter(
        [&](const ParameterName& name, const auto& tensor) {
            using Element = typename std::remove_cvref_t<decltype(tensor)>::Scalar;
            wanted.push_back({theirs(name), detail::shape_of(tensor), dtype_of<Element>()});
        },
        std::as_const(parameters));
    detail::for_each_weight(
        [&](const ParameterName& name, const auto& part) {
            const auto& matrix = part.encoded;
            if (matrix.empty()) return;
            using Element = typename std::remove_cvref_t<decltype(matrix)>::Scalar;
            const std::string full = theirs(name);
            const Dtype dtype = detail::weight_dtype<Element>(matrix.format());
            wanted.push_back({full, {matrix.rows(), matrix.cols()}, dtype, true});
            if (matrix.scales().empty()) return;
            wanted.push_back(
                {full.empty() ? full : full + detail::scales_suffix, {matrix.rows(), 1}, Dtype::f32, true});
        },
        std::as_const(parameters));
    const auto sources = detail::find_tensors(file, wanted, options);

    auto source = sources.begin();
    for_each_parameter(
        [&](const ParameterName&, auto& tensor) {
            if (*source != nullptr) (*source)->copy_to(detail::numbers_of(tensor));
            ++source;
        },
        parameters);
    detail::for_each_weight(
        [&](const ParameterName&, auto& part) {
            if (!part.encoded.empty()) detail::fill_encoded(part.encoded, source);
        },
        parameters);
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
