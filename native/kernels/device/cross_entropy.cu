// Mean cross-entropy with labels, its gradient, and the number of correct predictions: one warp per image.
#include "common.h"

namespace srrl::kernels {

// A logit and its class. NaN ranks above all numbers; among equal values the first wins.
struct Best {
  float value;
  int place;
};

__device__ inline bool isBefore(const Best& a, const Best& b) {
  const bool nan = a.value != a.value, otherNan = b.value != b.value;
  if (nan != otherNan) return nan;
  if (!nan && a.value != b.value) return a.value > b.value;
  return a.place < b.place;
}

__device__ inline Best bestOfLanes(Best own) {
  for (int reach = kLanes / 2; reach > 0; reach /= 2) {
    Best other;
    other.value = __uint_as_float(lanesXor(__float_as_uint(own.value), reach));
    other.place = static_cast<int>(lanesXor(static_cast<unsigned>(own.place), reach));
    if (isBefore(other, own)) own = other;
  }
  return own;
}

struct Found {
  float loss = 0, right = 0;
  __device__ void join(const Found& other) {
    loss += other.loss;
    right += other.right;
  }
};

// A lane holds up to kPieces logits of its image.
template <typename T, int kPieces>
__device__ void crossEntropy(const CrossEntropy& p) {
  const int lane = selfOf() % kLanes, image = blockIdx.x * (blockDim.y / kLanes) + selfOf() / kLanes;
  // A warp without an image still takes part in the reductions of its block.
  const bool isReal = image < p.images;
  const long long row = static_cast<long long>(isReal ? image : 0) * p.classes;
  const long long label = p.labels ? p.labels[isReal ? image : 0] : -1;
  const float share = p.smoothing / p.classes, largest = __uint_as_float(0x7f800000u);
  float logits[kPieces], targets[kPieces];
  Best best{-largest, 0x7fffffff};
#pragma unroll
  for (int j = 0; j < kPieces; j++) {
    const int k = j * kLanes + lane;
    const bool isThere = k < p.classes;
    logits[j] = isThere ? toFloat(static_cast<const T*>(p.logits)[row + k]) : -largest;
    targets[j] = !isThere ? 0 : share + (1 - p.smoothing) * (p.labels ? (k == label ? 1.0f : 0.0f) : p.shares[row + k]);
    if (isThere && isBefore({logits[j], k}, best)) best = {logits[j], k};
  }
  best = bestOfLanes(best);
  float sum = 0, total = 0;
#pragma unroll
  for (int j = 0; j < kPieces; j++) {
    if (j * kLanes + lane >= p.classes) continue;
    sum += expf(logits[j] - best.value);
    total += targets[j];
  }
  sum = sumOfLanes(sum);
  total = sumOfLanes(total);
  const float logSum = best.value + logf(sum);
  float loss = 0;
#pragma unroll
  for (int j = 0; j < kPieces; j++) {
    const int k = j * kLanes + lane;
    if (k >= p.classes) continue;
    // As in libtorch, a class without weight in the label may have any logit.
    if (targets[j] != 0 || !p.labels) loss += targets[j] * (logSum - logits[j]);
    if (isReal) p.gradients[row + k] = (total * expf(logits[j] - logSum) - targets[j]) / p.images;
  }
  loss = sumOfLanes(loss);
  // An invalid label is an error in libtorch; here the loss becomes NaN, also for -100, which libtorch ignores.
  if (p.labels && (label < 0 || label >= p.classes)) loss = __uint_as_float(0x7fc00000u);
  Found own;
  if (isReal && lane == 0) {
    own.loss = loss;
    own.right = best.place == label ? 1 : 0;
  }
  joinRows(own);
  if (selfOf() == 0) {
    p.partial[2 * blockIdx.x] = own.loss;
    p.partial[2 * blockIdx.x + 1] = own.right;
  }
  if (!isLastOf(p.counter, gridDim.x)) return;
  Found all;
  for (int i = selfOf(); i < static_cast<int>(gridDim.x); i += blockDim.y) {
    all.loss += __ldcg(p.partial + 2 * i);
    all.right += __ldcg(p.partial + 2 * i + 1);
  }
  joinRows(all);
  if (selfOf() > 0) return;
  *p.loss = all.loss / p.images;
  *p.right = static_cast<long long>(all.right);
}

// The gradient of the loss with respect to the logits times the incoming gradient.
template <typename T>
__device__ void crossEntropyGradient(const CrossEntropy& p) {
  const long long size = static_cast<long long>(p.images) * p.classes;
  const float factor = *p.toLoss;
  for (long long i = static_cast<long long>(blockIdx.x) * blockDim.y + threadIdx.y; i < size;
       i += static_cast<long long>(gridDim.x) * blockDim.y)
    store(static_cast<T*>(p.toLogits)[i], factor * p.gradients[i]);
}

#define CROSS_ENTROPY_KERNELS(name, T)                                                          \
  extern "C" __global__ void cross_entropy4_##name(CrossEntropy p) { crossEntropy<T, 4>(p); }   \
  extern "C" __global__ void cross_entropy32_##name(CrossEntropy p) { crossEntropy<T, 32>(p); } \
  extern "C" __global__ void cross_entropy_gradient_##name(CrossEntropy p) { crossEntropyGradient<T>(p); }

CROSS_ENTROPY_KERNELS(float, float)
CROSS_ENTROPY_KERNELS(bfloat, BFloat16)

}  // namespace srrl::kernels
