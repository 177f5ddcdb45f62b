// What the normalization kernels share. A block processes a tile of neighboring channels (blockIdx.x) of some pixels
// (blockIdx.y); a thread has kWidth neighboring channels of every blockDim.y-th of these pixels. Partial results of
// blocks are joined by the next launch (few blocks) or by the last block (many), in a fixed order.
#pragma once

#include "common.h"

namespace srrl::kernels {

// Two blocks per multiprocessor: at most 128 registers per thread.
#define SRRL_NORM_BOUNDS __launch_bounds__(kThreads, 2)

// The variant of the computation.
enum class Kind {
  kRelu,
  kResidual,  // a residual is added before the ReLU
  kPooled,    // the result is the mean over the pixels of each image
  kLinear,    // no ReLU
  kJoined,    // the input is the sum of two maps, which is also a result
};

// Number, mean and sum of squared deviations of some values.
struct Moment {
  float count, mean, squares;

  // The partial result of a block.
  static __device__ Moment of(const Norm& p, int block, float mean, float squares) {
    const int rest = p.pixels - block * p.partialPixels;
    return {static_cast<float>(rest < p.partialPixels ? rest : p.partialPixels), mean, squares};
  }

  // Sums relative to the first mean, so that large means cost no precision.
  struct Gather {
    float count = 0, origin = 0, sum = 0, squares = 0;

    __device__ void add(const Moment& one) {
      if (count == 0) origin = one.mean;
      const float apart = one.mean - origin;
      count += one.count;
      sum += one.count * apart;
      squares += one.squares + one.count * apart * apart;
    }

    __device__ Moment joined() const {
      if (count == 0) return {0, 0, 0};
      const float apart = sum / count, rest = squares - sum * apart;
      return {count, origin + apart, rest < 0 ? 0 : rest};
    }
  };
};

// Two sums. In backward: the gradient after the ReLU, and that times the distance of the input from the mean.
struct Pair {
  float plain, distant;

  static __device__ Pair of(const Norm&, int, float plain, float distant) { return {plain, distant}; }

  struct Gather {
    float plain = 0, distant = 0;

    __device__ void add(const Pair& one) {
      plain += one.plain;
      distant += one.distant;
    }

    __device__ Pair joined() const { return {plain, distant}; }
  };
};

__device__ inline int selfInTile() { return threadIdx.y * blockDim.x + threadIdx.x; }

// The channel of a thread after joinRows(), one each; p.channels if it has none.
template <int kWidth>
__device__ inline int ownChannel(const Norm& p) {
  const int tile = blockDim.x * kWidth, self = selfInTile();
  return self < tile ? static_cast<int>(blockIdx.x) * tile + self : p.channels;
}

// Joins the values of the rows of a block, where a row is `columns` threads. The thread of an ownChannel() has its
// result. Two stages of short sums keep as many threads busy as possible.
template <int kWidth, typename Item>
__device__ inline Item joinRows(const Item (&own)[kWidth], int columns) {
  constexpr int kStride = kThreads + 4;  // puts neighbors into different banks
  __shared__ Item items[kWidth * kStride];
  const int rows = blockDim.x * blockDim.y / columns, tile = columns * kWidth, self = selfInTile();
  const int parts = rows / kWidth, part = self / tile, from = self / columns % kWidth * kStride + self % columns;
  __syncthreads();
#pragma unroll
  for (int i = 0; i < kWidth; i++) items[i * kStride + self] = own[i];
  __syncthreads();
  typename Item::Gather some, all;
  for (int row = part; part < parts && row < rows; row += parts) some.add(items[from + row * columns]);
  __syncthreads();
  items[self] = some.joined();
  __syncthreads();
  for (int i = 0; self < tile && i < parts; i++) all.add(items[i * tile + self % kWidth * columns + self / kWidth]);
  return all.joined();
}

// The pixels and channels of a thread.
template <int kWidth>
struct Share {
  int channel, first, end;

