// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The training loop: gradients of pieces of a batch, computed on threads and processes and summed in a fixed
/// order, and an update that happens only if all is finite.

#include <array>
#include <bit>
#include <cmath>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <toeplitz/train/adamw.hpp>
#include <toeplitz/train/buffers.hpp>
#include <toeplitz/train/clip.hpp>
#include <toeplitz/train/communicator.hpp>
#include <toeplitz/train/part.hpp>
#include <toeplitz/train/schedule.hpp>

namespace toeplitz::inline TOEPLITZ_ABI {

/// The sum of some losses and how many they are.
struct LossSum {
    double sum = 0;
    double count = 0;
};

struct TrainerOptions {
    AdamWOptions adamw{};
    Schedule schedule{};
    double clip_norm = 0;    ///< largest norm of the mean gradient; 0: any
    Index accumulation = 1;  ///< micro batches per step
    Index shards = 1;        ///< parts of a micro batch that threads and processes work on at the same time
    std::uint64_t seed = 0;  ///< of everything random in the run

    template <class F, class... Sets>
    static constexpr void for_each_option(F&& f, Sets&... sets) {
        f("adamw", sets.adamw...);
        f("schedule", sets.schedule...);
        f("clip_norm", sets.clip_norm...);
        f("accumulation", sets.accumulation...);
        f("shards", sets.shards...);
        f("seed", sets.seed...);
    }
};

/// All that a run needs beside its parameters and options to go on where it stopped.
template <ParameterSet P>
struct TrainerState {
    std::uint64_t seed = 0;
    AdamWState<P> adamw;

    /// Steps done.
    Index step() const noexcept { return adamw.step; }
};

/// What a step did.
struct StepReport {
    Index step = 0;            ///< steps done, this one included
    double loss = 0;           ///< mean of the losses before the update
    double gradient_norm = 0;  ///< of the mean gradient, before clipping
    double rate = 0;
    double count = 0;                    ///< losses in the mean
    std::uint64_t bytes_sent = 0;        ///< from this process to others
    std::uint64_t bytes_sent_early = 0;  ///< of those, before all gradients of this process were there
};

/// What a callback answers to go on or to stop the run; one that answers nothing goes on.
enum class Continue { yes, no };

/// A callback that calls f after every n-th step.
/// \throws config_error 803 unless n ≥ 1
template <class F>
auto every(Index n, F f);

/// Trains a parameter set on an objective.
///
/// An objective is called as
///     loss = objective(const P& parameters, const Part& part, P& gradients)
/// and adds to `gradients` those of the *sum* of the losses of this part of the batch; loss has the members
/// `sum` and `count`; both are zero for a part without samples. The parts of a micro batch run on threads:
/// what they write to beside `gradients` must be chosen by part.shard. Each shard has gradients of its own,
/// which are summed in a fixed order: for given shards, results have the same bits for any number of threads
/// and of processes. Buffers (running statistics) move by the mean of what the parts with losses add to their
/// gradients.
///
/// With a communicator of several processes each of them makes a trainer of the same parameters or state and
/// the same options, and computes the gradients of its share of the shards; all do the same update. Where a
/// step throws in one of them it throws in all.
template <ParameterSet P>
class Trainer {
public:
    /// A new run.
    /// \throws config_error 801 (adamw), 802 (schedule), 803 (others)
    Trainer(const P& parameters, const TrainerOptions& options)
        : Trainer(TrainerState<P>{options.seed, make_adamw_state(parameters)}, options) {}
    /// One that several processes share; refers to the communicator.
    Trainer(const P& parameters, const TrainerOptions& options, Communicator& processes)
        : Trainer(TrainerState<P>{options.seed, make_adamw_state(parameters)}, options, processes) {}

    /// Goes on with an old one. The seed is the state's.
    /// \throws config_error 801 (adamw), 802 (schedule), 803 (others)
    /// \throws shape_error 820, value_error 821 (both: the state)
    Trainer(TrainerState<P> state, const TrainerOptions& options)
        : Trainer(std::move(state), options, nullptr) {}
    /// One that several processes share, whoever shared the old one; refers to the communicator.
    Trainer(TrainerState<P> state, const TrainerOptions& options, Communicator& processes)
        : Trainer(std::move(state), options, &processes) {}

    const TrainerOptions& options() const noexcept { return options_; }
    const TrainerState<P>& state() const noexcept { return state_; }

    /// The summed gradients of the last step, neither clipped nor divided by the count: those of all
    /// processes.
    const P& gradients() const noexcept { return gradients_.front(); }

