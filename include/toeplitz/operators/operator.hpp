// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The base of operators: provides most of the contract.

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include <toeplitz/operators/contract.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {
namespace detail {

/// to = from, in blocks that keep both sides in cache when their storage orders differ.
template <class T>
void copy_blocked(MatrixView<const T> from, MatrixView<T> to) {
    constexpr Index block = 32;
    for (Index i0 = 0; i0 < from.rows(); i0 += block) {
        const Index i1 = (std::min)(i0 + block, from.rows());
        for (Index j0 = 0; j0 < from.cols(); j0 += block) {
            const Index j1 = (std::min)(j0 + block, from.cols());
            for (Index i = i0; i < i1; ++i) {
                for (Index j = j0; j < j1; ++j) to(i, j) = from(i, j);
            }
        }
    }
}

/// Whether two views share an element, as far as strides tell: blocks of columns of one row-major matrix do
/// not, nor do blocks of rows of a column-major one.
template <class T>
bool overlap(MatrixView<const T> a, MatrixView<const T> b) noexcept {
    if (a.size() == 0 || b.size() == 0) return false;
    // Runs of neighbours, a pitch apart.
    struct Runs {
        std::uintptr_t first, end, bytes, pitch;
    };
    const auto runs_of = [](const MatrixView<const T>& v) {
        const auto bytes = [](Index count) { return static_cast<std::uintptr_t>(count) * sizeof(T); };
        const auto first = reinterpret_cast<std::uintptr_t>(v.data());
        const auto end = reinterpret_cast<std::uintptr_t>(&v(v.rows() - 1, v.cols() - 1)) + sizeof(T);
        if (v.has_contiguous_rows()) return Runs{first, end, bytes(v.cols()), bytes(v.row_stride())};
        if (v.row_stride() == 1) return Runs{first, end, bytes(v.rows()), bytes(v.col_stride())};
        return Runs{first, end, end - first, 0};
    };
    const Runs x = runs_of(a);
    const Runs y = runs_of(b);
    if (x.end <= y.first || y.end <= x.first) return false;
    if (x.pitch != y.pitch || x.pitch == 0) return true;
    const Runs& low = x.first <= y.first ? x : y;
    const Runs& high = x.first <= y.first ? y : x;
    const std::uintptr_t gap = (high.first - low.first) % low.pitch;
    return gap < low.bytes || gap + high.bytes > low.pitch;
}

}  // namespace detail

/// Base of operators: checks, strides, batches, padding and workspaces around a few functions on rows.
///
/// Derived has the members of a ToeplitzOperator that the base lacks (Kernel, KernelValues, Cache,
/// take_kernel, kernel_workspace, state_bytes) and, for the base alone,
/// * `static constexpr const char* name`, for messages;
/// * `assign_kernel(kernel, ws)`: set_kernel;
/// * `product<direction, update>(x, y, sequences, ws)`: y = T x and its kin;
/// * `kernel_gradient(x, g, dkernel, sequences, ws)`: dkernel += ∂⟨g, T x⟩/∂kernel;
/// * `product_workspace(batch)` and `gradient_workspace(batch)`: bytes that these two take;
/// and where its Cache is not NoCache
/// * `forward_product(x, y, cache, sequences, ws)` and
///   `backward_product(x, cache, g, dx, dkernel, sequences, ws)`, which take no more than the two above.
/// Channels are neighbours in what these are given, shapes and sequences are checked, and rows beyond a
/// length are neither read nor written. Images whose rows are valid in part are refused, unless Derived has a
/// member `takes_images`.
template <class Derived, class ScalarType>
class Operator {
public:
    using Scalar = ScalarType;
    using ConstView = MatrixView<const Scalar>;
    using View = MatrixView<Scalar>;

    /// Time steps n of a sequence.
    Index length() const noexcept { return length_; }
    /// Channels d.
    Index channels() const noexcept { return channels_; }

    /// Bytes that a call on a batch of B sequences takes from its workspace, with the threads available now.
    /// \throws config_error 202
    std::size_t required_workspace(Index batch = 1, Layout layout = Layout::row_major) const {
        check_sizes(batch);
        const std::size_t copies = layout == Layout::strided ? 3 * copy_bytes(batch * length_) : 0;
        return copies + (std::max)(self().product_workspace(batch), self().gradient_workspace(batch));
    }

    /// The same for products alone, where channels are neighbours.
    std::size_t apply_workspace(Index batch = 1) const {
        check_sizes(batch);
        return self().product_workspace(batch);
    }

    /// Replaces T, with scratch memory from `ws`, and reuses the operator's memory.
    /// \throws what Derived's assign_kernel does, the library's own shape_error 501 and value_error 530 with
    /// the operator unchanged (for a Sum see there)
    template <class D = Derived>
    void set_kernel(const typename D::Kernel& kernel, Workspace& ws) {
        static_cast<D&>(*this).assign_kernel(kernel, ws);
    }
    template <class D = Derived>
    void set_kernel(const typename D::Kernel& kernel) {
        Workspace ws;
        set_kernel<D>(kernel, ws);
    }

    /// y = T x for each of B sequences.
    ///
    /// With lengths, later time steps influence nothing, whatever they hold, and the y there is zero. x and y
    /// are (B·n) × d with any strides (others than neighbouring channels cost a copy) and share no memory.
    /// \throws shape_error 502 to 504, 210 to 212
    /// heap: none with a reserved workspace | thread-safe: yes, with distinct workspaces | same bits for any
    /// number of threads
    void apply(ConstView x, View y, Workspace& ws, const Sequences& sequences = {}) const {
        run<Direction::forward, Update::assign>(x, y, ws, sequences, {"apply", "x", "y"});
    }
    /// dx = Tᵀ g. As apply.
    void apply_adjoint(ConstView g, View dx, Workspace& ws, const Sequences& sequences = {}) const {
        run<Direction::adjoint, Update::assign>(g, dx, ws, sequences, {"apply_adjoint", "g", "dx"});
    }
    /// y += T x. As apply; y beyond a length stays.
    void accumulate(ConstView x, View y, Workspace& ws, const Sequences& sequences = {}) const {
        run<Direction::forward, Update::add>(x, y, ws, sequences, {"accumulate", "x", "y"});
    }
    /// dx += Tᵀ g. As apply; dx beyond a length stays.
    void accumulate_adjoint(ConstView g, View dx, Workspace& ws, const Sequences& sequences = {}) const {
        run<Direction::adjoint, Update::add>(g, dx, ws, sequences, {"accumulate_adjoint", "g", "dx"});
    }

    /// y = T x as apply, and keeps in `cache` what backward needs.
    /// \throws as apply
    /// Cost of apply | heap: the cache, when the batch grows | thread-safe: yes, with distinct caches
    template <class D = Derived>
    void forward(ConstView x, View y, typename D::Cache& cache, Workspace& ws,
                 const Sequences& sequences = {}) const {
        const Sequences checked = check(x, y, sequences, {"forward", "x", "y"});
        const std::size_t bytes = self().product_workspace(checked.batch());
        with_rows<Update::assign>(x, y, checked, bytes, ws, [&](ConstView from, View to) {
            if constexpr (std::is_same_v<typename D::Cache, NoCache>) {
                self().template product<Direction::forward, Update::assign>(from, to, checked, ws);
            } else {
                self().forward_product(from, to, cache, checked, ws);
            }
        });
    }

    /// dx = Tᵀ g, and dkernel += the gradient of ⟨g, T x⟩ with respect to the kernel, for the x and the
    /// sequences of a forward call.
    /// \throws as apply, and shape_error 501 (dkernel), 507 (the cache of other sequences)
    /// heap: none with a reserved workspace | thread-safe: yes, with distinct dkernel
    template <class D = Derived>
    void backward(ConstView x, const typename D::Cache& cache, ConstView g, View dx,
                  const typename D::KernelValues& dkernel, Workspace& ws,
                  const Sequences& sequences = {}) const {
        const Sequences checked = check(x, g, sequences, {"backward", "x", "g"}, Apart::any);
        static_cast<void>(check(g, dx, checked, {"backward", "g", "dx"}));
        const std::size_t bytes =
            (std::max)(self().product_workspace(checked.batch()), self().gradient_workspace(checked.batch()));
        ws.reserve(bytes + strided_bytes(x) + strided_bytes(g) + strided_bytes(dx));
        Workspace::Scope scope(ws);
        x = readable(x, scope);
        with_rows<Update::assign>(g, dx, checked, bytes, ws, [&](ConstView from, View to) {
            if constexpr (std::is_same_v<typename D::Cache, NoCache>) {
                self().template product<Direction::adjoint, Update::assign>(from, to, checked, ws);
                self().kernel_gradient(x, from, dkernel, checked, ws);
            } else {
                self().backward_product(x, cache, from, to, dkernel, checked, ws);
            }
        });
    }

    /// dkernel += the gradient of ⟨g, T x⟩ with respect to the kernel, without a forward call before it.
    /// \throws shape_error 501 to 503, 210 to 212
    template <class D = Derived>
    void accumulate_kernel_gradient(ConstView x, ConstView g, const typename D::KernelValues& dkernel,
                                    Workspace& ws, const Sequences& sequences = {}) const {
        const Sequences checked =
            check(x, g, sequences, {"accumulate_kernel_gradient", "x", "g"}, Apart::any);
        ws.reserve(self().gradient_workspace(checked.batch()) + strided_bytes(x) + strided_bytes(g));
        Workspace::Scope scope(ws);
        self().kernel_gradient(readable(x, scope), readable(g, scope), dkernel, checked, ws);
    }

    /// The operator of Tᵀ, a view of this one.
    auto transpose() const noexcept { return Transpose<Derived>(self()); }

protected:
    Operator() = default;

    /// \throws config_error 201 or 202
    Operator(Index length, Index channels) : length_(length), channels_(channels) {
        detail::require_positive(length, Derived::name, "length");
        detail::require_positive(channels, Derived::name, "channels");
        check_sizes(1);
    }

    /// Throws config_error 202 unless every size computed from B, n and d is an Index, 2n lags of complex
    /// numbers included.
    void check_sizes(Index batch) const {
        using detail::checked_product;
        const Index size = checked_product(length_, channels_, Derived::name);
        checked_product(checked_product(batch, size, Derived::name), 64 * static_cast<Index>(sizeof(Scalar)),
                        Derived::name);
    }

    /// A matrix with neighbouring channels: itself, or a copy.
    template <class T>
    static MatrixView<const T> readable(MatrixView<const T> x, Workspace::Scope& scope) {
        if (x.has_contiguous_rows()) return x;
        const MatrixView<T> copy = scope.template matrix<T>(x.rows(), x.cols());
        detail::copy_blocked<T>(x, copy);
        return copy;
    }

private:
    /// A public function, and the names of its two sequences, for messages.
    struct Call {
        const char* function;
        const char* from;
        const char* to;
    };
    /// Whether two arguments may share memory.
    enum class Apart { always, any };

    [[noreturn]] static void refuse(int id, const Call& call, std::string_view expected,
                                    std::string_view got) {
        detail::raise<shape_error>(id, detail::text(Derived::name, "::", call.function), expected, got);
    }

    const Derived& self() const noexcept { return static_cast<const Derived&>(*this); }

    /// The sequences of two equally shaped arguments; checks all that apply promises to check.
    Sequences check(ConstView x, ConstView y, const Sequences& sequences, const Call& call,
                    Apart apart = Apart::always) const {
        if (x.cols() != channels_ || (sequences.batch() < 0 && x.rows() % length_ != 0)) {
            refuse(502, call, detail::text(call.from, " of (B*", length_, ")×", channels_),
                   detail::shape_text(x.rows(), x.cols()));
        }
        if (y.rows() != x.rows() || y.cols() != x.cols()) {
            refuse(503, call, detail::text(call.to, " of ", detail::shape_text(x.rows(), x.cols())),
                   detail::shape_text(y.rows(), y.cols()));
        }
        if (apart == Apart::always && detail::overlap<Scalar>(x, y)) {
            refuse(504, call, detail::text(call.from, " and ", call.to, " apart in memory"), "an overlap");
        }
        const Sequences checked = sequences.within(x.rows(), length_, Derived::name);
        if constexpr (!requires { Derived::takes_images; }) checked.require_one_axis(Derived::name);
        return checked;
    }

    std::size_t copy_bytes(Index rows) const noexcept {
        return Workspace::bytes_for<Scalar>(rows * channels_);
    }
    std::size_t strided_bytes(ConstView x) const noexcept {
        return x.has_contiguous_rows() ? 0 : copy_bytes(x.rows());
    }

    /// f(x, y) with neighbouring channels, and `bytes` of workspace left; clears y beyond the lengths where
    /// it is assigned.
    template <Update update, class F>
    void with_rows(ConstView x, View y, const Sequences& sequences, std::size_t bytes, Workspace& ws,
                   F&& f) const {
        ws.reserve(bytes + strided_bytes(x) + strided_bytes(y));
        Workspace::Scope scope(ws);
        x = readable(x, scope);
        if (y.has_contiguous_rows()) {
            f(x, y);
            if constexpr (update == Update::assign) detail::clear_padding(y, sequences);
            return;
        }
        const View copy = scope.template matrix<Scalar>(y.rows(), y.cols());
        if (update == Update::add || sequences.has_gaps()) detail::copy_blocked<Scalar>(y, copy);
        f(x, copy);
        if constexpr (update == Update::assign) detail::clear_padding(copy, sequences);
        detail::copy_blocked<Scalar>(copy, y);
    }

    template <Direction direction, Update update>
    void run(ConstView x, View y, Workspace& ws, const Sequences& sequences, const Call& call) const {
        const Sequences checked = check(x, y, sequences, call);
        const std::size_t bytes = self().product_workspace(checked.batch());
        with_rows<update>(x, y, checked, bytes, ws, [&](ConstView from, View to) {
            self().template product<direction, update>(from, to, checked, ws);
        });
    }

    Index length_ = 0;
    Index channels_ = 0;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
