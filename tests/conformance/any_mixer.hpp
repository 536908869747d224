// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A mixer whose kind is known at run time only: what a model file says. One instance of the layers serves
/// every kind, and the layers do not know.

#include <variant>

#include <toeplitz/nn/fd_tno.hpp>
#include <toeplitz/nn/normalized.hpp>
#include <toeplitz/nn/ski_tno.hpp>
#include <toeplitz/nn/tno.hpp>

namespace toeplitz::test {

template <class... Mixers>
class AnyOf {
public:
    using Scalar = double;

    struct Options {
        Index channels = 0;
        std::variant<typename Mixers::Options...> kind{};  // by index: mixers may share a type of options
    };

    /// One set per kind, of which one holds tensors.
    struct Parameters {
        std::tuple<typename Mixers::Parameters...> sets;

        template <class F, class... Sets>
        static void for_each(F&& f, Sets&... all) {
            auto present = [&f](const ParameterName& name, auto& tensor, auto&... rest) {
                if (tensor.size() != 0) f(name, tensor, rest...);
            };
            [&]<std::size_t... kind>(std::index_sequence<kind...>) {
                (for_each_of<Mixers, kind>(present, all...), ...);
            }
            (std::index_sequence_for<Mixers...>{});
        }

    private:
        template <class Mixer, std::size_t kind, class F, class... Sets>
        static void for_each_of(F& f, Sets&... all) {
            Mixer::Parameters::for_each(f, std::get<kind>(all.sets)...);
        }
    };

    struct Cache {
        std::tuple<typename Mixers::Cache...> caches;
    };

    class Prepared {
    public:
        void evaluate(MatrixView<const Scalar> x, MatrixView<Scalar> y, Workspace& ws,
                      const Sequences& sequences = {}) const {
            std::visit([&](const auto& mixer) { mixer.evaluate(x, y, ws, sequences); }, mixer_);
        }
        std::size_t required_workspace(Index batch = 1) const {
            return std::visit([&](const auto& mixer) { return mixer.required_workspace(batch); }, mixer_);
        }
        std::size_t state_bytes() const {
            return std::visit([](const auto& mixer) { return mixer.state_bytes(); }, mixer_);
        }

    private:
        friend AnyOf;
        using Kinds = std::variant<typename Mixers::Prepared...>;
        explicit Prepared(Kinds mixer) : mixer_(std::move(mixer)) {}
        Kinds mixer_;
    };

    explicit AnyOf(const Options& options) : mixer_(make(options)) {}

    Index channels() const {
        return std::visit([](const auto& mixer) { return mixer.channels(); }, mixer_);
    }

    Parameters make_parameters(std::uint64_t seed = 0) const {
        Parameters parameters;
        visit([&](auto kind, const auto& mixer) {
            std::get<kind>(parameters.sets) = mixer.make_parameters(seed);
        });
        return parameters;
    }

    void forward(const Parameters& parameters, MatrixView<const Scalar> x, const Sequences& sequences,
                 MatrixView<Scalar> y, Cache& cache, Workspace& ws) const {
        visit([&](auto kind, const auto& mixer) {
            mixer.forward(std::get<kind>(parameters.sets), x, sequences, y, std::get<kind>(cache.caches), ws);
        });
    }

    void backward(const Parameters& parameters, MatrixView<const Scalar> x, const Cache& cache,
                  MatrixView<const Scalar> g, MatrixView<Scalar> dx, Parameters& gradients,
                  Workspace& ws) const {
        visit([&](auto kind, const auto& mixer) {
            mixer.backward(std::get<kind>(parameters.sets), x, std::get<kind>(cache.caches), g, dx,
                           std::get<kind>(gradients.sets), ws);
        });
    }

    Prepared prepare(const Parameters& parameters, Index length) const {
        std::optional<Prepared> prepared;
        visit([&](auto kind, const auto& mixer) {
            const auto& set = std::get<kind>(parameters.sets);
            prepared.emplace(
                Prepared(typename Prepared::Kinds(std::in_place_index<kind>, mixer.prepare(set, length))));
        });
        return *prepared;
    }

private:
    using Kinds = std::variant<Mixers...>;

    static Kinds make(const Options& options) {
        std::optional<Kinds> mixer;
        [&]<std::size_t... kind>(std::index_sequence<kind...>) {
            (
                [&] {
                    if (options.kind.index() != kind) return;
                    auto own = std::get<kind>(options.kind);
                    own.channels = options.channels;
                    mixer.emplace(std::in_place_index<kind>, own);
                }(),
                ...);
        }
        (std::index_sequence_for<Mixers...>{});
        return *mixer;
    }

    /// f(index of the kind, the mixer)
    template <class F>
    void visit(F&& f) const {
        [&]<std::size_t... kind>(std::index_sequence<kind...>) {
            (
                [&] {
                    if (mixer_.index() != kind) return;
                    f(std::integral_constant<std::size_t, kind>{}, std::get<kind>(mixer_));
                }(),
                ...);
        }
        (std::index_sequence_for<Mixers...>{});
    }

    Kinds mixer_;
};

}  // namespace toeplitz::test
