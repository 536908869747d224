// SPDX-License-Identifier: MIT

#include "processes.hpp"

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include <unistd.h>

#if defined(EXAMPLES_HAVE_MPI)
#include <toeplitz/adapt/mpi.hpp>
#else
#include <stdexcept>
#endif

namespace examples {

namespace {

/// What the launchers of OpenMPI, MPICH, Intel MPI and Slurm tell their processes.
bool is_launched() {
    for (const char* const name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMI_RANK", "PMIX_RANK"}) {
        if (std::getenv(name) != nullptr) return true;
    }
    return false;
}

int cores_for(int processes) {
    return std::max(1, static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)) / processes);
}

}  // namespace

#if defined(EXAMPLES_HAVE_MPI)

struct Processes::Others {
    toeplitz::MpiSession session{};
    toeplitz::MpiCommunicator all{};
};

Processes::Processes() {
    // Alone, MPI would take half a second.
    if (is_launched()) others_ = std::make_unique<Others>();
    if (all().is_first()) return;
    std::cout.setstate(std::ios::failbit);
    std::cerr.setstate(std::ios::failbit);
}

toeplitz::Communicator& Processes::all() noexcept {
    if (others_) return others_->all;
    return alone_;
}
int Processes::cores() const {
    return cores_for(others_ ? static_cast<int>(others_->all.size_on_this_machine()) : 1);
}
void Processes::finish() {
    if (others_) others_->all.finish();
}
void Processes::fail(const std::string& text) {
    const auto print = [](const char* message) {
        std::cerr.clear();
        std::cerr << "error: " << message << '\n';
    };
    if (others_ && others_->all.size() > 1) others_->all.abort(text, print);
    print(text.c_str());
}

#else

struct Processes::Others {};

Processes::Processes() {
    const auto find = [](const char* first, const char* second, const char* otherwise) {
        const char* const found = std::getenv(first) != nullptr ? std::getenv(first) : std::getenv(second);
        return std::string(found == nullptr ? otherwise : found);
    };
    const std::string several = find("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "1");
    if (!is_launched() || several == "1") return;
    if (find("OMPI_COMM_WORLD_RANK", "PMI_RANK", "0") != "0") std::cerr.setstate(std::ios::failbit);
    throw std::runtime_error(
        several +
        " processes, and this program was built without MPI: each would train a model of its own. "
        "Install MPI (Debian: apt-get install libopenmpi-dev openmpi-bin), configure and build again");
}

toeplitz::Communicator& Processes::all() noexcept { return alone_; }
int Processes::cores() const { return cores_for(1); }
void Processes::finish() {}
void Processes::fail(const std::string& text) { std::cerr << "error: " << text << '\n'; }

#endif

Processes::~Processes() = default;

}  // namespace examples
