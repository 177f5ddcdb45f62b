// Gradients of batch normalization with batch statistics, residual and ReLU, for channels_last maps.
#include "norm.h"

namespace srrl::kernels {

// Stores the results of a channel after all blocks are joined.
__device__ inline void publish(const Norm& p, int channel, const Pair& all, float deviation) {
  p.toWeight[channel] = all.distant * deviation;
  p.toBias[channel] = all.plain;
}

__device__ constexpr int batchOf(Kind kind) {
  return kind == Kind::kResidual || kind == Kind::kJoined ? kNormTripleBatch : kNormPairBatch;
}

// What a thread reads for a pixel. Without a residual, recomputing the output is faster than reading it.
template <typename T, int kWidth, Kind kKind>
struct Pixels {
  static constexpr int kBatch = batchOf(kKind);
  Batch<T, kWidth, kBatch> input, gradient, output;

  __device__ void fetch(const Norm& p, const Share<kWidth>& mine, int pixel) {
    input.fetch(p.input, p, mine, pixel);
    if (kKind == Kind::kPooled) {
#pragma unroll
      for (int i = 0; i < kBatch; i++) {
        const int wanted = pixel + i * static_cast<int>(blockDim.y);
        const long long image = (wanted < mine.end ? wanted : mine.first) / p.area;
        gradient.at[i] = load<T, kWidth>(p.gradient, image * p.channels + mine.channel);
      }
    } else {
      gradient.fetch(p.gradient, p, mine, pixel);
    }
    if (kKind == Kind::kResidual) output.fetch(p.output, p, mine, pixel);
  }

  // The gradient after the ReLU. `share`: the part of the incoming gradient for one pixel, if the output was pooled.
  __device__ float passed(int i, int j, const Line& line, float share) const {
    const float given = toFloat(gradient.at[i].at[j]);
    if (kKind == Kind::kLinear) return given;
    const float result = kKind == Kind::kResidual ? toFloat(output.at[i].at[j])
                                                  : fmaf(toFloat(input.at[i].at[j]), line.scale, line.shift);
    return result <= 0 ? 0 : kKind == Kind::kPooled ? given * share : given;
  }
};

// Values that all pixels of a channel share.
struct Channel {
  Line line;
  float mean, slope, offset;
};

__device__ inline Channel channelOf(const Norm& p, int channel, float deviation) {
  if (channel >= p.channels) return {};
  const float mean = p.mean[channel];
  return {lineOf(p.weight[channel], p.bias[channel], mean, deviation), mean, 0, 0};
}

__device__ inline void setGradient(Channel& channel, const Norm& p, const Pair& all, float deviation) {
  channel.slope = all.distant * deviation * deviation / p.pixels;
  channel.offset = all.plain / p.pixels;
}

// Distributes the values of each ownChannel() to the threads that process the channel.
template <int kWidth>
__device__ inline void spread(const Channel& own, Channel (&all)[kWidth]) {
  __shared__ Channel channels[kThreads];
  channels[selfInTile()] = own;
  __syncthreads();
#pragma unroll
  for (int j = 0; j < kWidth; j++) all[j] = channels[threadIdx.x * kWidth + j];
}

template <typename T, int kWidth, Kind kKind>
__device__ void sums(const Norm& p) {
  const Share<kWidth> mine(p);
  const int channel = ownChannel<kWidth>(p);
  constexpr int kBatch = batchOf(kKind);
  Pixels<T, kWidth, kKind> pixels;
  if (!mine.isEmpty()) pixels.fetch(p, mine, mine.first);
  const float deviation = channel < p.channels ? p.deviation[channel] : 0;
  Channel known = channelOf(p, channel, deviation), channels[kWidth];
  spread(known, channels);
  const float share = 1 / static_cast<float>(p.area);
  Pair own[kWidth] = {};
  for (int pixel = mine.first; pixel < mine.end; pixel += kBatch * blockDim.y) {
    if (pixel != mine.first) pixels.fetch(p, mine, pixel);
#pragma unroll
    for (int i = 0; i < kBatch; i++) {
      if (pixel + i * static_cast<int>(blockDim.y) >= mine.end) break;
#pragma unroll
      for (int j = 0; j < kWidth; j++) {
        const float gradient = pixels.passed(i, j, channels[j].line, share);
        own[j].plain += gradient;
        own[j].distant = fmaf(gradient, toFloat(pixels.input.at[i].at[j]) - channels[j].mean, own[j].distant);
      }
    }
  }
  const Pair block = joinRows<kWidth>(own, blockDim.x);
  if (channel < p.channels) {
    *partialOf(p, blockIdx.y, 0, channel) = block.plain;
    *partialOf(p, blockIdx.y, 1, channel) = block.distant;
  }
  if (!p.counters || !isLastOf(p.counters + blockIdx.x, gridDim.y)) return;
  const Pair all = joinPartials<Pair, kWidth, kNormPartialsAhead>(p);
  if (channel >= p.channels) return;
  publish(p, channel, all, deviation);
  setGradient(known, p, all, deviation);
  p.slope[channel] = known.slope;
  p.offset[channel] = known.offset;
}

template <typename T, int kWidth, Kind kKind>
__device__ void gradients(const Norm& p) {
  const Share<kWidth> mine(p);
  const int channel = ownChannel<kWidth>(p);
  constexpr int kBatch = batchOf(kKind);
  Pixels<T, kWidth, kKind> pixels;
  Batch<T, kWidth, kBatch> further;
  const auto fetch = [&](int pixel) {
    pixels.fetch(p, mine, pixel);
    if (kKind == Kind::kJoined) further.fetch(p.toSum, p, mine, pixel);
  };
  if (!mine.isEmpty()) fetch(mine.first);
  const bool inside = channel < p.channels;
  const float deviation = inside ? p.deviation[channel] : 0;
  Channel known = channelOf(p, channel, deviation), channels[kWidth];
  if (p.partials > 0) {
    const Pair all = joinPartials<Pair, kWidth, kNormPartialsAhead>(p);
    setGradient(known, p, all, deviation);
    if (inside && blockIdx.y == 0) publish(p, channel, all, deviation);
  } else if (inside) {
    known.slope = p.slope[channel];
    known.offset = p.offset[channel];
  }
  spread(known, channels);
  const float share = 1 / static_cast<float>(p.area);
  for (int pixel = mine.first; pixel < mine.end; pixel += kBatch * blockDim.y) {
    if (pixel != mine.first) fetch(pixel);
#pragma unroll
    for (int i = 0; i < kBatch; i++) {
      const int row = pixel + i * static_cast<int>(blockDim.y);
      if (row >= mine.end) break;
      const long long at = static_cast<long long>(row) * p.channels + mine.channel;
      Pack<T, kWidth> result, toResidual;
#pragma unroll
      for (int j = 0; j < kWidth; j++) {
        const float gradient = pixels.passed(i, j, channels[j].line, share),
                    apart = toFloat(pixels.input.at[i].at[j]) - channels[j].mean;
        const float own = (gradient - channels[j].offset - apart * channels[j].slope) * channels[j].line.scale;
        store(result.at[j], kKind == Kind::kJoined ? own + toFloat(further.at[i].at[j]) : own);
        store(toResidual.at[j], gradient);
      }
      save(p.result, at, result);
      if (kKind == Kind::kResidual) save(p.toResidual, at, toResidual);
    }
  }
}

}  // namespace srrl::kernels

