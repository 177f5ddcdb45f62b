// Batch normalization with the batch's own statistics, an addition and a ReLU, for maps in channels_last, in two
// launches forward and two backward. A thread has kWidth neighboring channels of every blockDim.y-th pixel of its
// block's chunk; statistics are float32, joined in an order that never changes.
#include "common.h"

namespace srrl::kernels {

// Mean and squared deviations of some pixels (Welford; joined after Chan et al.).
template <int kWidth>
struct Moments {
  float count = 0;
  float mean[kWidth] = {};
  float squares[kWidth] = {};

  template <typename T>
  __device__ void add(const Pack<T, kWidth>& pixel) {
    count += 1;
    const float share = 1 / count;
    for (int i = 0; i < kWidth; i++) {
      const float value = toFloat(pixel.at[i]), apart = value - mean[i];
      mean[i] += apart * share;
      squares[i] += apart * (value - mean[i]);
    }
  }

  __device__ void join(const Moments& other) {
    if (other.count == 0) return;
    const float total = count + other.count, share = other.count / total;
    for (int i = 0; i < kWidth; i++) {
      const float apart = other.mean[i] - mean[i];
      mean[i] += apart * share;
      squares[i] += other.squares[i] + apart * apart * count * share;
    }
    count = total;
  }
};

// Sums of the gradient behind the ReLU, and of it times the distance from the mean.
template <int kWidth>
struct Sums {
  float plain[kWidth] = {};
  float distant[kWidth] = {};

  __device__ void join(const Sums& other) {
    for (int i = 0; i < kWidth; i++) {
      plain[i] += other.plain[i];
      distant[i] += other.distant[i];
    }
  }
};

// The pixels and channels of a thread.
template <int kWidth>
struct Share {
  int channel, first, end, step;

  __device__ explicit Share(const Norm& p) {
    channel = (blockIdx.x * blockDim.x + threadIdx.x) * kWidth;
    first = firstOf(blockIdx.y, p) + threadIdx.y;
    end = channel < p.channels ? firstOf(blockIdx.y + 1, p) : 0;
    step = blockDim.y;
  }

  static __device__ int firstOf(int chunk, const Norm& p) { return static_cast<int>(static_cast<long long>(chunk) * p.pixels / p.chunks); }
};

__device__ inline float* partialOf(const Norm& p, int chunk, int which, int channel) {
  return p.partial + (static_cast<long long>(chunk) * 2 + which) * p.channels + channel;
}

template <typename T, int kWidth>
__device__ void statistics(const Norm& p) {
  const Share<kWidth> mine(p);
  Moments<kWidth> own;
  for (int pixel = mine.first; pixel < mine.end; pixel += mine.step)
    own.add(load<T, kWidth>(p.input, static_cast<long long>(pixel) * p.channels + mine.channel));
  joinRows(own);
  const bool writes = threadIdx.y == 0 && mine.channel < p.channels;
  for (int i = 0; writes && i < kWidth; i++) {
    *partialOf(p, blockIdx.y, 0, mine.channel + i) = own.mean[i];
    *partialOf(p, blockIdx.y, 1, mine.channel + i) = own.squares[i];
  }
  if (!isLastOf(p.counters + blockIdx.x, gridDim.y)) return;
  Moments<kWidth> all;
  for (int chunk = threadIdx.y; chunk < p.chunks && mine.channel < p.channels; chunk += blockDim.y) {
    Moments<kWidth> part;
    part.count = Share<kWidth>::firstOf(chunk + 1, p) - Share<kWidth>::firstOf(chunk, p);
    for (int i = 0; i < kWidth; i++) {
      part.mean[i] = __ldcg(partialOf(p, chunk, 0, mine.channel + i));
      part.squares[i] = __ldcg(partialOf(p, chunk, 1, mine.channel + i));
    }
    all.join(part);
  }
  joinRows(all);
  for (int i = 0; writes && i < kWidth; i++) {
    const int channel = mine.channel + i;
    p.mean[channel] = all.mean[i];
    p.deviation[channel] = 1 / sqrtf(all.squares[i] / p.pixels + p.eps);
    if (!p.runningMean) continue;
    p.runningMean[channel] += p.momentum * (all.mean[i] - p.runningMean[channel]);
    p.runningVar[channel] += p.momentum * (all.squares[i] / (p.pixels - 1) - p.runningVar[channel]);
  }
}

// What a channel's values are multiplied by, and what is added.
template <int kWidth>
struct Affine {
  float scale[kWidth], shift[kWidth];

