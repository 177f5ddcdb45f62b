#include "vector/lanes.h"

#include <torch/library.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>

#include "library.h"

namespace srrl {

namespace {

int64_t widestOfProcessor() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) return 16;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 8;
#endif
  return 0;
}

// Returns the widest supported width up to `wanted`. A wider one would raise an illegal instruction.
int64_t usable(int64_t wanted) {
  const int64_t most = std::min(wanted, widestOfProcessor());
  return most >= 16 ? 16 : most >= 8 ? 8 : 0;
}

// SRRL_VECTOR_WIDTH limits the vector width, or turns these kernels off with 0, as ATEN_CPU_CAPABILITY does for ATen.
int64_t widthAtStart() {
  const char* wanted = std::getenv("SRRL_VECTOR_WIDTH");
  const std::string text = wanted ? wanted : "";
  return usable(text == "0" ? 0 : text == "8" ? 8 : 16);
}

std::atomic<int64_t> lanes{widthAtStart()};

// Limits the vector width, or turns the kernels off with 0; returns the previous width. For tests.
int64_t setLanes(int64_t wanted) { return lanes.exchange(usable(wanted)); }

}  // namespace

int64_t vectorLanes() { return lanes; }

void defineLanes(torch::Library& library) { library.def("vector_lanes(int lanes) -> int", setLanes); }

}  // namespace srrl