    /// One update of the parameters.
    /// \throws train_error 810 (loss), 811 (gradient), 812 (no loss in the batch), 813 (a parameter or a
    ///         moment would not be finite), 814 (the objective has thrown in another process), 815 (processes
    ///         that do not have the same ones), 816 (gradients finished twice), shape_error 820 (parameters),
    ///         and whatever the objective throws; parameters and state are then as before.
    /// Cost of the objective, plus O(shards · parameters) | heap: none | thread-safe: no
    template <class Objective>
    StepReport step(P& parameters, Objective&& objective) {
        detail::require_same_shapes<P>(state_.adamw.first, parameters, "Trainer::step", "parameters");
        Communicator alone;
        Communicator& processes = processes_ == nullptr ? alone : *processes_;
        const std::uint64_t sent = processes.bytes_sent();
        if (!is_agreed_) agree(parameters, processes);
        StepReport report{.step = state_.step() + 1, .rate = options_.schedule.rate(state_.step())};
        const LossSum loss = sum_gradients(parameters, objective, processes, report.bytes_sent_early);
        report.loss = loss.sum / loss.count;
        report.count = loss.count;
        if (!(detail::is_finite(loss.count) && loss.count > 0)) {
            fail(812, "losses that count", loss.count == 0 ? "none" : detail::text(loss.count));
        }
        if (!detail::is_finite(report.loss)) fail(810, "a finite loss", detail::text(report.loss));
        report.gradient_norm = gradient_norm(gradients()) / loss.count;
        if (!detail::is_finite(report.gradient_norm)) {
            const std::optional<NonFinite> first = find_non_finite(gradients());
            fail(811, "finite gradients", first ? first->text() : "a norm that overflows");
        }
        Index passes = 0;
        for (const Outcome& outcome : outcomes_) passes += outcome.passes;
        const double mean = 1 / static_cast<double>(passes);
        const std::string unbounded = detail::unbounded_buffer(parameters, gradients(), mean);
        if (!unbounded.empty()) fail(813, "finite buffers", "a number that is not, in " + unbounded);
        double scale = 1 / loss.count;
        if (options_.clip_norm > 0) scale *= clip_factor(report.gradient_norm, options_.clip_norm);
        adamw_update(parameters, gradients(), state_.adamw, report.rate, options_.adamw, scale);
        update_buffers(parameters, gradients(), mean);
        report.bytes_sent = processes.bytes_sent() - sent;
        return report;
    }

    /// Steps until `last` are done altogether, or until a callback answers Continue::no. After each step all
    /// callbacks are called in order, with as many of (report, parameters, trainer) as they take; in several
    /// processes they must answer alike: Communicator::any.
    /// Returns the last step's report.
    /// \throws what step and the callbacks throw
    template <class Objective, class... Callbacks>
    StepReport run(P& parameters, Index last, Objective&& objective, Callbacks&&... callbacks) {
        StepReport report;
        report.step = state_.step();
        bool go_on = true;
        while (go_on && state_.step() < last) {
            report = step(parameters, objective);
            ((go_on = call(callbacks, report, parameters) == Continue::yes && go_on), ...);
        }
        return report;
    }

    /// Calls a callback with as many arguments as it takes.
    template <class Callback>
    Continue call(Callback& callback, const StepReport& report, P& parameters) const {
        if constexpr (std::is_invocable_v<Callback&, const StepReport&, P&, const Trainer&>) {
            return answer([&] { return callback(report, parameters, *this); });
        } else if constexpr (std::is_invocable_v<Callback&, const StepReport&, P&>) {
            return answer([&] { return callback(report, parameters); });
        } else {
            static_assert(
                std::is_invocable_v<Callback&, const StepReport&>,
                "toeplitz: a callback takes (const StepReport&, P& parameters, const Trainer<P>&), or "
                "the first one or two of them.");
            return answer([&] { return callback(report); });
        }
    }

private:
    Trainer(TrainerState<P> state, const TrainerOptions& options, Communicator* processes)
        : options_(options), state_(std::move(state)), processes_(processes) {
        detail::require_same_shapes<P>(state_.adamw.first, state_.adamw.second, "Trainer", "second moments");
        const std::string problem = detail::state_problem(state_.adamw);
        if (!problem.empty()) {
            detail::raise<value_error>(821, "Trainer", detail::expected_state(), problem);
        }
        const detail::ScalarRange range = detail::scalar_range(state_.adamw.first);
        detail::check_adamw(options.adamw, range);
        detail::check_schedule(options.schedule, range.largest);
        const auto require = [](bool ok, const char* expected, const std::string& got) {
            if (!ok) detail::raise<config_error>(803, "Trainer", expected, got);
        };
        require(detail::is_finite(options.clip_norm) && options.clip_norm >= 0, "a finite clip_norm >= 0",
                detail::text(options.clip_norm));
        require(options.accumulation >= 1, "accumulation >= 1", std::to_string(options.accumulation));
        require(options.shards >= 1, "shards >= 1", std::to_string(options.shards));
        options_.seed = state_.seed;
        const IndexRange own =
            processes == nullptr ? IndexRange{0, options.shards} : processes->share(options.shards);
        tensors_ = ShardTensors(options.shards, own);
        gradients_.assign(static_cast<std::size_t>((std::max)(own.size(), Index{1})), state_.adamw.first);
        outcomes_.resize(static_cast<std::size_t>(options.shards));
        merges_ = detail::shard_merges(options.shards);
    }