  __device__ explicit Share(const Norm& p) : Share(p, p.chunk) {}

  __device__ Share(const Norm& p, int pixels) {
    const int start = static_cast<int>(blockIdx.y) * pixels;
    channel = (blockIdx.x * blockDim.x + threadIdx.x) * kWidth;
    first = start + threadIdx.y;
    end = channel >= p.channels ? 0 : p.pixels - start < pixels ? p.pixels : start + pixels;
  }

  __device__ bool isEmpty() const { return first >= end; }
};

// Several pixels of a thread, loaded in parallel. Beyond the thread's end, its first pixel is loaded instead.
template <typename T, int kWidth, int kBatch>
struct Batch {
  Pack<T, kWidth> at[kBatch];

  __device__ void fetch(const void* from, const Norm& p, const Share<kWidth>& mine, int pixel) {
#pragma unroll
    for (int i = 0; i < kBatch; i++) {
      const int wanted = pixel + i * static_cast<int>(blockDim.y);
      const long long row = wanted < mine.end ? wanted : mine.first;
      at[i] = load<T, kWidth>(from, row * p.channels + mine.channel);
    }
  }
};

__device__ inline float* partialOf(const Norm& p, int block, int which, int channel) {
  return p.partial + (static_cast<long long>(block) * 2 + which) * p.channels + channel;
}

// Bypasses the L1 cache, because this launch may have written the data.
template <int kWidth>
__device__ inline Pack<float, kWidth> loadFresh(const float* from) {
  Pack<float, kWidth> result;
  if constexpr (kWidth % 4 == 0) {
#pragma unroll
    for (int i = 0; i < kWidth / 4; i++) {
      const float4 four = __ldcg(reinterpret_cast<const float4*>(from) + i);
      result.at[i * 4] = four.x;
      result.at[i * 4 + 1] = four.y;
      result.at[i * 4 + 2] = four.z;
      result.at[i * 4 + 3] = four.w;
    }
  } else {
    for (int i = 0; i < kWidth; i++) result.at[i] = __ldcg(from + i);
  }
  return result;
}

// Joins the partial results of the blocks of a tile, with kAhead loads in parallel.
template <typename Item, int kTileWidth, int kAhead>
__device__ inline Item joinPartials(const Norm& p) {
  constexpr int kWidth = kTileWidth % 4 == 0 ? 4 : 1;
  const int tile = blockDim.x * kTileWidth, columns = tile / kWidth, rows = blockDim.x * blockDim.y / columns;
  const int channel = blockIdx.x * tile + selfInTile() % columns * kWidth;
  typename Item::Gather gathered[kWidth];
  const int row = selfInTile() / columns;
  for (int block = channel < p.channels && row < rows ? row : p.partials; block < p.partials; block += kAhead * rows) {
    Pack<float, kWidth> first[kAhead], second[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; i++) {
      const int wanted = block + i * rows, some = wanted < p.partials ? wanted : block;
      first[i] = loadFresh<kWidth>(partialOf(p, some, 0, channel));
      second[i] = loadFresh<kWidth>(partialOf(p, some, 1, channel));
    }
#pragma unroll
    for (int i = 0; i < kAhead; i++) {
      if (block + i * rows >= p.partials) break;
#pragma unroll
      for (int j = 0; j < kWidth; j++) gathered[j].add(Item::of(p, block + i * rows, first[i].at[j], second[i].at[j]));
    }
  }
  Item own[kWidth];
#pragma unroll
  for (int j = 0; j < kWidth; j++) own[j] = gathered[j].joined();
  return joinRows<kWidth>(own, columns);
}

// The scale and shift of a channel. Every kernel computes them with the same rounding, so that forward and backward
// agree on what the ReLU lets pass.
struct Line {
  float scale, shift;
};

__device__ inline Line lineOf(float weight, float bias, float mean, float deviation) {
  const float scale = weight * deviation;
  return {scale, fmaf(-mean, scale, bias)};
}

}  // namespace srrl::kernels
