// 3x3 convolutions with stride 1 and padding 1 on channels_last maps, by Winograd's minimal filtering F(4x4, 3x3)
// (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016): 36 instead of 144 multiplications per
// 4x4 outputs. Without libtorch, so that these files can be compiled for wider vectors than the rest.
#pragma once

#include <cstdint>

namespace srrl::winograd {

// One convolution. Maps are [count, height, width, channels]; channels are multiples of 16. Tiles of 4x4 outputs are
// numbered through all images.
struct Maps {
  int64_t count, height, width;
  int64_t in, out;
};

// `static`, because the linker would keep one copy of an inline function for all CPUs.
static inline int64_t tileCount(const Maps& maps) {
  return maps.count * ((maps.height + 3) / 4) * ((maps.width + 3) / 4);
}

// Right sides of products are stored in panels of 32 columns (the last may have 16), row by row, so that a product
// reads them sequentially.
static inline int64_t panelWidth(int64_t column, int64_t width) { return width - column / 32 * 32 < 32 ? 16 : 32; }
static inline int64_t inPanels(int64_t row, int64_t column, int64_t rows, int64_t width) {
  return column / 32 * 32 * rows + row * panelWidth(column, width) + column % 32;
}

// What is applied to the result of forward, in this order; null or false for nothing.
struct After {
  const float* bias = nullptr;      // [out]
  const float* residual = nullptr;  // with the shape of the result
  bool relu = false;
};

// Strides of a 3x3 kernel, in floats. Negative strides run backward.
struct Layout {
  int64_t in, out, y, x;
};

// Floats of scratch memory for `tiles` tiles at a time.
static inline int64_t scratchSize(const Maps& maps, int64_t tiles) { return 36 * tiles * (maps.in + maps.out); }

// The functions for one vector width.
struct Functions {
  // Transforms a kernel to [36, in, out] in panels, for input channels from `begin` to `end`.
  void (*transform)(const float* kernel, Layout layout, int64_t in, int64_t out, float* transformed, int64_t begin,
                    int64_t end);
  // Computes the outputs of tiles from `begin` to `end`.
  void (*forward)(const Maps& maps, const float* input, const float* transformed, const After& after, float* output,
                  int64_t begin, int64_t end, float* scratch);
  // Adds the contribution of tiles to the gradient of the transformed kernel, [36, in, out] in panels.
  void (*accumulate)(const Maps& maps, const float* input, const float* gradient, float* transformed, int64_t begin,
                     int64_t end, float* scratch);
  // Converts the gradient of the transformed kernel to that of the kernel, for input channels from `begin` to `end`.
  void (*restore)(const float* transformed, Layout layout, int64_t in, int64_t out, float* kernel, int64_t begin,
                  int64_t end);
};

extern const Functions avx2, avx512;

}  // namespace srrl::winograd
