// Batch normalization with batch statistics, residual and ReLU, for channels_last maps: the forward pass.
#include "norm.h"

namespace srrl::kernels {

// Parameters and running statistics of a channel, read before the block has to wait for others.
struct Row {
  float weight = 0, bias = 0, mean = 0, var = 0;

  __device__ Row(const Norm& p, int channel) {
    if (channel >= p.channels) return;
    weight = p.weight[channel];
    bias = p.bias[channel];
    if (!p.runningMean) return;
    mean = p.runningMean[channel];
    var = p.runningVar[channel];
  }
};

// Stores the results of a channel after all blocks are joined.
__device__ inline void publish(const Norm& p, int channel, const Row& row, const Moment& all, float deviation) {
  p.mean[channel] = all.mean;
  p.deviation[channel] = deviation;
  if (p.tracked && channel == 0) *p.tracked += 1;
  if (!p.runningMean) return;
  p.runningMean[channel] = row.mean + p.momentum * (all.mean - row.mean);
  p.runningVar[channel] = row.var + p.momentum * (all.squares / (p.pixels - 1) - row.var);
}

__device__ inline float deviationOf(const Norm& p, const Moment& all) {
  return 1 / sqrtf(all.squares / p.pixels + p.eps);
}

// Reads pixels of the input; in kJoined, adds the other map and stores the sum.
template <typename T, int kWidth, Kind kKind>
__device__ inline void fetch(Batch<T, kWidth, kNormBatch>& batch, const Norm& p, const Share<kWidth>& mine, int pixel) {
  batch.fetch(p.input, p, mine, pixel);
  if (kKind != Kind::kJoined) return;
  Batch<T, kWidth, kNormBatch> other;
  other.fetch(p.residual, p, mine, pixel);
#pragma unroll
  for (int i = 0; i < kNormBatch; i++) {
#pragma unroll
    for (int j = 0; j < kWidth; j++) store(batch.at[i].at[j], toFloat(batch.at[i].at[j]) + toFloat(other.at[i].at[j]));
    const int at = pixel + i * static_cast<int>(blockDim.y);
    if (at < mine.end) save(p.sum, static_cast<long long>(at) * p.channels + mine.channel, batch.at[i]);
  }
}

template <typename T, int kWidth, Kind kKind>
__device__ void statistics(const Norm& p) {
  const Share<kWidth> mine(p);
  // Sums relative to the thread's first pixel, for precision.
  float origin[kWidth] = {}, sum[kWidth] = {}, squares[kWidth] = {};
  for (int pixel = mine.first; pixel < mine.end; pixel += kNormBatch * blockDim.y) {
    Batch<T, kWidth, kNormBatch> batch;
    fetch<T, kWidth, kKind>(batch, p, mine, pixel);
    if (pixel == mine.first) {
#pragma unroll
      for (int j = 0; j < kWidth; j++) origin[j] = toFloat(batch.at[0].at[j]);
    }
#pragma unroll
    for (int i = 0; i < kNormBatch; i++) {
#pragma unroll
      for (int j = 0; j < kWidth; j++) {
        const float apart = toFloat(batch.at[i].at[j]) - origin[j];
        sum[j] += apart;
        squares[j] = fmaf(apart, apart, squares[j]);
      }
    }
  }
  const int rows = blockDim.y;
  const float count = mine.isEmpty() ? 0 : (mine.end - mine.first + rows - 1) / rows;
  Moment own[kWidth];
#pragma unroll
  for (int j = 0; j < kWidth; j++) own[j] = Moment::Gather{count, origin[j], sum[j], squares[j]}.joined();
  const int channel = ownChannel<kWidth>(p);
  const Row row(p, channel);
  const Moment block = joinRows<kWidth>(own, blockDim.x);
  if (channel < p.channels) {
    *partialOf(p, blockIdx.y, 0, channel) = block.mean;
    *partialOf(p, blockIdx.y, 1, channel) = block.squares;
  }
  if (!p.counters || !isLastOf(p.counters + blockIdx.x, gridDim.y)) return;
  const Moment all = joinPartials<Moment, kWidth, kNormPartialsAhead>(p);
  if (channel < p.channels) publish(p, channel, row, all, deviationOf(p, all));
}

// Scale and shift of a thread's channels, from known statistics or from partial results that are joined here.
template <int kWidth>
struct Lines {
  Line at[kWidth];

  __device__ explicit Lines(const Norm& p) {
    __shared__ Line lines[kThreads];
    const int channel = ownChannel<kWidth>(p);
    const Row row(p, channel);
    const bool joins = p.partials > 0;
    Moment all{};
    if (joins) all = joinPartials<Moment, kWidth, kNormPartialsAhead>(p);
    if (channel < p.channels) {
      const float deviation = joins ? deviationOf(p, all) : p.deviation[channel];
      lines[selfInTile()] = lineOf(row.weight, row.bias, joins ? all.mean : p.mean[channel], deviation);
      if (joins && blockIdx.y == 0) publish(p, channel, row, all, deviation);
    }
    __syncthreads();
#pragma unroll
    for (int j = 0; j < kWidth; j++) at[j] = lines[threadIdx.x * kWidth + j];
  }

