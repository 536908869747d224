// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A tensor as files hold it: an element type, a shape and bytes; converted from and to matrices.

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <toeplitz/core/view.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

static_assert(std::endian::native == std::endian::little,
              "toeplitz: files are little-endian, and so must be the machine.");

/// Element types of the safetensors format, in the order in which its reference implementation sorts them.
/// Of those below a byte, of the 8-bit floating-point ones and of complex numbers files hold the bytes; they
/// have no conversion.
enum class Dtype {
    boolean,
    f4,
    f6_e2m3,
    f6_e3m2,
    u8,
    i8,
    f8_e5m2,
    f8_e4m3,
    f8_e8m0,
    f8_e4m3fnuz,
    f8_e5m2fnuz,
    i16,
    u16,
    f16,
    bf16,
    i32,
    u32,
    f32,
    c64,
    f64,
    i64,
    u64,
};

namespace detail {

struct DtypeRow {
    Dtype dtype;
    const char* name;  ///< the format's
    int bits;          ///< of one element
    bool converts = true;
};

inline constexpr DtypeRow dtype_table[] = {
    {Dtype::boolean, "BOOL", 8},
    {Dtype::f4, "F4", 4, false},
    {Dtype::f6_e2m3, "F6_E2M3", 6, false},
    {Dtype::f6_e3m2, "F6_E3M2", 6, false},
    {Dtype::u8, "U8", 8},
    {Dtype::i8, "I8", 8},
    {Dtype::f8_e5m2, "F8_E5M2", 8, false},
    {Dtype::f8_e4m3, "F8_E4M3", 8, false},
    {Dtype::f8_e8m0, "F8_E8M0", 8, false},
    {Dtype::f8_e4m3fnuz, "F8_E4M3FNUZ", 8, false},
    {Dtype::f8_e5m2fnuz, "F8_E5M2FNUZ", 8, false},
    {Dtype::i16, "I16", 16},
    {Dtype::u16, "U16", 16},
    {Dtype::f16, "F16", 16},
    {Dtype::bf16, "BF16", 16},
    {Dtype::i32, "I32", 32},
    {Dtype::u32, "U32", 32},
    {Dtype::f32, "F32", 32},
    {Dtype::c64, "C64", 64, false},
    {Dtype::f64, "F64", 64},
    {Dtype::i64, "I64", 64},
    {Dtype::u64, "U64", 64},
};

constexpr const DtypeRow& dtype_row(Dtype dtype) noexcept {
    return dtype_table[static_cast<std::size_t>(dtype)];
}

/// IEEE half precision: 1 sign, 5 exponent and 10 fraction bits.
struct Half {
    std::uint16_t bits;

    explicit operator float() const noexcept {
        const std::uint32_t sign = (bits & 0x8000U) << 16U;
        const std::uint32_t exponent = (bits >> 10U) & 0x1FU;
        const std::uint32_t fraction = bits & 0x3FFU;
        if (exponent == 0) {  // zero, and multiples of 2⁻²⁴
            const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
            return sign != 0 ? -magnitude : magnitude;
        }
        const std::uint32_t wide = exponent == 31 ? 255U : exponent + (127U - 15U);
        return std::bit_cast<float>(sign | wide << 23U | fraction << 13U);
    }
};

/// The upper half of a float.
struct BrainFloat {
    std::uint16_t bits;

    explicit operator float() const noexcept {
        return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
    }
};

/// f(value of the C++ type that stores `dtype`).
/// \throws io_error 907 where there is none
template <class F>
decltype(auto) with_stored_type(Dtype dtype, F&& f) {
    switch (dtype) {
        case Dtype::boolean:
        case Dtype::u8:
            return f(std::uint8_t{});
        case Dtype::i8:
            return f(std::int8_t{});
        case Dtype::i16:
            return f(std::int16_t{});
        case Dtype::u16:
            return f(std::uint16_t{});
        case Dtype::f16:
            return f(Half{});
        case Dtype::bf16:
            return f(BrainFloat{});
        case Dtype::i32:
            return f(std::int32_t{});
        case Dtype::u32:
            return f(std::uint32_t{});
        case Dtype::f32:
            return f(float{});
        case Dtype::f64:
            return f(double{});
        case Dtype::i64:
            return f(std::int64_t{});
        case Dtype::u64:
            return f(std::uint64_t{});
        default:
            raise<io_error>(907, "StoredTensor", "an element type that converts to numbers",
                            dtype_row(dtype).name);
    }
}

}  // namespace detail