#define SRRL_NORM_BACKWARD(name, T, width)                                                                           \
  extern "C" __global__ SRRL_NORM_BOUNDS void norm_sums_##name(Norm p) { sums<T, width, Kind::kRelu>(p); }           \
  extern "C" __global__ SRRL_NORM_BOUNDS void norm_sums_residual_##name(Norm p) {                                    \
    sums<T, width, Kind::kResidual>(p);                                                                              \
  }                                                                                                                  \
  extern "C" __global__ SRRL_NORM_BOUNDS void norm_sums_linear_##name(Norm p) { sums<T, width, Kind::kLinear>(p); }  \
  extern "C" __global__ SRRL_NORM_BOUNDS void norm_sums_pooled_##name(Norm p) { sums<T, width, Kind::kPooled>(p); }  \
  extern "C" __global__ SRRL_NORM_BOUNDS void norm_gradients_##name(Norm p) { gradients<T, width, Kind::kRelu>(p); } \
  extern "C" __global__ SRRL_NORM_BOUNDS void norm_gradients_residual_##name(Norm p) {                               \
    gradients<T, width, Kind::kResidual>(p);                                                                         \
  }                                                                                                                  \
  extern "C" __global__ SRRL_NORM_BOUNDS void norm_gradients_linear_##name(Norm p) {                                 \
    gradients<T, width, Kind::kLinear>(p);                                                                           \
  }                                                                                                                  \
  extern "C" __global__ SRRL_NORM_BOUNDS void norm_gradients_pooled_##name(Norm p) {                                 \
    gradients<T, width, Kind::kPooled>(p);                                                                           \
  }                                                                                                                  \
  extern "C" __global__ SRRL_NORM_BOUNDS void norm_gradients_joined_##name(Norm p) {                                 \
    gradients<T, width, Kind::kJoined>(p);                                                                           \
  }

namespace srrl::kernels {
SRRL_NORM_BACKWARD(float4, float, 4)
SRRL_NORM_BACKWARD(float1, float, 1)
SRRL_NORM_BACKWARD(bfloat8, BFloat16, 8)
SRRL_NORM_BACKWARD(bfloat1, BFloat16, 1)
}  // namespace srrl::kernels
