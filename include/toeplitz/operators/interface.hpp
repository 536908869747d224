// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The contract of an operator, and what all operators share: checks, batches, lengths and strides.

#include <algorithm>
#include <cmath>

#include <toeplitz/core/view.hpp>
#include <toeplitz/core/workspace.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// A linear map y = T x, channel by channel, on sequences of a fixed length; T is defined by a Kernel.
///
/// Sequences are (B·n) × d: B sequences of n time steps stacked, B taken from the rows of x.
/// * `apply(x, y, ws)`: y = T x. `apply_adjoint(g, dx, ws)`: dx = Tᵀ g.
/// * `accumulate_kernel_gradient(x, g, dkernel, ws)`: dkernel += ∂⟨g, T x⟩/∂kernel, summed over the batch.
/// * `set_kernel(kernel)`: replaces T and reuses the memory; the only member that is not const.
/// Const members may run at the same time on one object with distinct workspaces. They allocate nothing once
/// the workspace has `required_workspace(batch)` bytes, take no lock and plan nothing.
template <class Op>
concept ToeplitzOperator = requires(const Op& op, Op& mutable_op, const typename Op::Kernel& kernel,
                                    MatrixView<const typename Op::Scalar> x,
                                    MatrixView<typename Op::Scalar> y, typename Op::Kernel& gradient,
                                    Workspace& ws) {
    { op.length() } -> std::convertible_to<Index>;
    { op.channels() } -> std::convertible_to<Index>;
    { op.required_workspace(Index{1}) } -> std::convertible_to<std::size_t>;
    op.apply(x, y, ws);
    op.apply_adjoint(x, y, ws);
    op.accumulate_kernel_gradient(x, x, gradient, ws);
    mutable_op.set_kernel(kernel);
};

/// How the channels of a time step lie in memory: neighbours, or with any other stride.
enum class Layout { row_major, strided };

template <class Op>
class Transpose;

namespace detail {

/// B sequences of one length, of which the first `rows(b)` time steps are valid.
struct Batch {
    Index size = 1;
    Index length = 0;
    Lengths lengths{};

    Index rows(Index b) const noexcept {
        return lengths.empty() ? length : lengths[static_cast<std::size_t>(b)];
    }
};

/// Rows of channels that are neighbours.
template <class T>
struct Rows {
    T* data;
    Index stride;

