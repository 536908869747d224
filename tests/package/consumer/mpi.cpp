// SPDX-License-Identifier: MIT
// Training over several processes, of which this is the only one.
#include <cstdio>
#include <numeric>
#include <vector>

#include <toeplitz/adapt/mpi.hpp>

int main() {
    const toeplitz::MpiSession session;
    toeplitz::MpiCommunicator processes;
    std::vector<int> numbers(5);
    const toeplitz::IndexRange own = processes.share(5);
    for (toeplitz::Index i = own.first; i < own.last; ++i) numbers[static_cast<std::size_t>(i)] = 1;
    processes.all_gather(std::span(numbers));
    processes.finish();
    std::printf("process %d of %d\n", static_cast<int>(processes.rank()), static_cast<int>(processes.size()));
    return std::accumulate(numbers.begin(), numbers.end(), 0) == 5 ? 0 : 1;
}
