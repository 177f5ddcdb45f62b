// What the host passes to each kernel: one structure by value. Compiled by the host's compiler and by NVRTC, so plain
// C++ without any header.
#pragma once

namespace srrl::kernels {

// The most threads in a block.
constexpr int kThreads = 256;

// relu(batch norm of the batch's own statistics + residual) of [pixels, channels], in two launches each way.
struct Norm {
  const void* input;
  const void* residual;  // added before the ReLU, or null
  const void* gradient;  // of the output; backward only
  const void* output;    // what forward returned; backward only, and only behind a residual
  void* result;          // forward: the output; backward: the gradient of the input
  void* toResidual;      // backward: the gradient of the residual, or null
  const float* weight;   // [channels], as all below
  const float* bias;
  float* mean;
  float* deviation;  // 1 / sqrt(variance + eps)
  float* runningMean;
  float* runningVar;  // both or neither
  float* toWeight;
  float* toBias;
  float* slope;   // of the gradient of the input over input - mean
  float* offset;  // what the gradient of the input has too much
  float* partial;     // [chunks, 2, channels]: what each block found
  unsigned* counters;  // [tiles], 0 before and after: how many blocks of a tile are done
  int pixels, channels, chunks;
  int area;  // pixels an image, where the output is the mean over them, [images, channels]; else 0
  float momentum, eps;
};

// Crops, flips and normalizes images.
struct Views {
  const unsigned char* images;  // [N, channels, height, width]
  const long long* rows;        // [count]: which image
  const long long* draws;       // [count, 3]: first row, first column, 1 where mirrored
  const float* table;           // [channels, 256]: what each value of a pixel becomes
  float* result;                // [count, height, width, channels]
  int count, channels, height, width;
};

}  // namespace srrl::kernels
