// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Training over several processes by MPI, version 3 or later. Link toeplitz::mpi.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <mpi.h>

#include <toeplitz/train/communicator.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

namespace detail {

/// \throws train_error 610 unless a call of MPI has succeeded
inline void require_mpi(int code, const char* call) {
    if (code == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING + 1] = {};
    int length = 0;
    MPI_Error_string(code, text, &length);
    raise<train_error>(610, "MpiCommunicator", detail::text(call, " to succeed"), in_quotes(text));
}

/// Memory for elements of any tensor.
class MpiBuffer {
public:
    /// Room for so many bytes; what was there may be lost.
    void reserve(std::size_t bytes) {
        if (bytes_.size() < bytes) bytes_.resize(bytes);
    }
    template <Real Scalar>
    Scalar* data() noexcept {
        return reinterpret_cast<Scalar*>(bytes_.data());
    }
    void* bytes() noexcept { return bytes_.data(); }

private:
    std::vector<std::byte> bytes_;
};

/// Which partial sums meet between processes: each has added up what the tree lets it add up alone, and the
/// rest of the tree is the same for every element.
struct MpiSumPlan {
    struct Merge {
        Index left;
        Index right;
    };
    Index shards = 0;
    std::vector<std::vector<Index>> own_nodes;  ///< of each process: shards that its partial sums lie at
    std::vector<Index> first_node;              ///< of each process among all of them, and their number
    std::vector<Merge> merges;                  ///< of partial sums, by their places among all of them

    Index nodes() const noexcept { return first_node.back(); }
    Index nodes_of(Index rank) const noexcept {
        return static_cast<Index>(own_nodes[static_cast<std::size_t>(rank)].size());
    }

    MpiSumPlan() = default;
    MpiSumPlan(Index count, Index processes) : shards(count) {
        const std::vector<ShardMerge> all = shard_merges(shards);
        std::vector<Index> place(static_cast<std::size_t>(shards), 0);
        std::vector<bool> is_merged(static_cast<std::size_t>(shards), false);
        std::vector<bool> is_done(all.size(), false);
        for (Index rank = 0; rank < processes; ++rank) {
            const IndexRange own = part_of(shards, rank, processes);
            for (std::size_t i = 0; i < all.size(); ++i) {
                if (!all[i].lies_in(own)) continue;
                is_done[i] = true;
                is_merged[static_cast<std::size_t>(all[i].right)] = true;
            }
        }
        Index node = 0;
        for (Index rank = 0; rank < processes; ++rank) {
            const IndexRange own = part_of(shards, rank, processes);
            first_node.push_back(node);
            own_nodes.emplace_back();
            for (Index shard = own.first; shard < own.last; ++shard) {
                if (is_merged[static_cast<std::size_t>(shard)]) continue;
                own_nodes.back().push_back(shard);
                place[static_cast<std::size_t>(shard)] = node++;
            }
        }
        first_node.push_back(node);
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (is_done[i]) continue;
            merges.push_back({place[static_cast<std::size_t>(all[i].left)],
                              place[static_cast<std::size_t>(all[i].right)]});
        }
    }
};

}  // namespace detail

/// MPI, from construction to destruction; where it runs already, this does nothing. One per program, in the
/// thread that trains.
class MpiSession {
public:
    /// \throws train_error 610
    MpiSession() {
        int is_running = 0;
        MPI_Initialized(&is_running);
        if (is_running != 0) return;
        int provided = 0;
        detail::require_mpi(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided),
                            "MPI_Init_thread");
        is_ours_ = true;
    }
    ~MpiSession() {
        if (is_ours_) MPI_Finalize();
    }
    MpiSession(const MpiSession&) = delete;
    MpiSession& operator=(const MpiSession&) = delete;

private:
    bool is_ours_ = false;
};

struct MpiOptions {
    Index bucket_bytes = Index{4} << 20;  ///< gradients travel in messages of about this size

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("bucket_bytes", sets.bucket_bytes...);
    }
};

