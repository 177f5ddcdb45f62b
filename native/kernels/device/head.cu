// SRRL's feature matching and softmax regression losses. Forward also computes the gradients of both, because feature
// and classifier are at hand: in one launch with a block per image or, if each image would have to read too large a
// classifier, around two matrix products.
#include "common.h"

namespace srrl::kernels {

struct Losses {
  float matching = 0, regression = 0;
  __device__ void join(const Losses& other) {
    matching += other.matching;
    regression += other.regression;
  }
};

// Sums the losses over all images. `own` is the share of this thread in those of the block's image.
__device__ inline void sumOfImages(const Head& p, Losses own) {
  joinRows(own);
  if (selfOf() == 0) {
    p.partial[2 * blockIdx.x] = own.matching;
    p.partial[2 * blockIdx.x + 1] = own.regression;
  }
  if (!isLastOf(p.counter, gridDim.x)) return;
  Losses all;
  for (int i = selfOf(); i < p.images; i += kThreads) {
    all.matching += __ldcg(p.partial + 2 * i);
    all.regression += __ldcg(p.partial + 2 * i + 1);
  }
  joinRows(all);
  if (selfOf() > 0) return;
  *p.matching = all.matching / (static_cast<float>(p.images) * p.width);
  *p.regression = all.regression / (static_cast<float>(p.images) * p.classes);
}

// The squared difference of one coordinate of the features. Its gradient is stored.
template <typename U>
__device__ inline float matchingOf(const Head& p, float value, long long at, int column) {
  const float difference = value - toFloat(static_cast<const U*>(p.target)[at + column]);
  p.gradients[at + column] = difference * (2.0f / (static_cast<float>(p.images) * p.width));
  return difference * difference;
}

// A warp processes kGroup rows of the classifier at a time, with kPieces numbers of each row per lane. They yield the
// logit and, once its difference is known, the gradient of the feature, so that the classifier is read once.
template <typename T, typename U, int kPieces, int kGroup>
__device__ void headLosses(const Head& p) {
  constexpr int kWarps = kThreads / kLanes;
  __shared__ float sums[kWarps][kPieces * kLanes];
  const int lane = selfOf() % kLanes, warp = selfOf() / kLanes;
  const long long at = static_cast<long long>(blockIdx.x) * p.width;
  const U* const logits = static_cast<const U*>(p.logits) + static_cast<long long>(blockIdx.x) * p.classes;
  float feature[kPieces], gradient[kPieces];
#pragma unroll
  for (int j = 0; j < kPieces; j++) {
    const int c = j * kLanes + lane;
    feature[j] = c < p.width ? toFloat(static_cast<const T*>(p.feature)[at + c]) : 0;
    gradient[j] = 0;
  }
  Losses own;
  // All warps run the same number of rounds.
  for (int round = 0; round < p.classes; round += kWarps * kGroup) {
    float row[kGroup][kPieces], apart[kGroup];
#pragma unroll
    for (int g = 0; g < kGroup; g++) {
      const int k = round + warp * kGroup + g;
#pragma unroll
      for (int j = 0; j < kPieces; j++) {
        const int c = j * kLanes + lane;
        row[g][j] = k < p.classes && c < p.width ? p.weight[static_cast<long long>(k) * p.width + c] : 0;
      }
      apart[g] = k < p.classes ? (p.bias ? p.bias[k] : 0) - toFloat(logits[k]) : 0;
    }
#pragma unroll
    for (int g = 0; g < kGroup; g++) {
      float product = 0;
#pragma unroll
      for (int j = 0; j < kPieces; j++) product = fmaf(row[g][j], feature[j], product);
      apart[g] += sumOfLanes(product);
      if (lane == 0) own.regression += apart[g] * apart[g];
#pragma unroll
      for (int j = 0; j < kPieces; j++) gradient[j] = fmaf(apart[g], row[g][j], gradient[j]);
    }
  }
#pragma unroll
  for (int j = 0; j < kPieces; j++) sums[warp][j * kLanes + lane] = gradient[j];
  __syncthreads();
  float* const toFeature = p.gradients + static_cast<long long>(p.images) * p.width + at;
  for (int c = selfOf(); c < p.width; c += kThreads) {
    float sum = 0;
#pragma unroll
    for (int i = 0; i < kWarps; i++) sum += sums[i][c];
    toFeature[c] = sum * (2.0f / (static_cast<float>(p.images) * p.classes));
    own.matching += matchingOf<U>(p, toFloat(static_cast<const T*>(p.feature)[at + c]), at, c);
  }
  sumOfImages(p, own);
}

// The same if W r(h_S) + b was computed before. The kernel replaces it with the factor that, times W, is the gradient.
template <typename T, typename U>
__device__ void headDifferences(const Head& p) {
  const long long at = static_cast<long long>(blockIdx.x) * p.width,
                  row = static_cast<long long>(blockIdx.x) * p.classes;
  Losses own;
  for (int c = selfOf(); c < p.width; c += kThreads)
    own.matching += matchingOf<U>(p, toFloat(static_cast<const T*>(p.feature)[at + c]), at, c);
  for (int k = selfOf(); k < p.classes; k += kThreads) {
    const float apart = p.products[row + k] - toFloat(static_cast<const U*>(p.logits)[row + k]);
    own.regression += apart * apart;
    p.products[row + k] = apart * (2.0f / (static_cast<float>(p.images) * p.classes));
  }
  sumOfImages(p, own);
}

// The gradients of both losses, each times its incoming gradient.
template <typename T>
__device__ void headGradient(const Head& p) {
  const long long size = static_cast<long long>(p.images) * p.width;
  const float matching = *p.toMatching, regression = *p.toRegression;
  for (long long i = static_cast<long long>(blockIdx.x) * blockDim.y + threadIdx.y; i < size;
       i += static_cast<long long>(gridDim.x) * blockDim.y)
    store(static_cast<T*>(p.toFeature)[i], matching * p.gradients[i] + regression * p.gradients[size + i]);
}

#define HEAD_KERNELS(name, T, U)                                                          \
  extern "C" __global__ void head_losses4_##name(Head p) { headLosses<T, U, 4, 4>(p); }   \
  extern "C" __global__ void head_losses8_##name(Head p) { headLosses<T, U, 8, 2>(p); }   \
  extern "C" __global__ void head_losses16_##name(Head p) { headLosses<T, U, 16, 1>(p); } \
  extern "C" __global__ void head_differences_##name(Head p) { headDifferences<T, U>(p); }

HEAD_KERNELS(float_float, float, float)
HEAD_KERNELS(float_bfloat, float, BFloat16)
HEAD_KERNELS(bfloat_float, BFloat16, float)
HEAD_KERNELS(bfloat_bfloat, BFloat16, BFloat16)

extern "C" __global__ void head_gradient_float(Head p) { headGradient<float>(p); }
extern "C" __global__ void head_gradient_bfloat(Head p) { headGradient<BFloat16>(p); }

}  // namespace srrl::kernels
