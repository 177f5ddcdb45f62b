// Batch normalization of channels_last maps with residual and ReLU, in as few passes over memory as possible. Without
// libtorch, so that these files can be compiled for wider vectors than the rest. Maps are [pixels, channels]; channels
// are multiples of 16.
#pragma once

#include <cstdint>

namespace srrl::norm {

// out = in * scale + shift + residual, then ReLU. Null or false for nothing.
struct Affine {
  const float *scale, *shift;  // [channels]
  const float* residual = nullptr;
  bool relu = false;
};

// The gradient of the output, and what is needed to decide where the ReLU passes it.
struct Gradient {
  const float* gradient;
  const float* in;
  const float* out;   // the output; null if there was no residual, then it is recomputed
  const float* mean;  // [channels]
  const float *scale, *shift;
};

// The functions for one vector width, each for pixels from `begin` to `end`.
struct Functions {
  void (*affine)(const float* in, const Affine& affine, float* out, int64_t channels, int64_t begin, int64_t end);
  // Computes the mean of each channel and the sum of squared deviations from it.
  void (*moments)(const float* in, double* mean, double* squares, int64_t channels, int64_t begin, int64_t end);
  // Sums over each channel: the gradient behind the ReLU, and that times (in - mean).
  void (*sums)(const Gradient& back, double* sum, double* product, int64_t channels, int64_t begin, int64_t end);
  // toIn = (gradient - (in - mean) * slope - offset) * scale; toResidual, unless null, receives the gradient behind the
  // ReLU.
  void (*back)(const Gradient& back, const float* slope, const float* offset, float* toIn, float* toResidual,
               int64_t channels, int64_t begin, int64_t end);
};

extern const Functions avx2, avx512;

}  // namespace srrl::norm
