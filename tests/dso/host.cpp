// SPDX-License-Identifier: MIT
// Loads two plugins that know nothing of each other, and compares their planner locks.
#include <cstdio>
#include <thread>

#include <dlfcn.h>

#if !defined(TOEPLITZ_TEST_SCOPE)
#define TOEPLITZ_TEST_SCOPE RTLD_LOCAL
#endif

namespace {

struct Plugin {
    void* lock = nullptr;
    void* own = nullptr;
    bool (*plan)() = nullptr;
};

bool load(const char* path, Plugin& plugin) {
    void* handle = dlopen(path, RTLD_NOW | TOEPLITZ_TEST_SCOPE);
    if (handle == nullptr) {
        std::printf("cannot load: %s\n", dlerror());
        return false;
    }
    const auto address = [&](const char* name) { return reinterpret_cast<void* (*)()>(dlsym(handle, name))(); };
    plugin.lock = address("planner_lock");
    plugin.own = address("own_address");
    plugin.plan = reinterpret_cast<bool (*)()>(dlsym(handle, "plan"));
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    Plugin first;
    Plugin second;
    if (argc != 3 || !load(argv[1], first) || !load(argv[2], second)) return 1;
    if (first.own == second.own) {
        std::puts("wrong: the plugins are one and the same");
        return 1;
    }
    if (first.lock != second.lock) {
        std::puts("wrong: each plugin has a planner lock of its own");
        return 1;
    }
    // Planning from both at once must neither block for ever nor fail.
    bool planned = true;
    std::thread other([&] {
        for (int i = 0; i < 100; ++i) planned = second.plan() && planned;
    });
    bool planned_here = true;
    for (int i = 0; i < 100; ++i) planned_here = first.plan() && planned_here;
    other.join();
    std::puts(planned && planned_here ? "one lock" : "wrong: planning failed");
    return planned && planned_here ? 0 : 1;
}
