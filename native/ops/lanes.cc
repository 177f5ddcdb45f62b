#include "vector/lanes.h"

#include <torch/library.h>

#include <atomic>

#include "library.h"

namespace srrl {

namespace {

std::atomic<int64_t> lanes{[] {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) return 16;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 8;
#endif
  return 0;
}()};

// Narrows the vectors that are used, or forbids them by 0; returns what was used before. For tests.
int64_t setLanes(int64_t wanted) { return lanes.exchange(wanted); }

}  // namespace

int64_t vectorLanes() { return lanes; }

void defineLanes(torch::Library& library) { library.def("vector_lanes(int lanes) -> int", setLanes); }

}  // namespace srrl
