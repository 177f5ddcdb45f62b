// The feature matching and softmax regression losses of SRRL: a block an image. The gradients of both are made in
// forward, where feature and classifier are at hand.
#include "common.h"

namespace srrl::kernels {

struct Losses {
  float matching = 0, regression = 0;
  __device__ void join(const Losses& other) {
    matching += other.matching;
    regression += other.regression;
  }
};

template <typename T, typename U>
__device__ void headLosses(const Head& p) {
  __shared__ float feature[kWidestHead], apart[kWidestHead];
  const long long image = blockIdx.x, first = image * p.width;
  const float perFeature = 2.0f / (static_cast<float>(p.images) * p.width), perLogit = 2.0f / (static_cast<float>(p.images) * p.classes);
  Losses own;
  for (int c = threadIdx.y; c < p.width; c += blockDim.y) {
    const float value = toFloat(static_cast<const T*>(p.feature)[first + c]);
    const float difference = value - toFloat(static_cast<const U*>(p.target)[first + c]);
    feature[c] = value;
    own.matching += difference * difference;
    p.gradients[first + c] = difference * perFeature;
  }
  __syncthreads();
  for (int k = threadIdx.y; k < p.classes; k += blockDim.y) {
    const float* row = p.weight + static_cast<long long>(k) * p.width;
    float logit = p.bias ? p.bias[k] : 0;
    for (int c = 0; c < p.width; c++) logit = fmaf(row[c], feature[c], logit);
    apart[k] = logit - toFloat(static_cast<const U*>(p.logits)[image * p.classes + k]);
    own.regression += apart[k] * apart[k];
  }
  __syncthreads();
  float* toFeature = p.gradients + static_cast<long long>(p.images) * p.width + first;
  for (int c = threadIdx.y; c < p.width; c += blockDim.y) {
    float sum = 0;
    for (int k = 0; k < p.classes; k++) sum = fmaf(apart[k], p.weight[static_cast<long long>(k) * p.width + c], sum);
    toFeature[c] = sum * perLogit;
  }
  joinRows(own);
  if (threadIdx.y == 0) {
    p.partial[2 * image] = own.matching;
    p.partial[2 * image + 1] = own.regression;
  }
  if (!isLastOf(p.counter, gridDim.x)) return;
  Losses all;
  for (int i = threadIdx.y; i < p.images; i += blockDim.y) {
    all.matching += __ldcg(p.partial + 2 * i);
    all.regression += __ldcg(p.partial + 2 * i + 1);
  }
  joinRows(all);
  if (threadIdx.y > 0) return;
  p.losses[0] = all.matching / (static_cast<float>(p.images) * p.width);
  p.losses[1] = all.regression / (static_cast<float>(p.images) * p.classes);
}

// The gradients of both losses, each times what came back for it.
template <typename T>
__device__ void headGradient(const Head& p) {
  const long long size = static_cast<long long>(p.images) * p.width;
  const float matching = *p.toMatching, regression = *p.toRegression;
  for (long long i = static_cast<long long>(blockIdx.x) * blockDim.y + threadIdx.y; i < size; i += static_cast<long long>(gridDim.x) * blockDim.y)
    store(static_cast<T*>(p.toFeature)[i], matching * p.gradients[i] + regression * p.gradients[size + i]);
}

extern "C" __global__ void head_losses_float_float(Head p) { headLosses<float, float>(p); }
extern "C" __global__ void head_losses_float_bfloat(Head p) { headLosses<float, BFloat16>(p); }
extern "C" __global__ void head_losses_bfloat_float(Head p) { headLosses<BFloat16, float>(p); }
extern "C" __global__ void head_losses_bfloat_bfloat(Head p) { headLosses<BFloat16, BFloat16>(p); }
extern "C" __global__ void head_gradient_float(Head p) { headGradient<float>(p); }
extern "C" __global__ void head_gradient_bfloat(Head p) { headGradient<BFloat16>(p); }

}  // namespace srrl::kernels
