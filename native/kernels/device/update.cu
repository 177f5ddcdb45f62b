// The update of many parameters, their averages and their copies in half precision in one pass.
#include "common.h"

namespace srrl::kernels {

struct Factors {
  float lr, scale, share;
  bool skips;

  __device__ explicit Factors(const Sgd& p)
      : lr(*p.lr), scale(p.scale ? *p.scale : 1), share(p.share ? *p.share : 0), skips(*p.found == 1) {}
};

template <typename Gradient, int kWidth>
__device__ inline void sgdAt(const Sgd& p, const SgdMember& m, const Factors& by, long long at) {
  Pack<float, kWidth> param = load<float, kWidth>(m.param, at);
  if (!by.skips) {
    const Pack<Gradient, kWidth> gradient = load<Gradient, kWidth>(m.gradient, at);
    Pack<float, kWidth> momentum;
    Pack<BFloat16, kWidth> half;
    if (m.momentum && !p.first) momentum = load<float, kWidth>(m.momentum, at);
    for (int i = 0; i < kWidth; i++) {
      float slope = toFloat(gradient.at[i]) * by.scale;
      if (p.maximize) slope = -slope;
      if (p.weightDecay != 0) slope += p.weightDecay * param.at[i];
      if (m.momentum) {
        momentum.at[i] = p.first ? slope : p.momentum * momentum.at[i] + (1 - p.dampening) * slope;
        slope = p.nesterov ? slope + p.momentum * momentum.at[i] : momentum.at[i];
      }
      param.at[i] -= by.lr * slope;
      store(half.at[i], param.at[i]);
    }
    if (m.momentum) save(m.momentum, at, momentum);
    save(m.param, at, param);
    if (m.half) save(m.half, at, half);
  }
  if (!m.average || by.share == 0) return;
  Pack<float, kWidth> average = load<float, kWidth>(m.average, at);
  for (int i = 0; i < kWidth; i++) average.at[i] += by.share * (param.at[i] - average.at[i]);
  save(m.average, at, average);
}

template <typename Gradient>
__device__ inline void sgdChunk(const Sgd& p, const SgdMember& m, const Factors& by, int first, int count) {
  const bool wide = isAligned(m.param, 16) && isAligned(static_cast<const Gradient*>(m.gradient), 4 * sizeof(Gradient)) &&
                    isAligned(m.momentum, 16) && isAligned(m.average, 16) && isAligned(static_cast<const char*>(m.half), 8);
  const int whole = wide ? count / 4 * 4 : 0;
  for (int i = selfOf() * 4; i < whole; i += kThreads * 4) sgdAt<Gradient, 4>(p, m, by, first + i);
  for (int i = whole + selfOf(); i < count; i += kThreads) sgdAt<Gradient, 1>(p, m, by, first + i);
}

extern "C" __global__ void update_sgd(const __grid_constant__ Sgd p) {
  const int which = memberOf(p.all);
  const SgdMember m = p.all.members[which];
  const Factors by(p);
  if (by.skips && (!m.average || by.share == 0)) return;
  const int first = (blockIdx.x - p.all.firsts[which]) * kChunk, left = p.all.sizes[which] - first;
  const int count = left < kChunk ? left : kChunk;
  if (p.isNarrow[which]) sgdChunk<BFloat16>(p, m, by, first, count);
  else sgdChunk<float>(p, m, by, first, count);
}

}  // namespace srrl::kernels
