// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Vectors that count what is done to them: what a step really takes.

#include <bit>

#include <toeplitz/core/simd.hpp>

namespace toeplitz::test {

/// In place of Simd<S>. A multiplication and the addition or subtraction of its product are one operation.
template <class S>
struct CountingSimd {
    using Own = Simd<S>;
    static constexpr Index lanes = Own::lanes;
    static inline thread_local Index operations = 0;

    struct Product;
    struct Pack {
        typename Own::Pack value{};

        Pack() = default;
        explicit Pack(typename Own::Pack v) : value(v) {}
        Pack(Product product) : value(product.a * product.b) { ++operations; }

        friend Product operator*(Pack a, Pack b) { return {a.value, b.value}; }
        friend Pack operator+(Pack a, Pack b) { return counted(a.value + b.value); }
        friend Pack operator+(Pack a, Product p) { return counted(a.value + p.a * p.b); }
        friend Pack operator-(Pack a, Product p) { return counted(a.value - p.a * p.b); }
        friend Pack operator-(Pack a, Pack b) { return counted(a.value - b.value); }
        Pack& operator+=(Product p) { return *this = *this + p; }

    private:
        static Pack counted(typename Own::Pack v) {
            ++operations;
            return Pack(v);
        }
    };
    struct Product {
        typename Own::Pack a;
        typename Own::Pack b;
    };

    static Pack load(const S* p) { return Pack(Own::load(p)); }
    static Pack load_unaligned(const S* p) { return Pack(Own::load_unaligned(p)); }
    static Pack load_row(const S* p, Index count) { return Pack(Own::load_row(p, count)); }
    static void store(S* p, Pack v) { Own::store(p, v.value); }
    static void store_unaligned(S* p, Pack v) { Own::store_unaligned(p, v.value); }
    template <Index width>
    static Pack load_repeated(const S* p) {
        return Pack(Own::template load_repeated<width>(p));
    }
    /// Each step adds half as many vectors of sums as before.
    template <Index count>
    static Pack sum_blocks(const Pack* v) {
        typename Own::Pack own[std::size_t{count}];
        for (Index k = 0; k < count; ++k) own[k] = v[k].value;
        operations += count - 1;
        return Pack(Own::template sum_blocks<count>(own));
    }
    template <Index count>
    static Pack sum_blocks(Pack v) {
        operations += std::countr_zero(static_cast<unsigned>(count));
        return Pack(Own::template sum_blocks<count>(v.value));
    }
    static void store_partial(S* p, Pack v, Index count) { Own::store_partial(p, v.value, count); }
    static void store_row(S* p, Pack v, Index count) { Own::store_row(p, v.value, count); }
};

}  // namespace toeplitz::test