/// The processes of an MPI communicator.
///
///     const MpiSession session;
///     MpiCommunicator processes;
///     try {
///         Trainer<P> trainer(parameters, options, processes);
///         …
///         processes.finish();
///     } catch (const std::exception& error) {
///         processes.abort(error.what(), [](const char* text) { std::fprintf(stderr, "%s\n", text); });
///     }
///
/// Process 0 sees while it waits for others that one of them has called abort(), and throws train_error 611.
class MpiCommunicator : public Communicator {
public:
    /// Collective.
    /// \throws config_error 612 (options), train_error 610
    explicit MpiCommunicator(MPI_Comm processes = MPI_COMM_WORLD, const MpiOptions& options = {}) {
        if (options.bucket_bytes < 1) {
            detail::raise<config_error>(612, "MpiCommunicator", "bucket_bytes >= 1",
                                        std::to_string(options.bucket_bytes));
        }
        options_ = options;
        for (MPI_Comm* const own : {&data_, &results_, &failures_}) {
            detail::require_mpi(MPI_Comm_dup(processes, own), "MPI_Comm_dup");
            MPI_Comm_set_errhandler(*own, MPI_ERRORS_RETURN);
        }
        int number = 0;
        MPI_Comm_rank(data_, &number);
        rank_ = number;
        MPI_Comm_size(data_, &number);
        size_ = number;
    }
    ~MpiCommunicator() override {
        // All are collective: where processes part in disorder, nothing waits.
        if (!is_finished_) return;
        for (MPI_Comm* const own : {&data_, &results_, &failures_}) MPI_Comm_free(own);
    }

    Index rank() const noexcept override { return rank_; }
    Index size() const noexcept override { return size_; }
    std::uint64_t bytes_sent() const noexcept override { return bytes_sent_; }
    const MpiOptions& options() const noexcept { return options_; }

    /// Processes on the machine of this one. Collective.
    Index size_on_this_machine() const {
        MPI_Comm machine = MPI_COMM_NULL;
        detail::require_mpi(MPI_Comm_split_type(data_, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine),
                            "MPI_Comm_split_type");
        int number = 0;
        MPI_Comm_size(machine, &number);
        MPI_Comm_free(&machine);
        return number;
    }

    /// Every element's sum is computed by one process, from the partial sums of all, and sent to all: of G
    /// bytes of gradients and R processes each sends about 2 G (R − 1)/R, more where shards do not divide
    /// into equal powers of two. \throws train_error 610, 611
    void sum_shards(const ShardTensors& tensors) override {
        if (size_ == 1) return Communicator::sum_shards(tensors);
        begin_sum(tensors, 0);
        const auto is_complete = [&] {
            return sum_.tensor == 0 && sum_.left == 0 && sum_.taken == sum_.scattered;
        };
        for (int looks = 0; !is_complete(); looks = advance(tensors) ? 0 : looks + 1) pause(looks);
        is_summing_ = false;
    }

    /// Sends the buckets that are full. \throws train_error 610
    void begin_sum(const ShardTensors& tensors, Index first) override {
        if (size_ == 1) return;
        if (plan_.shards != tensors.shards()) plan_ = detail::MpiSumPlan(tensors.shards(), size_);
        if (!is_summing_) sum_ = {.tensor = tensors.count()};
        is_summing_ = true;
        sum_.finished = first;
        while (advance(tensors)) continue;
    }

    /// Waits until all are here: the end of a run that has gone well, in every process.
    /// \throws train_error 610, 611
    void finish() {
        MPI_Request request = MPI_REQUEST_NULL;
        detail::require_mpi(MPI_Ibarrier(data_, &request), "MPI_Ibarrier");
        wait(request);
        is_finished_ = true;
    }

