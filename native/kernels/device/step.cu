// Kernels around the update of a step: magnitudes, the check for NaN and Inf, running sums, copies of many tensors.
#include "common.h"

namespace srrl::kernels {

struct Sum {
  float value = 0;
  __device__ void join(const Sum& other) { value += other.value; }
};

// The maximum; NaN stays once found.
struct Largest {
  float value = 0;
  __device__ void join(const Largest& other) {
    if (other.value > value || other.value != other.value) value = other.value;
  }
};

template <typename T>
__device__ inline Sum squaresOf(const T* data, int count) {
  const int whole = isAligned(data, 4 * sizeof(T)) ? count / 4 * 4 : 0;
  Sum own;
  for (int i = selfOf() * 4; i < whole; i += kThreads * 4) {
    const Pack<T, 4> pack = load<T, 4>(data, i);
    for (int k = 0; k < 4; k++) own.value += toFloat(pack.at[k]) * toFloat(pack.at[k]);
  }
  for (int i = whole + selfOf(); i < count; i += kThreads) own.value += toFloat(data[i]) * toFloat(data[i]);
  return own;
}

__device__ inline void sumOfSquares(const Magnitudes& p, int which) {
  const int first = (blockIdx.x - p.all.firsts[which]) * kChunk, left = p.all.sizes[which] - first;
  const int count = left < kChunk ? left : kChunk;
  const void* data = p.all.members[which];
  Sum own = p.isNarrow[which] ? squaresOf(static_cast<const BFloat16*>(data) + first, count)
                              : squaresOf(static_cast<const float*>(data) + first, count);
  joinRows(own);
  if (selfOf() == 0) p.partial[blockIdx.x] = own.value;
  if (!isLastOf(p.counter, p.blocks)) return;
  Sum all;
  for (int i = selfOf(); i < p.blocks; i += kThreads) all.value += __ldcg(p.partials + i);
  joinRows(all);
  if (selfOf() == 0) *p.total = sqrtf(all.value);
}

extern "C" __global__ void step_magnitudes(const __grid_constant__ Magnitudes p) {
  const int which = memberOf(p.all);
  if (which < p.gradients) return sumOfSquares(p, which);
  const float* data = static_cast<const float*>(p.all.members[which]);
  Largest own;
  for (int i = selfOf(); i < p.all.sizes[which]; i += kThreads) {
    Largest one;
    one.value = fabsf(data[i]);
    own.join(one);
  }
  joinRows(own);
  if (selfOf() == 0) p.largest[which - p.gradients] = own.value;
}

__device__ inline double valueOf(const Scalar& scalar) {
  switch (scalar.type) {
    case Type::kFloat: return *static_cast<const float*>(scalar.data);
    case Type::kDouble: return *static_cast<const double*>(scalar.data);
    case Type::kBFloat16: return toFloat(*static_cast<const BFloat16*>(scalar.data));
    case Type::kLong: return static_cast<double>(*static_cast<const long long*>(scalar.data));
    default: return 0;
  }
}

struct Flag {
  bool up = false;
  __device__ void join(const Flag& other) { up = up || other.up; }
};

// Launched with one block.
extern "C" __global__ void step_judge(const __grid_constant__ Judge p) {
  const int deciding = p.losses + 1 + p.statistics, all = p.count + 1 + p.statistics;
  double* row = p.log ? p.log + *p.next % p.rows * all : nullptr;
  Flag bad;
  for (int i = selfOf(); i < all; i += kThreads) {
    const double value = i < p.losses    ? valueOf(p.scalars[i])
                         : i == p.losses ? (p.normDecides ? *p.norm : 0)
                         : i < deciding  ? p.largest[i - p.losses - 1]
                                         : valueOf(p.scalars[i - 1 - p.statistics]);
    p.values[i] = value;
    if (row) row[i] = value;
    // Inf - Inf is NaN as well.
    if (i < deciding && !(value - value == 0)) bad.up = true;
  }
  joinRows(bad);
  if (selfOf() > 0) return;
  bool found = bad.up;
  if (p.log) {
    found = found || (p.sticky && *p.found > 0);
    *p.next += 1;
    if (bad.up) *p.any = 1;
    *p.found = found ? 1 : 0;
  }
  if (p.scale) {
    const float factor = 1 / (*p.norm + 1e-6f) * p.maxNorm;
    *p.scale = factor > 1 ? 1 : factor;
  }
  if (!p.share) return;
  const float updates = static_cast<float>(*p.averaged + 1), quotient = updates / static_cast<float>(*p.averaged + 10);
  const float share = p.warmUp ? 1 - (quotient < p.decay ? quotient : p.decay) : p.constantShare;
  *p.share = found ? 0 : share;
  if (!found) *p.averaged += 1;
}

// Launched with one block.
extern "C" __global__ void step_means(const __grid_constant__ Means p) {
  if (p.found && *p.found > 0) return;
  for (int i = selfOf(); i <= p.count; i += kThreads)
    p.sums[i] += (i < p.count ? valueOf(p.values[i]) : 1) * p.weights[i];
}

extern "C" __global__ void step_copy(const __grid_constant__ Copy p) {
  if (p.where && !(*p.where > 0)) return;
  const int which = memberOf(p.all);
  const CopyMember m = p.all.members[which];
  const int first = (blockIdx.x - p.all.firsts[which]) * kChunkBytes, left = p.all.sizes[which] - first;
  const int count = left < kChunkBytes ? left : kChunkBytes;
  char* to = static_cast<char*>(m.to) + first;
  const char* from = static_cast<const char*>(m.from) + first;
  const int whole = isAligned(to, 16) && isAligned(from, 16) ? count / 16 * 16 : 0;
  for (int i = selfOf() * 16; i < whole; i += kThreads * 16) save(to, i / 4, load<unsigned, 4>(from, i / 4));
  for (int i = whole + selfOf(); i < count; i += kThreads) to[i] = from[i];
}

}  // namespace srrl::kernels
