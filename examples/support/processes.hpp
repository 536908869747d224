// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The processes of a program that mpirun has started, without a word of MPI.

#include <memory>
#include <string>

#include <toeplitz/train/communicator.hpp>

namespace examples {

/// Those that mpirun (or srun) has started of this program, or this one alone. From construction on only the
/// first one prints to std::cout and std::cerr.
class Processes {
public:
    /// \throws std::runtime_error where there are several, and the program was built without MPI
    Processes();
    ~Processes();
    Processes(const Processes&) = delete;
    Processes& operator=(const Processes&) = delete;

    toeplitz::Communicator& all() noexcept;
    /// Cores of this machine for each of its processes, at least 1.
    int cores() const;

    /// The end of a run that has gone well: waits for all.
    void finish();
    /// The end of one that has not: one process prints the text. Does not return where there are others.
    void fail(const std::string& text);

private:
    struct Others;
    std::unique_ptr<Others> others_;  ///< absent: alone
    toeplitz::Communicator alone_;
};

}  // namespace examples
