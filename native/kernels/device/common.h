// What all kernels share. NVRTC, and the C++ compiler that builds them for tests, have no CUDA headers, so bfloat16 is
// implemented here.
#pragma once

#include "parameters.h"

namespace srrl::kernels {

struct BFloat16 {
  unsigned short bits;
};

__device__ inline float toFloat(float value) { return value; }
__device__ inline float toFloat(BFloat16 value) { return __uint_as_float(static_cast<unsigned>(value.bits) << 16); }

__device__ inline void store(float& to, float value) { to = value; }
// Rounds to nearest even; NaN stays NaN.
__device__ inline void store(BFloat16& to, float value) {
  const unsigned bits = __float_as_uint(value);
  const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
  to.bits = static_cast<unsigned short>(nan ? 0x7fc0u : (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// Neighbors in memory that a thread loads or stores at once.
template <typename T, int kWidth>
struct alignas(sizeof(T) * kWidth) Pack {
  T at[kWidth];
};

template <typename T, int kWidth>
__device__ inline Pack<T, kWidth> load(const void* from, long long index) {
  return *reinterpret_cast<const Pack<T, kWidth>*>(static_cast<const T*>(from) + index);
}

template <typename T, int kWidth>
__device__ inline void save(void* to, long long index, const Pack<T, kWidth>& pack) {
  *reinterpret_cast<Pack<T, kWidth>*>(static_cast<T*>(to) + index) = pack;
}

// Joins the values of the rows of a block (threadIdx.y); the first row has the result. The order is fixed.
template <typename Item>
__device__ inline void joinRows(Item& own) {
  __shared__ Item items[kThreads];
  const int self = threadIdx.y * blockDim.x + threadIdx.x;
  const int rows = blockDim.y;
  __syncthreads();
  items[self] = own;
  int reach = 1;
  while (reach < rows) reach *= 2;
  for (reach /= 2; reach > 0; reach /= 2) {
    __syncthreads();
    const int other = threadIdx.y + reach;
    if (threadIdx.y < reach && other < rows) items[self].join(items[other * blockDim.x + threadIdx.x]);
  }
  own = items[self];
}

// Whether this block is the last of `blocks` to increment `counter`. If so, it sees what the others wrote before, and
// resets the counter.
__device__ inline bool isLastOf(unsigned* counter, unsigned blocks) {
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0 && threadIdx.y == 0) {
    last = atomicAdd(counter, 1u) == blocks - 1;
    if (last) *counter = 0;
  }
  __syncthreads();
  __threadfence();
  return last;
}

// The value of lane `own ^ distance` of the warp. In the emulation, all warps of a block must call this equally often.
__device__ inline unsigned lanesXor(unsigned value, int distance) {
  return __shfl_xor_sync(0xffffffffu, value, distance);
}

// The sum over the lanes of a warp, returned to each lane. The order is fixed.
__device__ inline float sumOfLanes(float value) {
  for (int distance = kLanes / 2; distance > 0; distance /= 2)
    value += __uint_as_float(lanesXor(__float_as_uint(value), distance));
  return value;
}

// Which of many tensors this block works on.
template <typename Item, int kItems>
__device__ inline int memberOf(const Many<Item, kItems>& all) {
  int low = 0, high = all.count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (all.firsts[middle] <= static_cast<int>(blockIdx.x))
      low = middle;
    else
      high = middle;
  }
  return low;
}

// The index of a thread in a block of one column.
__device__ inline int selfOf() { return threadIdx.y; }

template <typename T>
__device__ inline bool isAligned(const T* data, int bytes) {
  return reinterpret_cast<unsigned long long>(data) % bytes == 0;
}

}  // namespace srrl::kernels