    /// Ends the run of all processes, with exit code 1, because of an error in this one. report(text) is
    /// called in one process: in this one if it is process 0. Process 0 hears of errors in others where it
    /// waits for them, and has half a minute to get there.
    template <class Report>
    [[noreturn]] void abort(const std::string& text, Report&& report) {
        if (rank_ != 0) {
            MPI_Request request = MPI_REQUEST_NULL;
            const std::size_t length = (std::min)(text.size(), most_text);
            MPI_Isend(text.data(), static_cast<int>(length), MPI_CHAR, 0, failure_tag, failures_, &request);
            const auto start = std::chrono::steady_clock::now();
            while (std::chrono::steady_clock::now() - start < std::chrono::seconds(30)) {
                int done = 0;
                MPI_Test(&request, &done, MPI_STATUS_IGNORE);
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
        }
        report(text.c_str());
        MPI_Abort(failures_, 1);
        std::terminate();
    }

protected:
    void gather(std::span<std::byte> all, std::size_t item_bytes) override {
        if (size_ == 1) return;
        const Index items = static_cast<Index>(all.size() / item_bytes);
        const Index bytes = static_cast<Index>(item_bytes);
        if (static_cast<Index>(all.size()) > most_elements) {
            detail::raise<train_error>(610, "MpiCommunicator::all_gather",
                                       detail::text("at most ", most_elements, " bytes"),
                                       detail::text(all.size()));
        }
        counts_.assign(2 * static_cast<std::size_t>(size_), 0);
        int* const counts = counts_.data();
        int* const places = counts + size_;
        for (Index r = 0; r < size_; ++r) {
            const IndexRange part = part_of(items, r, size_);
            counts[r] = static_cast<int>(part.size() * bytes);
            places[r] = static_cast<int>(part.first * bytes);
        }
        MPI_Request request = MPI_REQUEST_NULL;
        detail::require_mpi(MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all.data(), counts, places,
                                            MPI_BYTE, data_, &request),
                            "MPI_Iallgatherv");
        wait(request);
        bytes_sent_ += static_cast<std::uint64_t>(counts[rank_] * (size_ - 1));
    }

private:
    static constexpr int failure_tag = 1;
    static constexpr std::size_t most_text = 4096;
    static constexpr Index most_elements = (std::numeric_limits<int>::max)();

    /// A run of elements of a tensor in a bucket.
    struct Piece {
        Index tensor;
        Index first;
        Index count;
    };
    /// How far a sum has come, going backwards, as gradients are finished.
    struct Sum {
        Index tensor = 0;     ///< the last one with elements that no bucket has,
        Index left = 0;       ///< and how many
        Index finished = 0;   ///< tensors from here on are
        Index scattered = 0;  ///< buckets
        Index added = 0;
        Index taken = 0;
    };
    /// Some elements of the gradients on their way.
    struct Bucket {
        std::vector<Piece> pieces;
        Index size = 0;
        detail::MpiBuffer sent;      ///< to each process its slice of every partial sum of this one
        detail::MpiBuffer received;  ///< of every partial sum of all processes the own slice
        detail::MpiBuffer result;
        std::vector<int> counts;  ///< and places, of what is sent and received; then of the result
        MPI_Request request = MPI_REQUEST_NULL;
    };