    template <class F>
    static Continue answer(F&& f) {
        using Answer = std::invoke_result_t<F&>;
        static_assert(std::is_void_v<Answer> || std::is_same_v<Answer, Continue>,
                      "toeplitz: a callback returns nothing or a Continue.");
        if constexpr (std::is_void_v<Answer>) {
            f();
            return Continue::yes;
        } else {
            return f();
        }
    }

    /// What has become of a shard, which all processes hear of.
    struct Outcome {
        LossSum loss;
        Index passes = 0;  ///< parts with losses
        std::uint64_t failed = 0;
    };
    static constexpr std::size_t message_size = 1024;
    using Message = std::array<char, message_size>;

    /// The gradients of the own shards, summed over all shards, and the sum of all losses.
    template <class Objective>
    LossSum sum_gradients(const P& parameters, Objective& objective, Communicator& processes,
                          std::uint64_t& sent_early) {
        static_assert(std::is_invocable_v<Objective&, const P&, const Part&, P&>,
                      "toeplitz: an objective takes (const P& parameters, const Part&, P& gradients).");
        const IndexRange own = tensors_.own();
        if (own.size() == 0) set_zero(gradients_.front());
        tensors_.refer_to(gradients_);
        const std::uint64_t sent = processes.bytes_sent();
        const std::thread::id caller = std::this_thread::get_id();
        std::mutex mutex;
        const auto finish = [&](Index shard, const detail::TensorRef& tensor) {
            const Index first = [&] {
                const std::lock_guard<std::mutex> lock(mutex);
                return tensors_.finish(shard, tensor);
            }();
            if (first < 0)
                fail(816, "every gradient to be finished once", "one that was before, or another set's");
            // Communicators belong to one thread.
            if (std::this_thread::get_id() == caller) processes.begin_sum(tensors_, first);
        };
        const int threads =
            static_cast<int>(std::min<Index>(own.size(), static_cast<Index>(available_threads())));
        // Objectives are the user's.
        constexpr auto keep = detail::Denormals::keep;
        const auto compute = [&] {
            detail::parallel_chunks<keep>(own.size(), threads, [&](Index begin, Index end, int) {
                for (Index i = begin; i < end; ++i)
                    compute_shard(parameters, objective, own.first + i, finish);
            });
            sent_early = processes.bytes_sent() - sent;
        };
        if (processes.size() == 1) {
            compute();
            processes.sum_shards(tensors_);
        } else {
            compute_together(compute, processes);
        }
        for (const detail::ShardMerge& merge : merges_) {
            LossSum& sum = outcomes_[static_cast<std::size_t>(merge.left)].loss;
            const LossSum& part = outcomes_[static_cast<std::size_t>(merge.right)].loss;
            sum.sum += part.sum;
            sum.count += part.count;
        }
        return outcomes_.front().loss;
    }

    template <class Objective, class Finish>
    void compute_shard(const P& parameters, Objective& objective, Index shard, const Finish& finish) {
        P& gradients = gradients_[static_cast<std::size_t>(shard - tensors_.own().first)];
        LossSum losses;
        set_zero(gradients);
        Index passes = 0;
        Part part{.step = state_.step(),
                  .micro = 0,
                  .micros = options_.accumulation,
                  .shard = shard,
                  .shards = options_.shards};
        const auto finish_own = [&](const detail::TensorRef& tensor) { finish(shard, tensor); };
        for (; part.micro < part.micros; ++part.micro) {
            if (part.micro + 1 == part.micros) part.finished = FinishedGradients(finish_own);
            part.seed = part_seed(state_.seed, part.step, part.micro, shard);
            const auto loss = objective(parameters, std::as_const(part), gradients);
            losses.sum += static_cast<double>(loss.sum);
            losses.count += static_cast<double>(loss.count);
            if (static_cast<double>(loss.count) > 0) ++passes;
        }
        outcomes_[static_cast<std::size_t>(shard)] = {losses, passes, 0};
    }