  __device__ float operator()(int j, float value) const { return fmaf(value, at[j].scale, at[j].shift); }
};

template <typename T, int kWidth, Kind kKind>
__device__ void apply(const Norm& p) {
  const Share<kWidth> mine(p);
  Batch<T, kWidth, kNormPairBatch> batch, other;
  const auto fetch = [&](int pixel) {
    batch.fetch(p.input, p, mine, pixel);
    if (kKind == Kind::kResidual || kKind == Kind::kJoined) other.fetch(p.residual, p, mine, pixel);
  };
  if (!mine.isEmpty()) fetch(mine.first);
  const Lines<kWidth> lines(p);
  for (int pixel = mine.first; pixel < mine.end; pixel += kNormPairBatch * blockDim.y) {
    if (pixel != mine.first) fetch(pixel);
#pragma unroll
    for (int i = 0; i < kNormPairBatch; i++) {
      const int at = pixel + i * static_cast<int>(blockDim.y);
      if (at >= mine.end) break;
      const long long place = static_cast<long long>(at) * p.channels + mine.channel;
      if (kKind == Kind::kJoined) {
#pragma unroll
        for (int j = 0; j < kWidth; j++)
          store(batch.at[i].at[j], toFloat(batch.at[i].at[j]) + toFloat(other.at[i].at[j]));
        save(p.sum, place, batch.at[i]);
      }
      Pack<T, kWidth> pack;
#pragma unroll
      for (int j = 0; j < kWidth; j++) {
        const float value =
            lines(j, toFloat(batch.at[i].at[j])) + (kKind == Kind::kResidual ? toFloat(other.at[i].at[j]) : 0);
        // NaN stays NaN, as in PyTorch's ReLU.
        store(pack.at[j], kKind != Kind::kLinear && value < 0 ? 0 : value);
      }
      save(p.result, place, pack);
    }
  }
}

// The mean of the output over the pixels of an image; one block per image and tile of channels.
template <typename T, int kWidth>
__device__ void applyPooled(const Norm& p) {
  const Share<kWidth> mine(p, p.area);
  Batch<T, kWidth, kNormPairBatch> batch;
  if (!mine.isEmpty()) batch.fetch(p.input, p, mine, mine.first);
  const Lines<kWidth> lines(p);
  Pair own[kWidth] = {};
  for (int pixel = mine.first; pixel < mine.end; pixel += kNormPairBatch * blockDim.y) {
    if (pixel != mine.first) batch.fetch(p.input, p, mine, pixel);
#pragma unroll
    for (int i = 0; i < kNormPairBatch; i++) {
      if (pixel + i * static_cast<int>(blockDim.y) >= mine.end) break;
#pragma unroll
      for (int j = 0; j < kWidth; j++) {
        const float value = lines(j, toFloat(batch.at[i].at[j]));
        own[j].plain += value < 0 ? 0 : value;
      }
    }
  }
  const Pair all = joinRows<kWidth>(own, blockDim.x);
  const int channel = ownChannel<kWidth>(p);
  if (channel < p.channels)
    store(static_cast<T*>(p.result)[static_cast<long long>(blockIdx.y) * p.channels + channel], all.plain / p.area);
}

}  // namespace srrl::kernels

#define SRRL_NORM_FORWARD(name, T, width)                                                                              \
  extern "C" __global__ SRRL_NORM_BOUNDS void norm_statistics_##name(Norm p) { statistics<T, width, Kind::kRelu>(p); } \
  extern "C" __global__ SRRL_NORM_BOUNDS void norm_statistics_joined_##name(Norm p) {                                  \
    statistics<T, width, Kind::kJoined>(p);                                                                            \
  }                                                                                                                    \
  extern "C" __global__ SRRL_NORM_BOUNDS void norm_apply_##name(Norm p) { apply<T, width, Kind::kRelu>(p); }           \
  extern "C" __global__ SRRL_NORM_BOUNDS void norm_apply_residual_##name(Norm p) {                                     \
    apply<T, width, Kind::kResidual>(p);                                                                               \
  }                                                                                                                    \
  extern "C" __global__ SRRL_NORM_BOUNDS void norm_apply_joined_##name(Norm p) { apply<T, width, Kind::kJoined>(p); }  \
  extern "C" __global__ SRRL_NORM_BOUNDS void norm_apply_linear_##name(Norm p) { apply<T, width, Kind::kLinear>(p); }  \
  extern "C" __global__ SRRL_NORM_BOUNDS void norm_apply_pooled_##name(Norm p) { applyPooled<T, width>(p); }

namespace srrl::kernels {
SRRL_NORM_FORWARD(float4, float, 4)
SRRL_NORM_FORWARD(float1, float, 1)
SRRL_NORM_FORWARD(bfloat8, BFloat16, 8)
SRRL_NORM_FORWARD(bfloat1, BFloat16, 1)
}  // namespace srrl::kernels