    static bool is_done(MPI_Request& request) {
        int done = 0;
        detail::require_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
        return done != 0;
    }
    void wait(MPI_Request& request) {
        for (int looks = 0; !is_done(request); ++looks) pause(looks);
    }
    /// Between two looks, and looks whether another process has failed. Who waits for long does not keep a
    /// core busy.
    void pause(int looks) {
        if (looks < 10'000) return std::this_thread::yield();
        // Not at once: an error that all have is to be met by process 0 itself.
        if (rank_ == 0 && looks > 11'000) watch();
        std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    void watch() {
        int found = 0;
        MPI_Status status;
        MPI_Iprobe(MPI_ANY_SOURCE, failure_tag, failures_, &found, &status);
        if (found == 0) return;
        int length = 0;
        MPI_Get_count(&status, MPI_CHAR, &length);
        std::string text(static_cast<std::size_t>(length), ' ');
        MPI_Recv(text.data(), length, MPI_CHAR, status.MPI_SOURCE, failure_tag, failures_, MPI_STATUS_IGNORE);
        detail::raise<train_error>(611, "MpiCommunicator", "all processes to go on",
                                   detail::text("from process ", status.MPI_SOURCE, ": ", text));
    }

    IndexRange slice(const Bucket& bucket, Index rank) const noexcept {
        return part_of(bucket.size, rank, size_);
    }
    template <Real Scalar>
    static MPI_Datatype type() noexcept {
        return std::is_same_v<Scalar, float> ? MPI_FLOAT : MPI_DOUBLE;
    }

    /// Does what is next where that needs no waiting: three buckets are on their way at a time, each first to
    /// those who add it up, then as the result. Returns whether there was anything.
    bool advance(const ShardTensors& tensors) {
        const auto with_type = [&](const Bucket& bucket, auto&& f) {
            tensors.result(bucket.pieces.front().tensor).with_data(f);
        };
        bool is_active = false;
        if (Bucket& bucket = bucket_of(sum_.taken); sum_.taken < sum_.added && is_done(bucket.request)) {
            with_type(bucket, [&]<class Scalar>(Scalar*) { take_result<Scalar>(bucket, tensors); });
            ++sum_.taken;
            is_active = true;
        }
        if (Bucket& bucket = bucket_of(sum_.added); sum_.added < sum_.scattered && is_done(bucket.request)) {
            with_type(bucket, [&]<class Scalar>(Scalar*) { add_up<Scalar>(bucket); });
            ++sum_.added;
            is_active = true;
        }
        const bool has_room = sum_.scattered - sum_.taken < static_cast<Index>(buckets_.size());
        if (Bucket& bucket = bucket_of(sum_.scattered); has_room && fill(bucket, tensors)) {
            with_type(bucket, [&]<class Scalar>(Scalar*) { scatter<Scalar>(bucket, tensors); });
            ++sum_.scattered;
            is_active = true;
        }
        return is_active;
    }
    Bucket& bucket_of(Index number) noexcept {
        return buckets_[static_cast<std::size_t>(number) % buckets_.size()];
    }

    /// The next elements, of one type. False while those that are finished do not fill a bucket: when they
    /// are must not change where buckets end.
    bool fill(Bucket& bucket, const ShardTensors& tensors) {
        Sum next = sum_;
        Index room = 1;
        bucket.pieces.clear();
        bucket.size = 0;
        while (bucket.size < room) {
            while (next.left == 0 && next.tensor > next.finished) {
                next.left = tensors.result(--next.tensor).size();
            }
            if (next.left == 0) break;
            const bool is_float = tensors.result(next.tensor).holds<float>();
            if (bucket.size == 0) {
                const Index bytes = is_float ? Index{sizeof(float)} : Index{sizeof(double)};
                room = (std::min)(options_.bucket_bytes / bytes,
                                  most_elements / (std::max)(plan_.nodes(), Index{1}));
                room = (std::max)(room, Index{1});
            } else if (is_float != tensors.result(bucket.pieces.front().tensor).holds<float>()) {
                room = bucket.size;
                break;
            }
            const Index count = (std::min)(room - bucket.size, next.left);
            next.left -= count;
            bucket.pieces.push_back({next.tensor, next.left, count});
            bucket.size += count;
        }
        if (bucket.size < room && next.finished > 0) return false;
        sum_ = next;
        return bucket.size > 0;
    }

    /// Sends each process its slice of the partial sums of this one.
    template <Real Scalar>
    void scatter(Bucket& bucket, const ShardTensors& tensors) {
        const std::vector<Index>& own = plan_.own_nodes[static_cast<std::size_t>(rank_)];
        const Index nodes = plan_.nodes_of(rank_);
        const Index mine = slice(bucket, rank_).size();
        bucket.sent.reserve(static_cast<std::size_t>(bucket.size * nodes) * sizeof(Scalar));
        bucket.received.reserve(static_cast<std::size_t>(mine * plan_.nodes()) * sizeof(Scalar));
        bucket.result.reserve(static_cast<std::size_t>(bucket.size) * sizeof(Scalar));
        Scalar* const to = bucket.sent.data<Scalar>();
        Index place = 0;
        Index rank = 0;
        for (const Piece& piece : bucket.pieces) {
            detail::for_each_block(piece.count, tensors.own().size(), [&](Index first, Index count) {
                tensors.add_own<Scalar>(piece.tensor, piece.first + first, count);
            });
            // Slices begin and end anywhere in a piece.
            for (Index done = 0; done < piece.count;) {
                while (slice(bucket, rank).last <= place) ++rank;
                const IndexRange part = slice(bucket, rank);
                const Index count = (std::min)(piece.count - done, part.last - place);
                for (Index node = 0; node < nodes; ++node) {
                    const Scalar* const from =
                        tensors.tensor(own[static_cast<std::size_t>(node)], piece.tensor).data<Scalar>();
                    std::copy_n(from + piece.first + done, count,
                                to + part.first * nodes + node * part.size() + (place - part.first));
                }
                done += count;
                place += count;
            }
        }
        bucket.counts.assign(6 * static_cast<std::size_t>(size_), 0);
        int* const counts = bucket.counts.data();
        for (Index r = 0; r < size_; ++r) {
            const IndexRange part = slice(bucket, r);
            counts[r] = static_cast<int>(nodes * part.size());
            counts[size_ + r] = static_cast<int>(nodes * part.first);
            counts[2 * size_ + r] = static_cast<int>(plan_.nodes_of(r) * mine);
            counts[3 * size_ + r] = static_cast<int>(plan_.first_node[static_cast<std::size_t>(r)] * mine);
            counts[4 * size_ + r] = static_cast<int>(part.size());
            counts[5 * size_ + r] = static_cast<int>(part.first);
        }
        detail::require_mpi(MPI_Ialltoallv(bucket.sent.bytes(), counts, counts + size_, type<Scalar>(),
                                           bucket.received.bytes(), counts + 2 * size_, counts + 3 * size_,
                                           type<Scalar>(), data_, &bucket.request),
                            "MPI_Ialltoallv");
        bytes_sent_ += static_cast<std::uint64_t>(nodes * (bucket.size - mine)) * sizeof(Scalar);
    }

    /// Adds up the own slice, and sends it to all.
    template <Real Scalar>
    void add_up(Bucket& bucket) {
        const Index mine = slice(bucket, rank_).size();
        Scalar* const sums = bucket.received.data<Scalar>();
        detail::for_each_block(mine, plan_.nodes(), [&](Index first, Index count) {
            for (const auto& merge : plan_.merges) {
                Scalar* const sum = sums + merge.left * mine + first;
                const Scalar* const part = sums + merge.right * mine + first;
                for (Index j = 0; j < count; ++j) sum[j] += part[j];
            }
        });
        int* const counts = bucket.counts.data() + 4 * size_;
        detail::require_mpi(
            MPI_Iallgatherv(sums, static_cast<int>(mine), type<Scalar>(), bucket.result.bytes(), counts,
                            counts + size_, type<Scalar>(), results_, &bucket.request),
            "MPI_Iallgatherv");
        bytes_sent_ += static_cast<std::uint64_t>(mine * (size_ - 1)) * sizeof(Scalar);
    }

    template <Real Scalar>
    void take_result(Bucket& bucket, const ShardTensors& tensors) {
        const Scalar* from = bucket.result.data<Scalar>();
        for (const Piece& piece : bucket.pieces) {
            std::copy_n(from, piece.count, tensors.result(piece.tensor).data<Scalar>() + piece.first);
            from += piece.count;
        }
    }

    MpiOptions options_;
    MPI_Comm data_ = MPI_COMM_NULL;
    MPI_Comm results_ = MPI_COMM_NULL;   ///< of sums: each process sends them when it has them
    MPI_Comm failures_ = MPI_COMM_NULL;  ///< who has failed tells process 0
    Index rank_ = 0;
    Index size_ = 1;
    bool is_finished_ = false;
    std::uint64_t bytes_sent_ = 0;
    detail::MpiSumPlan plan_;
    Sum sum_;
    bool is_summing_ = false;
    std::array<Bucket, 3> buckets_;
    std::vector<int> counts_;
};

}  // namespace toeplitz::inline TOEPLITZ_ABI