    T* row(Index i) const noexcept { return data + i * stride; }
};

/// to = from, in blocks that keep both sides in cache when their storage orders differ.
template <class T>
void copy_blocked(MatrixView<const T> from, MatrixView<T> to) {
    constexpr Index block = 32;
    for (Index i0 = 0; i0 < from.rows(); i0 += block) {
        const Index i1 = std::min(i0 + block, from.rows());
        for (Index j0 = 0; j0 < from.cols(); j0 += block) {
            const Index j1 = std::min(j0 + block, from.cols());
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

/// A number minus itself is zero unless it is a NaN or an infinity; real or complex.
template <class T>
TOEPLITZ_INLINE bool is_finite(const T& value) noexcept {
    return value - value == T(0);
}

/// Throws value_error 530 unless every element is finite; names the row as `first_row + i`.
template <class T>
void require_finite(MatrixView<const T> kernel, const char* where, const char* row_name, Index first_row) {
    for (Index i = 0; i < kernel.rows(); ++i) {
        // Whole rows without a branch, so that the check costs no more than reading the kernel.
        int bad = 0;
        if (kernel.has_contiguous_rows()) {
            const T* row = kernel.row(i);
            for (Index j = 0; j < kernel.cols(); ++j) bad |= !is_finite(row[j]);
        } else {
            for (Index j = 0; j < kernel.cols(); ++j) bad |= !is_finite(kernel(i, j));
        }
        for (Index j = 0; bad != 0 && j < kernel.cols(); ++j) {
            if (!is_finite(kernel(i, j))) {
                raise<value_error>(
                    530, where, "a finite kernel",
                    text("a NaN or an infinity at ", row_name, " ", first_row + i, ", channel ", j));
            }
        }
    }
}

/// Throws shape_error 501 unless the kernel has the wanted shape.
inline void require_kernel_shape(Index rows, Index cols, Index wanted_rows, Index wanted_cols,
                                 const char* where) {
    if (rows != wanted_rows || cols != wanted_cols) {
        raise<shape_error>(501, where, text("a kernel of ", shape_text(wanted_rows, wanted_cols)),
                           shape_text(rows, cols));
    }
}

/// A public function of an operator and the names of its two sequences, for messages.
struct Call {
    const char* function;
    const char* from;
    const char* to;
};

/// The public products of an operator, from three functions of Derived and its `name`:
/// * `product<direction, update>(Rows x, Rows y, Batch, Workspace&)`,
/// * `product_workspace(batch)` and `gradient_workspace(batch)`: bytes that they take.
/// x and y have neighbouring channels there, shapes are right, and rows beyond a length are not touched.
template <class Derived, class ScalarType>
class OperatorBase {
public:
    using Scalar = ScalarType;
    using ConstView = MatrixView<const Scalar>;
    using View = MatrixView<Scalar>;

    /// Time steps n of a sequence.
    Index length() const noexcept { return length_; }
    /// Channels d.
    Index channels() const noexcept { return channels_; }

    /// Bytes that a call on a batch of B sequences takes from its workspace, with the threads available now.
    std::size_t required_workspace(Index batch = 1, Layout layout = Layout::row_major) const {
        const std::size_t copies = layout == Layout::strided ? 2 * copy_bytes(batch) : 0;
        return copies + std::max(self().product_workspace(batch), self().gradient_workspace(batch));
    }

    /// y = T x for each of B stacked sequences.
    ///
    /// With `lengths`, sequence b has lengths[b] ≤ n valid time steps: later ones influence nothing, whatever
    /// they hold, and the y there is zero.
    /// \param x, y (B·n) × d; any strides (others than neighbouring channels cost a copy); no shared memory
    /// \throws shape_error 502 to 506
    /// heap: none with a reserved workspace | thread-safe: yes, with distinct workspaces | same bits for any
    /// number of threads
    void apply(ConstView x, View y, Workspace& ws, Lengths lengths = {}) const {
        run<Direction::forward, Update::assign>(x, y, ws, lengths);
    }
    /// dx = Tᵀ g. As apply.
    void apply_adjoint(ConstView g, View dx, Workspace& ws, Lengths lengths = {}) const {
        run<Direction::adjoint, Update::assign>(g, dx, ws, lengths);
    }
    /// y += T x. As apply; y beyond a length stays.
    void accumulate(ConstView x, View y, Workspace& ws, Lengths lengths = {}) const {
        run<Direction::forward, Update::add>(x, y, ws, lengths);
    }
    /// dx += Tᵀ g. As apply; dx beyond a length stays.
    void accumulate_adjoint(ConstView g, View dx, Workspace& ws, Lengths lengths = {}) const {
        run<Direction::adjoint, Update::add>(g, dx, ws, lengths);
    }

    /// What backward needs of a forward call beside x: nothing, unless an operator says otherwise.
    struct Cache {};

    /// y = T x as apply, and keeps in `cache` what backward needs.
    template <class Kept>
    void forward(ConstView x, View y, Kept& /*cache*/, Workspace& ws, Lengths lengths = {}) const {
        apply(x, y, ws, lengths);
    }

    /// dx = Tᵀ g, and dkernel += the gradient of ⟨g, T x⟩ with respect to the kernel, for the x of a forward
    /// call with the same lengths.
    template <class Kept, class KernelGradient>
    void backward(ConstView x, const Kept& /*cache*/, ConstView g, View dx, KernelGradient&& dkernel,
                  Workspace& ws, Lengths lengths = {}) const {
        apply_adjoint(g, dx, ws, lengths);
        self().accumulate_kernel_gradient(x, g, dkernel, ws, lengths);
    }

    /// The operator of Tᵀ, a view of this one.
    auto transpose() const noexcept { return Transpose<Derived>(self()); }

protected:
    OperatorBase() = default;

    /// \throws config_error 201 or 202
    OperatorBase(Index length, Index channels) : length_(length), channels_(channels) {
        require_positive(length, Derived::name, "length");
        require_positive(channels, Derived::name, "channels");
        // Bounds every size computed from n and d, 2n lags of complex numbers included.
        checked_product(checked_product(length, channels, Derived::name),
                        64 * static_cast<Index>(sizeof(Scalar)), Derived::name);
    }

    /// The batch of two equally shaped sequences; checks all that apply promises to check.
    Batch check(ConstView x, ConstView y, Lengths lengths, const Call& call) const {
        if (x.cols() != channels_ || x.rows() < length_ || x.rows() % length_ != 0) {
            refuse(502, call, text(call.from, " of (B*", length_, ")×", channels_, ", B >= 1"),
                   shape_text(x.rows(), x.cols()));
        }
        if (y.rows() != x.rows() || y.cols() != x.cols()) {
            refuse(503, call, text(call.to, " of ", shape_text(x.rows(), x.cols())),
                   shape_text(y.rows(), y.cols()));
        }
        const Batch batch{x.rows() / length_, length_, lengths};
        if (!lengths.empty() && static_cast<Index>(lengths.size()) != batch.size) {
            refuse(505, call, text(batch.size, " lengths"), std::to_string(lengths.size()));
        }
        for (const Index rows : lengths) {
            if (rows < 0 || rows > length_) {
                refuse(506, call, text("lengths of 0..", length_), std::to_string(rows));
            }
        }
        return batch;
    }

    static constexpr Call gradient_call{"accumulate_kernel_gradient", "x", "g"};

    /// x itself, or a copy with neighbouring channels.
    static Rows<const Scalar> readable(ConstView x, Workspace::Scope& scope) {
        if (x.has_contiguous_rows()) return {x.data(), x.row_stride()};
        Scalar* copy = scope.take<Scalar>(x.size());
        copy_blocked<Scalar>(x, View(copy, x.rows(), x.cols()));
        return {copy, x.cols()};
    }

    /// Bytes of the copies that strided arguments need.
    std::size_t strided_bytes(Index batch, ConstView a, ConstView b) const {
        const int copies = (a.has_contiguous_rows() ? 0 : 1) + (b.has_contiguous_rows() ? 0 : 1);
        return static_cast<std::size_t>(copies) * copy_bytes(batch);
    }

    /// Checks the arguments of a kernel gradient and calls f(x, g, batch) with neighbouring channels.
    template <class F>
    void with_gradient_arguments(ConstView x, ConstView g, Lengths lengths, Workspace& ws, F&& f) const {
        const Batch batch = check(x, g, lengths, gradient_call);
        ws.reserve(self().gradient_workspace(batch.size) + strided_bytes(batch.size, x, g));
        Workspace::Scope scope(ws);
        const Rows<const Scalar> x_rows = readable(x, scope);
        const Rows<const Scalar> g_rows = readable(g, scope);
        f(x_rows, g_rows, batch);
    }

    /// Checks the arguments of a product, both with neighbouring channels, and calls f(x, y, batch); clears y
    /// beyond the lengths.
    template <class F>
    void with_product_arguments(ConstView x, View y, Lengths lengths, const Call& call, Workspace& ws,
                                F&& f) const {
        const Batch batch = check(x, y, lengths, call);
        require_apart(x, y, call);
        ws.reserve(self().product_workspace(batch.size));
        f(Rows<const Scalar>{x.data(), x.row_stride()}, Rows<Scalar>{y.data(), y.row_stride()}, batch);
        clear_padding({y.data(), y.row_stride()}, batch);
    }

private:
    static constexpr Call product_call(Direction direction, Update update) noexcept {
        if (direction == Direction::forward) {
            return {update == Update::assign ? "apply" : "accumulate", "x", "y"};
        }
        return {update == Update::assign ? "apply_adjoint" : "accumulate_adjoint", "g", "dx"};
    }

    [[noreturn]] static void refuse(int id, const Call& call, std::string_view expected,
                                    std::string_view got) {
        raise<shape_error>(id, text(Derived::name, "::", call.function), expected, got);
    }

    const Derived& self() const noexcept { return static_cast<const Derived&>(*this); }

    std::size_t copy_bytes(Index batch) const noexcept {
        return Workspace::bytes_for<Scalar>(batch * length_ * channels_);
    }

    template <Direction direction, Update update>
    void run(ConstView x, View y, Workspace& ws, Lengths lengths) const {
        constexpr Call call = product_call(direction, update);
        const Batch batch = check(x, y, lengths, call);
        require_apart(x, y, call);
        ws.reserve(self().product_workspace(batch.size) + strided_bytes(batch.size, x, y));
        Workspace::Scope scope(ws);
        const Rows<const Scalar> x_rows = readable(x, scope);
        if (y.has_contiguous_rows()) {
            run_rows<direction, update>(x_rows, {y.data(), y.row_stride()}, batch, ws);
            return;
        }
        const View copy(scope.template take<Scalar>(y.size()), y.rows(), y.cols());
        if constexpr (update == Update::add) copy_blocked<Scalar>(y, copy);
        run_rows<direction, update>(x_rows, {copy.data(), copy.cols()}, batch, ws);
        copy_blocked<Scalar>(copy, y);
    }

    template <Direction direction, Update update>
    void run_rows(Rows<const Scalar> x, Rows<Scalar> y, const Batch& batch, Workspace& ws) const {
        self().template product<direction, update>(x, y, batch, ws);
        if constexpr (update == Update::assign) clear_padding(y, batch);
    }

    void require_apart(ConstView x, ConstView y, const Call& call) const {
        if (overlap<Scalar>(x, y)) {
            refuse(504, call, text(call.from, " and ", call.to, " apart in memory"), "an overlap");
        }
    }

    void clear_padding(Rows<Scalar> y, const Batch& batch) const {
        for (Index b = 0; b < batch.size && !batch.lengths.empty(); ++b) {
            for (Index i = batch.rows(b); i < length_; ++i) {
                std::fill_n(y.row(b * length_ + i), channels_, Scalar(0));
            }
        }
    }

    Index length_ = 0;
    Index channels_ = 0;
};

}  // namespace detail

/// The transposed operator: a view, valid as long as the operator it came from.
template <class Op>
class Transpose {
public:
    using Scalar = typename Op::Scalar;

    explicit Transpose(const Op& op) noexcept : op_(&op) {}

    Index length() const noexcept { return op_->length(); }
    Index channels() const noexcept { return op_->channels(); }
    std::size_t required_workspace(Index batch = 1, Layout layout = Layout::row_major) const {
        return op_->required_workspace(batch, layout);
    }
    void apply(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws, Lengths lengths = {}) const {
        op_->apply_adjoint(x, y, ws, lengths);
    }
    void apply_adjoint(MatrixView<const Scalar> g, MatrixView<Scalar> dx, Workspace& ws,
                       Lengths lengths = {}) const {
        op_->apply(g, dx, ws, lengths);
    }
    const Op& transpose() const noexcept { return *op_; }

private:
    const Op* op_;
};

/// What can be applied: an operator or the transpose of one.
template <class Op>
concept Applicable = requires(const Op& op, MatrixView<const typename Op::Scalar> x,
                              MatrixView<typename Op::Scalar> y, Workspace& ws) {
    op.apply(x, y, ws);
    op.transpose();
};

/// T x, for convenience: allocates the result and a workspace at each call.
template <Applicable Op>
Matrix<typename Op::Scalar> operator*(const Op& op, MatrixView<const typename Op::Scalar> x) {
    Matrix<typename Op::Scalar> y(x.rows(), x.cols());
    Workspace ws;
    op.apply(x, y, ws);
    return y;
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
