// What the host passes to each kernel: one structure by value. Compiled by the host's compiler and by NVRTC, so plain
// C++ without any header.
#pragma once

namespace srrl::kernels {

// The most threads in a block.
constexpr int kThreads = 256;

// Threads of a warp.
constexpr int kLanes = 32;

// How a map is spread over blocks and threads; the rest is in norm_tiling.h.
constexpr int kNormBatch = 8;          // pixels that a thread reads at once for statistics,
constexpr int kNormPairBatch = 4;      // from one or two maps otherwise,
constexpr int kNormTripleBatch = 2;    // and from three
constexpr int kNormTileBytes = 128;    // of a pixel that a block has at most
constexpr int kNormPartialsAhead = 4;  // partial results that a thread reads at once

// Batch normalization of [pixels, channels] by the batch's own statistics, in two launches each way.
struct Norm {
  const void* input;
  const void* residual;  // added before the ReLU, or to the input
  const void* gradient;  // of the output; backward only
  const void* output;    // what forward returned; backward only, and only behind a residual
  void* result;          // forward: the output; backward: the gradient of the input
  void* sum;             // forward: input + residual, where that is normalized
  void* toResidual;      // backward: the gradient of what was added before the ReLU
  const void* toSum;     // backward: a gradient to add to that of the input
  const float* weight;   // [channels], as all below
  const float* bias;
  float* mean;
  float* deviation;  // 1 / sqrt(variance + eps)
  float* runningMean;
  float* runningVar;  // both or neither
  float* toWeight;
  float* toBias;
  float* slope;    // of the gradient of the input over input - mean
  float* offset;   // what the gradient of the input has too much
  float* partial;  // [partials, 2, channels]: what each block found
  unsigned*
      counters;  // [tiles], 0 before and after: how many blocks of a tile are done; null where the next launch joins
  long long* tracked;  // batches counted, or null
  int pixels, channels;
  int chunk;                    // pixels a block
  int partials, partialPixels;  // blocks that left something to join, and pixels of each
  int area;                     // pixels an image, where the output is the mean over them, [images, channels]; else 0
  float momentum, eps;
};

// The largest value of each window of maps in channels_last. Sizes are [rows, columns].
struct Pool {
  const void* input;      // [images, size, channels]; forward only
  const void* gradient;   // [images, outputSize, channels]; backward only
  unsigned char* places;  // [images, outputSize, channels]: which value of its window each is, row by row
  void* result;           // forward: the output; backward: the gradient of the input
  int images, channels;
  int size[2], outputSize[2], kernel[2], stride[2], padding[2];
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

// Many tensors in one launch: a block has the neighboring elements of one of them.
template <typename Item, int kItems>
struct Many {
  using Member = Item;
  static constexpr int kMost = kItems;
  Member members[kMost];
  int sizes[kMost];   // elements, at least 1
  int firsts[kMost];  // the first block of each
  int count;
};

// Elements and bytes of a block.
constexpr int kChunk = 2048, kChunkBytes = 4 * kChunk;

// What an update reads on the device.
struct UpdateFactors {
  const float* lr;
  const float* found;  // where it is 1, parameters and what is kept for them stay as they are
  const float* scale;  // what gradients are multiplied by, or null
  const float* share;  // the part by which averages follow, or null
};

struct SgdMember {
  float* param;
  const void* gradient;
  float* average;   // follows the new value, or null
  void* half;       // becomes the new value in bfloat16, or null
  float* momentum;  // or null
};

// A step of stochastic gradient descent as PyTorch's.
struct Sgd {
  using Members = Many<SgdMember, 72>;
  Members all;
  bool isNarrow[Members::kMost];  // whether a gradient is in bfloat16, or else in float32
  UpdateFactors by;
  float momentum, dampening, weightDecay;
  bool nesterov, maximize, first;
};

struct AdamMember {
  float* param;
  const void* gradient;
  float* average;
  void* half;
  float *mean, *square;  // running means of the gradient and of its square
  float* largest;        // of these squares so far, or null
  const float* step;     // updates, with this one
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

// The norm of gradients, as one vector, and the largest magnitude of each of some statistics.
struct Magnitudes {
  using Members = Many<const void*, 192>;
  Members all;                    // gradients, and behind them statistics, each the work of one block
  bool isNarrow[Members::kMost];  // whether a gradient is in bfloat16; all else is float32
  int gradients;                  // members of this launch
  float* largest;                 // [statistics] of this launch
  float* partial;                 // [blocks of gradients] of this launch
  const float* partials;          // those of all launches
  int blocks;                     // of gradients, in all launches
  unsigned* counter;              // 0 before and after
  float* total;
};

// One number of any type.
enum class Type { kNone, kFloat, kDouble, kBFloat16, kLong };
struct Scalar {
  const void* data;
  Type type;
};

// Whether a step has NaN or Inf, and what follows from it.
struct Judge {
  static constexpr int kMost = 160;
  Scalar scalars[kMost];  // losses, and behind them terms, which do not decide
  int losses, count;
  const float* norm;     // of the gradients
  const float* largest;  // [statistics]
  int statistics;
  bool normDecides;
  double* values;  // [losses + 1 + statistics + terms]
  double* log;     // [rows, values], or null: then nothing below is changed but factors
  int rows;
  long long* next;  // row of the log
  float* any;
  float* found;
  bool sticky;   // found stays 1
  float* scale;  // of gradients whose norm must be at most maxNorm, or null
  float maxNorm;
  float* share;  // by which averages follow, or null; 0 where they do not
  long long* averaged;
  float decay, constantShare;
  bool warmUp;
};

// Adds values times weights, and the weight behind them, to sums.
struct Means {
  static constexpr int kMost = 160;
  Scalar values[kMost];
  int count;
  const double* weights;  // [count + 1]
  double* sums;
  const float* found;  // above 0: nothing is added; or null
};

struct CopyMember {
  void* to;
  const void* from;
};

struct Copy {
  using Members = Many<CopyMember, 128>;
  Members all;         // sizes are bytes
  const float* where;  // nothing is copied unless it is above 0; or null
};

// The losses of SRRL between r(h_S) and the teacher's h_T and z_T.
struct Head {
  const void* feature;           // r(h_S), [images, width]
  const void* target;            // h_T, [images, width]
  const void* logits;            // z_T, [images, classes]
  const float* weight;           // W_T, [classes, width]
  const float* bias;             // b_T, [classes], or null
  float* products;               // W_T r(h_S) + b_T, [images, classes], where it was made before
  float *matching, *regression;  // L_FM, L_SR
  float* gradients;              // of both, [2, images, width]
  float* partial;                // [images, 2]
  unsigned* counter;
  const float *toMatching, *toRegression;  // what came back for the losses; backward only
  void* toFeature;                         // [images, width]; backward only
  int images, width, classes;
};

// The mean cross-entropy of logits with labels.
struct CrossEntropy {
  const void* logits;       // [images, classes]
  const long long* labels;  // [images], or null
  const float* shares;      // [images, classes]: the part that each class has in the label, where labels is null
  float* loss;
  float* gradients;  // of the logits, [images, classes]
  long long* right;  // how many labels have the largest logit
  float* partial;    // [blocks, 2]
  unsigned* counter;
  const float* toLoss;  // what came back for the loss; backward only
  void* toLogits;       // [images, classes]; backward only
  int images, classes;
  float smoothing;
};

}  // namespace srrl::kernels
