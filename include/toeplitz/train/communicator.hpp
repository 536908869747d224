// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The processes that share a training run, and the order in which the gradients of all shards are added up:
/// a balanced binary tree that the number of shards alone decides, whoever holds them.

#include <algorithm>
#include <span>
#include <type_traits>
#include <vector>

#include <toeplitz/core/parameter.hpp>
#include <toeplitz/train/element_blocks.hpp>
#include <toeplitz/train/part.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

namespace detail {

/// One addition of the tree: the sum of the shards left..right−1, which lies where `left` does, takes that of
/// right..end−1.
struct ShardMerge {
    Index left;
    Index right;
    Index end;

    bool lies_in(IndexRange shards) const noexcept { return left >= shards.first && end <= shards.last; }
};

/// All additions, in an order that has what each of them needs before it. Afterwards shard 0 has the sum.
inline std::vector<ShardMerge> shard_merges(Index shards) {
    std::vector<ShardMerge> merges;
    for (Index stride = 1; stride < shards; stride *= 2) {
        for (Index left = 0; left + stride < shards; left += 2 * stride) {
            merges.push_back({left, left + stride, (std::min)(left + 2 * stride, shards)});
        }
    }
    return merges;
}

}  // namespace detail

/// The gradients of one process: of each of its shards all tensors, in the order of the visit. A process
/// without shards has the tensors of one set, for the result.
class ShardTensors {
public:
    using Merges = std::vector<detail::ShardMerge>;  ///< sums of two neighbours, in their order

    ShardTensors() = default;
    /// Of `shards` altogether those in `own`.
    ShardTensors(Index shards, IndexRange own) : shards_(shards), own_(own) {
        for (const detail::ShardMerge& merge : detail::shard_merges(shards)) {
            if (merge.lies_in(own)) merges_.push_back(merge);
        }
    }

    /// Takes the tensors of some sets, one for each own shard, in place of those before. None is finished.
    template <ParameterSet P>
    void refer_to(const std::vector<P>& sets) {
        tensors_.clear();
        for (const P& set : sets) {
            detail::for_each_tensor(
                [&](const ParameterName&, const detail::TensorRef* tensor) { tensors_.push_back(*tensor); },
                set);
        }
        count_ = static_cast<Index>(tensors_.size() / sets.size());
        is_finished_.assign(tensors_.size(), false);
        first_finished_ = count_;
    }

    /// Nothing will be added to a tensor of a shard any more. Returns the first of those at the end of the
    /// sets that this holds of in all own shards. Each tensor once: returns −1 for one that was finished
    /// before, or belongs to none of them.
    Index finish(Index shard, const detail::TensorRef& finished) {
        const auto is_same = [&](const detail::TensorRef& own) { return own.has_memory_of(finished); };
        const auto begin = tensors_.begin() + (shard - own_.first) * count_;
        const auto found = std::find_if(begin, begin + count_, is_same);
        const auto place = static_cast<std::size_t>(found - tensors_.begin());
        if (found == begin + count_ || is_finished_[place]) return -1;
        is_finished_[place] = true;
        const auto is_finished = [&](Index i) {
            if (result(i).size() == 0) return true;
            for (Index s = 0; s < own_.size(); ++s) {
                if (!is_finished_[static_cast<std::size_t>(s * count_ + i)]) return false;
            }
            return true;
        };
        while (first_finished_ > 0 && is_finished(first_finished_ - 1)) --first_finished_;
        return first_finished_;
    }

    Index shards() const noexcept { return shards_; }
    /// The shards of this process.
    IndexRange own() const noexcept { return own_; }
    /// Tensors of a set.
    Index count() const noexcept { return count_; }
    /// Of a shard in `own`.
    const detail::TensorRef& tensor(Index shard, Index i) const noexcept {
        return tensors_[static_cast<std::size_t>((shard - own_.first) * count_ + i)];
    }
    /// Where the sum over all shards belongs.
    const detail::TensorRef& result(Index i) const noexcept { return tensors_[static_cast<std::size_t>(i)]; }

    /// Does those additions of the tree that need own shards alone, for some elements of a tensor.
    template <Real Scalar>
    void add_own(Index i, Index first, Index count) const {
        for (const detail::ShardMerge& merge : merges_) {
            Scalar* const sum = tensor(merge.left, i).data<Scalar>() + first;
            const Scalar* const part = tensor(merge.right, i).data<Scalar>() + first;
            for (Index j = 0; j < count; ++j) sum[j] += part[j];
        }
    }

private:
    Index shards_ = 0;
    IndexRange own_;
    Index count_ = 0;
    Merges merges_;  ///< those within `own`
    std::vector<detail::TensorRef> tensors_;
    std::vector<bool> is_finished_;
    Index first_finished_ = 0;  ///< it and those after it are, in all shards
};

/// The processes that share a training run, as one of them sees them. This one is alone. MpiCommunicator
/// (adapt/mpi.hpp) knows others, and so may a class of yours, which then replaces all virtual members.
///
/// Work is dealt out by share(): shards of a batch, sequences to validate on. All processes call the same
/// members in the same order.
class Communicator {
public:
    Communicator() = default;
    virtual ~Communicator() = default;
    Communicator(const Communicator&) = delete;
    Communicator& operator=(const Communicator&) = delete;

    /// This process, 0..size()−1.
    virtual Index rank() const noexcept { return 0; }
    virtual Index size() const noexcept { return 1; }
    /// Who prints and writes files.
    bool is_first() const noexcept { return rank() == 0; }
    /// This process's part of 0..items−1.
    IndexRange share(Index items) const noexcept { return part_of(items, rank(), size()); }

    /// Of an array that all processes have, each has filled in its share; then all have all of it.
    /// Cost the bytes to every process | thread-safe: no
    template <class T, std::size_t extent>
    void all_gather(std::span<T, extent> all) {
        static_assert(std::is_trivially_copyable_v<T>, "toeplitz: items are sent as bytes.");
        gather(std::as_writable_bytes(all), sizeof(T));
    }
    /// Whether `flag` is true in any process: a decision that all must take alike.
    bool any(bool flag) {
        bool found = false;
        flags_.assign(static_cast<std::size_t>(size()), 0);
        flags_[static_cast<std::size_t>(rank())] = flag ? 1 : 0;
        all_gather(std::span(flags_));
        for (const unsigned char one : flags_) found = found || one != 0;
        return found;
    }

    /// The result of the tensors, in every process, is their sum over all shards: the tree of shard_merges
    /// for each element. What the tensors of the other shards hold afterwards is not specified.
    /// Cost O(own shards · elements), and what is sent | heap: at the first call | thread-safe: no
    virtual void sum_shards(const ShardTensors& tensors) {
        for (Index i = 0; i < tensors.count(); ++i) {
            tensors.result(i).with_data([&]<class Scalar>(Scalar*) {
                detail::for_each_block(
                    tensors.result(i).size(), tensors.own().size(),
                    [&](Index first, Index count) { tensors.add_own<Scalar>(i, first, count); });
            });
        }
    }

    /// Tensors first..count()−1 are finished: their sum may begin. Does what needs no waiting for others;
    /// sum_shards of the same tensors follows, in every process.
    virtual void begin_sum(const ShardTensors& /*tensors*/, Index /*first*/) {}

    /// What this process has sent to others so far; how it travels is not counted.
    virtual std::uint64_t bytes_sent() const noexcept { return 0; }

protected:
    /// Of items of some bytes each, this process has filled in share(items); then all are there.
    virtual void gather(std::span<std::byte> /*all*/, std::size_t /*item_bytes*/) {}

private:
    std::vector<unsigned char> flags_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