/// Bits of one element.
constexpr int element_bits(Dtype dtype) noexcept { return detail::dtype_row(dtype).bits; }

/// The format's name of an element type, for example "BF16".
constexpr const char* dtype_name(Dtype dtype) noexcept { return detail::dtype_row(dtype).name; }

/// The element type that holds T without a change: float, double, bool, and integers.
template <class T>
requires std::floating_point<T> || std::integral<T>
constexpr Dtype dtype_of() noexcept {
    if constexpr (std::floating_point<T>) {
        static_assert(Real<T>, "toeplitz: of the floating-point types, files hold float and double.");
        return sizeof(T) == 4 ? Dtype::f32 : Dtype::f64;
    } else if constexpr (std::is_same_v<T, bool>) {
        return Dtype::boolean;
    } else if constexpr (sizeof(T) == 1) {
        return std::is_signed_v<T> ? Dtype::i8 : Dtype::u8;
    } else if constexpr (sizeof(T) == 2) {
        return std::is_signed_v<T> ? Dtype::i16 : Dtype::u16;
    } else if constexpr (sizeof(T) == 4) {
        return std::is_signed_v<T> ? Dtype::i32 : Dtype::u32;
    } else {
        return std::is_signed_v<T> ? Dtype::i64 : Dtype::u64;
    }
}

namespace detail {

struct TensorSize {
    Index count = 0;  ///< elements
    std::size_t bytes = 0;
};

/// What a shape takes; false where that leaves Index in bits, is no whole number of bytes, or a dimension is
/// negative.
inline bool measure(std::span<const Index> shape, Dtype dtype, TensorSize& size) noexcept {
    size.count = 1;
    for (const Index dimension : shape) {
        if (dimension < 0 || __builtin_mul_overflow(size.count, dimension, &size.count)) return false;
    }
    Index bits = 0;
    if (__builtin_mul_overflow(size.count, Index{element_bits(dtype)}, &bits) || bits % 8 != 0) return false;
    size.bytes = static_cast<std::size_t>(bits / 8);
    return true;
}

/// Whether a number has a counterpart in T: in floating point always, in integers only an integer within
/// range.
template <class T, class Stored>
constexpr bool fits(Stored value) noexcept {
    if constexpr (std::floating_point<T>) {
        return true;
    } else if constexpr (std::floating_point<Stored>) {
        return false;
    } else if constexpr (std::is_same_v<T, bool>) {
        return value == 0 || value == 1;
    } else {
        return std::in_range<T>(value);
    }
}

/// The number as a T, where it fits.
template <class T, class Stored>
constexpr T converted(Stored value) noexcept {
    if constexpr (std::is_same_v<T, float> && std::is_same_v<Stored, double>) {
        // Beyond the largest float the conversion is undefined in C++.
        constexpr double most = static_cast<double>((std::numeric_limits<float>::max)());
        constexpr float infinity = std::numeric_limits<float>::infinity();
        if (value > most || value < -most) return value > 0 ? infinity : -infinity;
    }
    return static_cast<T>(value);
}

/// "(2, 3)" for messages.
inline std::string shape_text(std::span<const Index> shape) {
    std::string result = "(";
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (i > 0) result.append(", ");
        result.append(std::to_string(shape[i]));
    }
    return result.append(")");
}

}  // namespace detail

/// A tensor of any element type; its last dimension is contiguous.
struct StoredTensor {
    Dtype dtype = Dtype::f32;
    std::vector<Index> shape;      ///< empty for a single number
    std::vector<std::byte> bytes;  ///< element_bits(dtype) times the product of the shape, without gaps

    friend bool operator==(const StoredTensor&, const StoredTensor&) = default;

