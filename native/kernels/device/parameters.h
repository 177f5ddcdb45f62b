// Parameters that the host passes to each kernel by value. Compiled by the host compiler and by NVRTC, so it is plain
// C++ without headers.
#pragma once

namespace srrl::kernels {

// The most threads per block.
constexpr int kThreads = 256;

// Threads per warp.
constexpr int kLanes = 32;

// How a map is divided among blocks and threads; see also norm_tiling.h.
constexpr int kNormBatch = 8;          // pixels that a thread reads at once for statistics,
constexpr int kNormPairBatch = 4;      // from one or two maps otherwise,
constexpr int kNormTripleBatch = 2;    // and from three maps
constexpr int kNormTileBytes = 128;    // the most bytes of a pixel per block
constexpr int kNormPartialsAhead = 4;  // partial results that a thread reads at once

// Batch normalization of [pixels, channels] with batch statistics, in two launches each for forward and backward.
struct Norm {
  const void* input;
  const void* residual;  // added before the ReLU, or to the input
  const void* gradient;  // of the output; backward only
  const void* output;    // the forward result; backward only, and only with a residual
  void* result;          // forward: the output; backward: the gradient of the input
  void* sum;             // forward: input + residual, if the sum is normalized
  void* toResidual;      // backward: the gradient of the residual that was added before the ReLU
  const void* toSum;     // backward: a gradient to add to that of the input
  const float* weight;   // [channels], as the pointers below
  const float* bias;
  float* mean;
  float* deviation;  // 1 / sqrt(variance + eps)
  float* runningMean;
  float* runningVar;  // both or neither
  float* toWeight;
  float* toBias;
  float* slope;        // coefficient of (input - mean) in the gradient of the input
  float* offset;       // constant that is subtracted in the gradient of the input
  float* partial;      // [partials, 2, channels]: the partial results of blocks
  unsigned* counters;  // [tiles], 0 before and after: finished blocks of each tile; null if the next launch joins
  long long* tracked;  // the number of batches seen, or null
  int pixels, channels;
  int chunk;                    // pixels per block
  int partials, partialPixels;  // number of partial results to join, and pixels behind each
  int area;                     // pixels per image if the output is the mean over them, [images, channels]; else 0
  float momentum, eps;
};

// Maximum pooling of channels_last maps. Sizes are [rows, columns].
struct Pool {
  const void* input;      // [images, size, channels]; forward only
  const void* gradient;   // [images, outputSize, channels]; backward only
  unsigned char* places;  // [images, outputSize, channels]: index of the maximum within its window, row by row
  void* result;           // forward: the output; backward: the gradient of the input
  int images, channels;
  int size[2], outputSize[2], kernel[2], stride[2], padding[2];
};

// Crop, flip and normalization of images.
struct Views {
  const unsigned char* images;  // [N, channels, height, width]
  const long long* rows;        // [count]: index of the image
  const long long* draws;       // [count, 3]: first row, first column, 1 if flipped
  const void* table;            // [channels, 256]: the normalized value of each pixel value, float or BFloat16
  void* result;                 // [count, height, width, channels], of the same type
  int count, channels, height, width;
};

// Many tensors in one launch: a block processes neighboring elements of one of them.
template <typename Item, int kItems>
struct Many {
  using Member = Item;
  static constexpr int kMost = kItems;
  Member members[kMost];
  int sizes[kMost];   // elements, at least 1
  int firsts[kMost];  // the first block of each
  int count;
};

// Elements and bytes per block.
constexpr int kChunk = 2048, kChunkBytes = 4 * kChunk;

// Factors that an update reads on the device.
struct UpdateFactors {
  const float* lr;
  const float* found;  // if 1, parameters and optimizer state stay unchanged
  const float* scale;  // factor for gradients, or null
  const float* share;  // update rate of the averages, or null
};

struct SgdMember {
  float* param;
  const void* gradient;
  float* average;   // moving average of the parameter, or null
  void* half;       // bfloat16 copy of the parameter, or null
  float* momentum;  // or null
};

// A step of stochastic gradient descent, as PyTorch's.
struct Sgd {
  using Members = Many<SgdMember, 72>;
  Members all;
  bool isNarrow[Members::kMost];  // whether the gradient is bfloat16; otherwise float32
  UpdateFactors by;
  float momentum, dampening, weightDecay;
  bool nesterov, maximize, first;
};

struct AdamMember {
  float* param;
  const void* gradient;
  float* average;
  void* half;
  float *mean, *square;  // running means of the gradient and its square
  float* largest;        // the largest of these squares so far (amsgrad), or null
  const float* step;     // number of updates including this one
};

// A step of Adam, or of AdamW (decoupled), as PyTorch's.
struct Adam {
  using Members = Many<AdamMember, 48>;
  Members all;
  bool isNarrow[Members::kMost];
  UpdateFactors by;
  double beta1, beta2;
  float weightDecay, eps;
  bool maximize, decoupled;
};

// The norm of all gradients as one vector, and the largest magnitude of each of the statistics.
struct Magnitudes {
  using Members = Many<const void*, 192>;
  Members all;                    // gradients, then statistics; each of the latter is the work of one block
  bool isNarrow[Members::kMost];  // whether the gradient is bfloat16; everything else is float32
  int gradients;                  // gradients in this launch
  float* largest;                 // [statistics] of this launch
  float* partial;                 // [blocks of gradients] of this launch
  const float* partials;          // of all launches
  int blocks;                     // of gradients, in all launches
  unsigned* counter;              // 0 before and after
  float* total;
};

// A number of any supported type.
enum class Type { kNone, kFloat, kDouble, kBFloat16, kLong };
struct Scalar {
  const void* data;
  Type type;
};

// Whether a step has NaN or Inf, and the updates that follow from it.
struct Judge {
  static constexpr int kMost = 160;
  Scalar scalars[kMost];  // losses, then terms; terms do not decide
  int losses, count;
  const float* norm;     // of the gradients
  const float* largest;  // [statistics]
  int statistics;
  bool normDecides;
  double* values;  // [losses + 1 + statistics + terms]
  double* log;     // [rows, values]; if null, only scale, share and averaged are updated
  int rows;
  long long* next;  // the row of the log to write
  float* any;
  float* found;
  bool sticky;   // whether found stays 1 once it is
  float* scale;  // factor that limits the norm of the gradients to maxNorm, or null
  float maxNorm;
  float* share;  // update rate of moving averages, 0 if the step is not finite; or null
  long long* averaged;
  float decay, constantShare;
  bool warmUp;
};

// sums += weights * [values..., 1].
struct Means {
  static constexpr int kMost = 160;
  Scalar values[kMost];
  int count;
  const double* weights;  // [count + 1]
  double* sums;
  const float* found;  // if above 0, nothing is added; or null
};

struct CopyMember {
  void* to;
  const void* from;
};

struct Copy {
  using Members = Many<CopyMember, 128>;
  Members all;         // sizes are in bytes
  const float* where;  // copies only if it is above 0; or null
};

// The losses of SRRL between r(h_S) and the teacher's h_T and z_T.
struct Head {
  const void* feature;           // r(h_S), [images, width]
  const void* target;            // h_T, [images, width]
  const void* logits;            // z_T, [images, classes]
  const float* weight;           // W_T, [classes, width]
  const float* bias;             // b_T, [classes], or null
  float* products;               // W_T r(h_S) + b_T, [images, classes], if computed before
  float *matching, *regression;  // L_FM, L_SR
  float* gradients;              // of both losses, [2, images, width]
  float* partial;                // [images, 2]
  unsigned* counter;
  const float *toMatching, *toRegression;  // incoming gradients of the losses; backward only
  void* toFeature;                         // [images, width]; backward only
  int images, width, classes;
};

// Mean cross-entropy of logits with labels.
struct CrossEntropy {
  const void* logits;       // [images, classes]
  const long long* labels;  // class indices, [images], or null
  const float* shares;      // class probabilities, [images, classes], if labels is null
  float* loss;
  float* gradients;  // of the logits, [images, classes]
  long long* right;  // number of images whose largest logit is that of the label
  float* partial;    // [blocks, 2]
  unsigned* counter;
  const float* toLoss;  // incoming gradient of the loss; backward only
  void* toLogits;       // [images, classes]; backward only
  int images, classes;
  float smoothing;
};

}  // namespace srrl::kernels
