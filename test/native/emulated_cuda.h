// The part of CUDA that the kernel sources use, so that a C++ compiler can compile them. Threads of a block are fibers
// of one thread that switch at barriers; blocks run one after the other.
#pragma once

#include <cmath>
#include <cstring>

#define __global__
#define __device__
#define __grid_constant__
#define __shared__ static
#define __restrict__
#define __launch_bounds__(...)

struct Dimensions {
  unsigned x = 1, y = 1, z = 1;
};

struct alignas(16) float4 {
  float x, y, z, w;
};

extern Dimensions threadIdx, blockIdx, blockDim, gridDim;

// Switches to the other threads of the block until all have called it.
void __syncthreads();

// All threads of a block must call it equally often, because it contains barriers.
unsigned __shfl_xor_sync(unsigned lanes, unsigned value, int distance);

inline void __threadfence() {}

template <typename T>
T __ldcg(const T* from) {
  return *from;
}

template <typename T>
T atomicAdd(T* to, T value) {
  const T before = *to;
  *to += value;
  return before;
}

inline float __uint_as_float(unsigned bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline unsigned __float_as_uint(float value) {
  unsigned bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