  __device__ Affine(const Norm& p, int channel) {
    for (int i = 0; i < kWidth; i++) {
      scale[i] = p.weight[channel + i] * p.deviation[channel + i];
      shift[i] = p.bias[channel + i] - p.mean[channel + i] * scale[i];
    }
  }

  // The same rounding in every kernel, so that forward and backward agree on what the ReLU lets pass.
  __device__ float operator()(int i, float value) const { return fmaf(value, scale[i], shift[i]); }
};

template <typename T, int kWidth, bool kResidual>
__device__ void apply(const Norm& p) {
  const Share<kWidth> mine(p);
  if (mine.first >= mine.end) return;
  const Affine<kWidth> affine(p, mine.channel);
  for (int pixel = mine.first; pixel < mine.end; pixel += mine.step) {
    const long long at = static_cast<long long>(pixel) * p.channels + mine.channel;
    Pack<T, kWidth> pack = load<T, kWidth>(p.input, at), other;
    if (kResidual) other = load<T, kWidth>(p.residual, at);
    for (int i = 0; i < kWidth; i++) {
      const float value = affine(i, toFloat(pack.at[i])) + (kResidual ? toFloat(other.at[i]) : 0);
      // NaN stays NaN, as in a ReLU.
      store(pack.at[i], value < 0 ? 0 : value);
    }
    save(p.result, at, pack);
  }
}

template <int kWidth>
struct Total {
  float value[kWidth] = {};
  __device__ void join(const Total& other) {
    for (int i = 0; i < kWidth; i++) value[i] += other.value[i];
  }
};

// The mean of each image's output; the block of an image and some channels.
template <typename T, int kWidth>
__device__ void applyPooled(const Norm& p) {
  const int channel = (blockIdx.x * blockDim.x + threadIdx.x) * kWidth;
  const long long first = static_cast<long long>(blockIdx.y) * p.area;
  const bool inside = channel < p.channels;
  Total<kWidth> own;
  if (inside) {
    const Affine<kWidth> affine(p, channel);
    for (int pixel = threadIdx.y; pixel < p.area; pixel += blockDim.y) {
      const Pack<T, kWidth> pack = load<T, kWidth>(p.input, (first + pixel) * p.channels + channel);
      for (int i = 0; i < kWidth; i++) {
        const float value = affine(i, toFloat(pack.at[i]));
        own.value[i] += value < 0 ? 0 : value;
      }
    }
  }
  joinRows(own);
  if (threadIdx.y > 0 || !inside) return;
  Pack<T, kWidth> pack;
  for (int i = 0; i < kWidth; i++) store(pack.at[i], own.value[i] / p.area);
  save(p.result, static_cast<long long>(blockIdx.y) * p.channels + channel, pack);
}

enum class Kind { kPlain, kResidual, kPooled };

// The gradient of some channels of a pixel behind the ReLU, and the distance of its values from the mean. Without a
// residual it is faster to compute the output once more than to read it.
template <typename T, int kWidth, Kind kKind>
struct Back {
  float gradient[kWidth], distance[kWidth];

