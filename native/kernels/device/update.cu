// Updates many parameters, their moving averages and their half-precision copies in one pass.
#include "common.h"

namespace srrl::kernels {

struct Factors {
  float lr, scale, share;
  bool skips;

  __device__ explicit Factors(const UpdateFactors& by)
      : lr(*by.lr), scale(by.scale ? *by.scale : 1), share(by.share ? *by.share : 0), skips(*by.found == 1) {}
};

// Updates neighboring parameters and their optimizer state.
struct SgdRule {
  using Parameters = Sgd;
  const Sgd& p;
  const SgdMember& m;

  __device__ SgdRule(const Sgd& p, const SgdMember& m, const Factors&) : p(p), m(m) {}

  __device__ bool isAligned() const { return kernels::isAligned(m.momentum, 16); }

  template <int kWidth>
  __device__ void change(Pack<float, kWidth>& param, const Pack<float, kWidth>& gradient, const Factors& by,
                         long long at) const {
    Pack<float, kWidth> momentum;
    if (m.momentum && !p.first) momentum = load<float, kWidth>(m.momentum, at);
    for (int i = 0; i < kWidth; i++) {
      float slope = gradient.at[i];
      if (p.maximize) slope = -slope;
      if (p.weightDecay != 0) slope += p.weightDecay * param.at[i];
      if (m.momentum) {
        momentum.at[i] = p.first ? slope : p.momentum * momentum.at[i] + (1 - p.dampening) * slope;
        slope = p.nesterov ? slope + p.momentum * momentum.at[i] : momentum.at[i];
      }
      param.at[i] -= by.lr * slope;
    }
    if (m.momentum) save(m.momentum, at, momentum);
  }
};

struct AdamRule {
  using Parameters = Adam;
  const Adam& p;
  const AdamMember& m;
  float stepSize, rootOfCorrection;

  // One thread computes the powers for its block.
  __device__ AdamRule(const Adam& p, const AdamMember& m, const Factors& by) : p(p), m(m) {
    __shared__ float shared[2];
    if (selfOf() == 0) {
      const double step = *m.step;
      shared[0] = static_cast<float>(by.lr / (1 - pow(p.beta1, step)));
      shared[1] = static_cast<float>(sqrt(1 - pow(p.beta2, step)));
    }
    __syncthreads();
    stepSize = shared[0];
    rootOfCorrection = shared[1];
  }

  __device__ bool isAligned() const {
    return kernels::isAligned(m.mean, 16) && kernels::isAligned(m.square, 16) && kernels::isAligned(m.largest, 16);
  }

  template <int kWidth>
  __device__ void change(Pack<float, kWidth>& param, const Pack<float, kWidth>& gradient, const Factors& by,
                         long long at) const {
    Pack<float, kWidth> mean = load<float, kWidth>(m.mean, at), square = load<float, kWidth>(m.square, at), largest;
    if (m.largest) largest = load<float, kWidth>(m.largest, at);
    const float beta1 = static_cast<float>(p.beta1), beta2 = static_cast<float>(p.beta2);
    const float rest1 = static_cast<float>(1 - p.beta1), rest2 = static_cast<float>(1 - p.beta2);
    for (int i = 0; i < kWidth; i++) {
      float slope = p.maximize ? -gradient.at[i] : gradient.at[i];
      if (p.decoupled)
        param.at[i] -= by.lr * p.weightDecay * param.at[i];
      else if (p.weightDecay != 0)
        slope += p.weightDecay * param.at[i];
      mean.at[i] = beta1 * mean.at[i] + rest1 * slope;
      square.at[i] = beta2 * square.at[i] + rest2 * slope * slope;
      if (m.largest) largest.at[i] = largest.at[i] > square.at[i] ? largest.at[i] : square.at[i];
      const float under = sqrtf(m.largest ? largest.at[i] : square.at[i]) / rootOfCorrection + p.eps;
      param.at[i] -= stepSize * mean.at[i] / under;
    }
    save(m.mean, at, mean);
    save(m.square, at, square);
    if (m.largest) save(m.largest, at, largest);
  }
};

template <typename Gradient, int kWidth, typename Rule>
__device__ inline void updateAt(const Rule& rule, const Factors& by, long long at) {
  const auto& m = rule.m;
  Pack<float, kWidth> param = load<float, kWidth>(m.param, at);
  if (!by.skips) {
    const Pack<Gradient, kWidth> narrow = load<Gradient, kWidth>(m.gradient, at);
    Pack<float, kWidth> gradient;
    for (int i = 0; i < kWidth; i++) gradient.at[i] = toFloat(narrow.at[i]) * by.scale;
    rule.change(param, gradient, by, at);
    save(m.param, at, param);
    if (m.half) {
      Pack<BFloat16, kWidth> half;
      for (int i = 0; i < kWidth; i++) store(half.at[i], param.at[i]);
      save(m.half, at, half);
    }
  }
  if (!m.average || by.share == 0) return;
  Pack<float, kWidth> average = load<float, kWidth>(m.average, at);
  for (int i = 0; i < kWidth; i++) average.at[i] += by.share * (param.at[i] - average.at[i]);
  save(m.average, at, average);
}

template <typename Gradient, typename Rule>
__device__ inline void updateChunk(const Rule& rule, const Factors& by, int first, int count) {
  const auto& m = rule.m;
  const bool wide = isAligned(m.param, 16) &&
                    isAligned(static_cast<const Gradient*>(m.gradient), 4 * sizeof(Gradient)) &&
                    isAligned(m.average, 16) && isAligned(static_cast<const char*>(m.half), 8) && rule.isAligned();
  const int whole = wide ? count / 4 * 4 : 0;
  for (int i = selfOf() * 4; i < whole; i += kThreads * 4) updateAt<Gradient, 4>(rule, by, first + i);
  for (int i = whole + selfOf(); i < count; i += kThreads) updateAt<Gradient, 1>(rule, by, first + i);
}

template <typename Rule>
__device__ inline void update(const typename Rule::Parameters& p) {
  const int which = memberOf(p.all);
  const auto& m = p.all.members[which];
  const Factors by(p.by);
  if (by.skips && (!m.average || by.share == 0)) return;
  const Rule rule(p, m, by);
  const int first = (blockIdx.x - p.all.firsts[which]) * kChunk, left = p.all.sizes[which] - first;
  const int count = left < kChunk ? left : kChunk;
  if (p.isNarrow[which])
    updateChunk<BFloat16>(rule, by, first, count);
  else
    updateChunk<float>(rule, by, first, count);
}

extern "C" __global__ void update_sgd(const __grid_constant__ Sgd p) { update<SgdRule>(p); }
extern "C" __global__ void update_adam(const __grid_constant__ Adam p) { update<AdamRule>(p); }

}  // namespace srrl::kernels
