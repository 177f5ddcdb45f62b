// Batch normalization of channels-last maps, what is added to it and the ReLU behind it, in as few passes over memory
// as there can be. No libtorch in here, so that these files can be compiled for wider CPUs than the rest. Maps are
// [pixels, channels], channels are multiples of 16.
#pragma once

#include <cstdint>

namespace srrl::norm {

// What a pixel becomes: in * scale + shift + residual, and ReLU. Null and false for nothing.
struct Affine {
  const float *scale, *shift;  // [channels]
  const float* residual = nullptr;
  bool relu = false;
};

// A gradient behind ReLU, and what is needed to see where it gets through.
struct Gradient {
  const float* gradient;
  const float* in;
  const float* out;   // null where nothing was added: then it is computed once more
  const float* mean;  // [channels]
  const float *scale, *shift;
};

// The functions for one vector width; each for pixels from `begin` to `end`.
struct Functions {
  void (*affine)(const float* in, const Affine& affine, float* out, int64_t channels, int64_t begin, int64_t end);
  // Mean, and sum of squared deviations from it, of each channel.
  void (*moments)(const float* in, double* mean, double* squares, int64_t channels, int64_t begin, int64_t end);
  // Of each channel the sum of the gradient, and of the gradient times (in - mean).
  void (*sums)(const Gradient& back, double* sum, double* product, int64_t channels, int64_t begin, int64_t end);
  // toIn = (gradient - (in - mean) * slope - offset) * scale; toResidual, unless null, is the gradient that got
  // through.
  void (*back)(const Gradient& back, const float* slope, const float* offset, float* toIn, float* toResidual,
               int64_t channels, int64_t begin, int64_t end);
};

extern const Functions avx2, avx512;

}  // namespace srrl::norm