  __device__ Back(const Norm& p, const Affine<kWidth>& affine, const float* mean, int pixel, int channel) {
    const long long at = static_cast<long long>(pixel) * p.channels + channel;
    const bool pooled = kKind == Kind::kPooled;
    const long long from = pooled ? static_cast<long long>(pixel / p.area) * p.channels + channel : at;
    const Pack<T, kWidth> input = load<T, kWidth>(p.input, at), given = load<T, kWidth>(p.gradient, from);
    Pack<T, kWidth> output;
    if (kKind == Kind::kResidual) output = load<T, kWidth>(p.output, at);
    for (int i = 0; i < kWidth; i++) {
      const float value = toFloat(input.at[i]);
      const float result = kKind == Kind::kResidual ? toFloat(output.at[i]) : affine(i, value);
      const float passed = pooled ? toFloat(given.at[i]) / p.area : toFloat(given.at[i]);
      gradient[i] = result <= 0 ? 0 : passed;
      distance[i] = value - mean[i];
    }
  }
};

template <typename T, int kWidth, Kind kKind>
__device__ void sums(const Norm& p) {
  const Share<kWidth> mine(p);
  Sums<kWidth> own;
  if (mine.first < mine.end) {
    const Affine<kWidth> affine(p, mine.channel);
    for (int pixel = mine.first; pixel < mine.end; pixel += mine.step) {
      const Back<T, kWidth, kKind> back(p, affine, p.mean + mine.channel, pixel, mine.channel);
      for (int i = 0; i < kWidth; i++) {
        own.plain[i] += back.gradient[i];
        own.distant[i] += back.gradient[i] * back.distance[i];
      }
    }
  }
  joinRows(own);
  const bool writes = threadIdx.y == 0 && mine.channel < p.channels;
  for (int i = 0; writes && i < kWidth; i++) {
    *partialOf(p, blockIdx.y, 0, mine.channel + i) = own.plain[i];
    *partialOf(p, blockIdx.y, 1, mine.channel + i) = own.distant[i];
  }
  if (!isLastOf(p.counters + blockIdx.x, gridDim.y)) return;
  Sums<kWidth> all;
  for (int chunk = threadIdx.y; chunk < p.chunks && mine.channel < p.channels; chunk += blockDim.y) {
    for (int i = 0; i < kWidth; i++) {
      all.plain[i] += __ldcg(partialOf(p, chunk, 0, mine.channel + i));
      all.distant[i] += __ldcg(partialOf(p, chunk, 1, mine.channel + i));
    }
  }
  joinRows(all);
  for (int i = 0; writes && i < kWidth; i++) {
    const int channel = mine.channel + i;
    const float deviation = p.deviation[channel];
    p.toWeight[channel] = all.distant[i] * deviation;
    p.toBias[channel] = all.plain[i];
    p.slope[channel] = all.distant[i] * deviation * deviation / p.pixels;
    p.offset[channel] = all.plain[i] / p.pixels;
  }
}

template <typename T, int kWidth, Kind kKind>
__device__ void gradients(const Norm& p) {
  const Share<kWidth> mine(p);
  if (mine.first >= mine.end) return;
  const Affine<kWidth> affine(p, mine.channel);
  for (int pixel = mine.first; pixel < mine.end; pixel += mine.step) {
    const Back<T, kWidth, kKind> back(p, affine, p.mean + mine.channel, pixel, mine.channel);
    const long long at = static_cast<long long>(pixel) * p.channels + mine.channel;
    Pack<T, kWidth> result, toResidual;
    for (int i = 0; i < kWidth; i++) {
      const int channel = mine.channel + i;
      store(result.at[i], (back.gradient[i] - p.offset[channel] - back.distance[i] * p.slope[channel]) * affine.scale[i]);
      store(toResidual.at[i], back.gradient[i]);
    }
    save(p.result, at, result);
    if (kKind == Kind::kResidual) save(p.toResidual, at, toResidual);
  }
}

}  // namespace srrl::kernels

#define SRRL_NORM_KERNELS(name, T, width)                                                                            \
  extern "C" __global__ void norm_statistics_##name(Norm p) { statistics<T, width>(p); }                             \
  extern "C" __global__ void norm_apply_##name(Norm p) { apply<T, width, false>(p); }                                \
  extern "C" __global__ void norm_apply_residual_##name(Norm p) { apply<T, width, true>(p); }                        \
  extern "C" __global__ void norm_apply_pooled_##name(Norm p) { applyPooled<T, width>(p); }                          \
  extern "C" __global__ void norm_sums_##name(Norm p) { sums<T, width, Kind::kPlain>(p); }                           \
  extern "C" __global__ void norm_sums_residual_##name(Norm p) { sums<T, width, Kind::kResidual>(p); }               \
  extern "C" __global__ void norm_sums_pooled_##name(Norm p) { sums<T, width, Kind::kPooled>(p); }                   \
  extern "C" __global__ void norm_gradients_##name(Norm p) { gradients<T, width, Kind::kPlain>(p); }                 \
  extern "C" __global__ void norm_gradients_residual_##name(Norm p) { gradients<T, width, Kind::kResidual>(p); }     \
  extern "C" __global__ void norm_gradients_pooled_##name(Norm p) { gradients<T, width, Kind::kPooled>(p); }

namespace srrl::kernels {
SRRL_NORM_KERNELS(float4, float, 4)
SRRL_NORM_KERNELS(float1, float, 1)
SRRL_NORM_KERNELS(bfloat8, BFloat16, 8)
SRRL_NORM_KERNELS(bfloat1, BFloat16, 1)
}  // namespace srrl::kernels