    /// Numbers in it.
    /// \throws io_error 907 where the bytes do not fit the shape
    Index size() const {
        detail::TensorSize size;
        if (!detail::measure(shape, dtype, size) || bytes.size() != size.bytes) {
            detail::raise<io_error>(907, "StoredTensor", "as many bytes as its shape needs",
                                    detail::text(bytes.size(), " bytes for ", dtype_name(dtype), " of shape ",
                                                 detail::shape_text(shape)));
        }
        return size.count;
    }

    /// f(i, value of the i-th number) for all of them; half precision comes as float, BOOL as bytes.
    /// \throws io_error 907 where the bytes do not fit the shape, or the element type has no conversion
    template <class F>
    void for_each(F&& f) const {
        const auto count = static_cast<std::size_t>(size());
        detail::with_stored_type(dtype, [&](auto stored) {
            for (std::size_t i = 0; i < count; ++i) {
                std::memcpy(&stored, bytes.data() + i * sizeof(stored), sizeof(stored));
                if constexpr (std::is_class_v<decltype(stored)>) {
                    f(i, static_cast<float>(stored));
                } else {
                    f(i, stored);
                }
            }
        });
    }

    /// Writes all numbers to `to`, each converted to T: to floating point rounded to nearest, what is too
    /// large to an infinity; to an integer only integers that fit it.
    /// \throws io_error 907 (bytes, `to` of another size, no conversion)
    template <class T>
    void copy_to(std::span<T> to) const {
        if (static_cast<Index>(to.size()) != size()) {
            detail::raise<io_error>(907, "StoredTensor::copy_to", detail::text(size(), " numbers"),
                                    detail::text("room for ", to.size()));
        }
        const std::size_t unfit = first_misfit<T>();
        if (unfit < to.size()) {
            detail::raise<io_error>(907, "StoredTensor::copy_to",
                                    detail::text("numbers that fit ", dtype_name(dtype_of<T>())),
                                    detail::text("one of ", dtype_name(dtype), " that does not, at ", unfit));
        }
        for_each([&](std::size_t i, auto value) { to[i] = detail::converted<T>(value); });
    }

    /// Where the first number is that has no counterpart in T: in integers a floating-point number, or one
    /// out of range. The number of elements where all fit.
    template <class T>
    std::size_t first_misfit() const {
        auto misfit = static_cast<std::size_t>(size());
        if constexpr (std::integral<T>) {
            for_each([&](std::size_t i, auto value) {
                if (i < misfit && !detail::fits<T>(value)) misfit = i;
            });
        }
        return misfit;
    }

    /// All numbers as rows of `cols`.
    /// \throws io_error 907, also where cols does not divide their number
    template <class T>
    Matrix<T> matrix(Index cols) const {
        const Index count = size();
        if (cols < 1 || count % cols != 0) {
            detail::raise<io_error>(907, "StoredTensor::matrix", detail::text("rows of ", cols, " numbers"),
                                    detail::text("shape ", detail::shape_text(shape)));
        }
        Matrix<T> result(count / cols, cols);
        copy_to(std::span<T>(result.data(), static_cast<std::size_t>(count)));
        return result;
    }
    /// All numbers as rows of the last dimension.
    template <class T>
    Matrix<T> matrix() const {
        return matrix<T>(shape.empty() ? 1 : shape.back());
    }
};

/// Copies numbers into a tensor.
/// \throws io_error 907 where their number is not that of the shape
template <class T>
StoredTensor make_tensor(std::span<T> numbers, std::vector<Index> shape) {
    StoredTensor tensor{dtype_of<std::remove_const_t<T>>(), std::move(shape), {}};
    const auto bytes = std::as_bytes(numbers);
    tensor.bytes.assign(bytes.begin(), bytes.end());
    static_cast<void>(tensor.size());
    return tensor;
}

/// Copies a matrix into a tensor of shape (rows, cols).
template <class T>
StoredTensor make_tensor(MatrixView<const T> matrix) {
    const Matrix<T> rows = matrix.eigen();
    return make_tensor(std::span<const T>(rows.data(), static_cast<std::size_t>(rows.size())),
                       {matrix.rows(), matrix.cols()});
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