    /// Calls compute(), and adds up what has come of it. Where it throws in one process it throws in all, and
    /// none waits for it: its gradients, whatever they are, are added up before the others hear of it.
    template <class Compute>
    void compute_together(Compute&& compute, Communicator& processes) {
#if defined(__cpp_exceptions)
        std::exception_ptr failure;
        Message message{};
        try {
            compute();
        } catch (const std::exception& error) {
            failure = std::current_exception();
            std::string_view(error.what()).copy(message.data(), message_size - 1);
        } catch (...) {
            failure = std::current_exception();
            std::string_view("an exception of another type").copy(message.data(), message_size - 1);
        }
        if (failure) outcomes_[static_cast<std::size_t>(tensors_.own().first)].failed = 1;
#else
        compute();
#endif
        processes.sum_shards(tensors_);
        processes.all_gather(std::span(outcomes_));
#if defined(__cpp_exceptions)
        Index failed = 0;
        const Index shards = options_.shards;
        while (failed < shards && outcomes_[static_cast<std::size_t>(failed)].failed == 0) ++failed;
        if (failed == shards) return;
        std::vector<Message> messages(static_cast<std::size_t>(processes.size()));
        messages[static_cast<std::size_t>(processes.rank())] = message;
        processes.all_gather(std::span(messages));
        if (failure) std::rethrow_exception(failure);
        Index rank = 0;
        while (part_of(shards, rank, processes.size()).last <= failed) ++rank;
        fail(814, "gradients from all processes",
             detail::text("from process ", rank, ": ", messages[static_cast<std::size_t>(rank)].data()));
#endif
    }

    /// Once, before anything is computed together: runs that differ would never meet again.
    void agree(const P& parameters, Communicator& processes) {
        if (processes.size() > 1) {
            std::uint64_t hash = CounterRandom(state_.seed).bits(static_cast<std::uint64_t>(state_.step()));
            for (const P* const set :
                 {&parameters, &std::as_const(state_.adamw.first), &std::as_const(state_.adamw.second)}) {
                detail::for_each_tensor(
                    [&](const ParameterName&, const detail::TensorRef* tensor) {
                        tensor->with_data([&]<class Scalar>(const Scalar* data) {
                            using Bits = std::conditional_t<sizeof(Scalar) == sizeof(std::uint32_t),
                                                            std::uint32_t, std::uint64_t>;
                            for (Index i = 0; i < tensor->size(); ++i)
                                hash = CounterRandom(hash).bits(std::bit_cast<Bits>(data[i]));
                        });
                    },
                    *set);
            }
            for (const Index number : {options_.accumulation, options_.shards}) {
                hash = CounterRandom(hash).bits(static_cast<std::uint64_t>(number));
            }
            std::vector<std::uint64_t> hashes(static_cast<std::size_t>(processes.size()));
            hashes[static_cast<std::size_t>(processes.rank())] = hash;
            processes.all_gather(std::span(hashes));
            for (std::size_t rank = 1; rank < hashes.size(); ++rank) {
                if (hashes[rank] == hashes.front()) continue;
                fail(815, "the same parameters, state and shards in all processes",
                     detail::text("others in process ", rank));
            }
        }
        is_agreed_ = true;
    }

    [[noreturn]] void fail(int id, std::string_view expected, std::string_view got) const {
        detail::raise<train_error>(id, "Trainer::step",
                                   detail::text(expected, " in step ", state_.step() + 1), got);
    }

    TrainerOptions options_;
    TrainerState<P> state_;
    Communicator* processes_;        ///< null: this process alone
    ShardTensors tensors_;           ///< of gradients_
    std::vector<P> gradients_;       ///< one per own shard; at least one, for the sum
    std::vector<Outcome> outcomes_;  ///< one per shard
    std::vector<detail::ShardMerge> merges_;
    bool is_agreed_ = false;
};

template <class F>
auto every(Index n, F f) {
    if (n < 1) detail::raise<config_error>(803, "every", "n >= 1", std::to_string(n));
    return [n, f = std::move(f)](const StepReport& report, auto& parameters, const auto& trainer) mutable {
        if (report.step % n != 0) return Continue::yes;
        return trainer.call(f, report, parameters);
    };
}

}  // namespace toeplitz::inline TOEPLITZ_ABI
