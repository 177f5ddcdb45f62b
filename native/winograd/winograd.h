// 3x3 convolutions of stride 1 with one zero around, on channels-last maps, by Winograd's minimal filtering F(4x4, 3x3)
// (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016): 36 products for each 4x4 outputs instead
// of 144. No libtorch in here, so that these files can be compiled for wider CPUs than the rest.
#pragma once

#include <cstdint>

namespace srrl::winograd {

// One convolution. Maps are [count, height, width, channels], channels are multiples of 16. Tiles of 4x4 outputs are
// numbered through all images.
struct Maps {
  int64_t count, height, width;
  int64_t in, out;
};

// Not inline members: the linker would take one copy of these for all CPUs.
static inline int64_t tileCount(const Maps& maps) {
  return maps.count * ((maps.height + 3) / 4) * ((maps.width + 3) / 4);
}

// Right sides of products lie in panels of 32 columns (the last one may have 16), row by row, so that a product reads
// them from end to end.
static inline int64_t panelWidth(int64_t column, int64_t width) { return width - column / 32 * 32 < 32 ? 16 : 32; }
static inline int64_t inPanels(int64_t row, int64_t column, int64_t rows, int64_t width) {
  return column / 32 * 32 * rows + row * panelWidth(column, width) + column % 32;
}

// What is done to the result of a forward, in this order; null and false for nothing.
struct After {
  const float* bias = nullptr;      // [out]
  const float* residual = nullptr;  // of the shape of the result
  bool relu = false;
};

// A kernel of 3x3 in memory, by strides in numbers; a negative one runs backwards.
struct Layout {
  int64_t in, out, y, x;
};

// Scratch in numbers for `tiles` tiles at a time.
static inline int64_t scratchSize(const Maps& maps, int64_t tiles) { return 36 * tiles * (maps.in + maps.out); }

// The functions for one vector width.
struct Functions {
  // kernel => transformed [36, in, out] in panels, for input channels from `begin` to `end`.
  void (*transform)(const float* kernel, Layout layout, int64_t in, int64_t out, float* transformed, int64_t begin,
                    int64_t end);
  // The outputs of some tiles.
  void (*forward)(const Maps& maps, const float* input, const float* transformed, const After& after, float* output,
                  int64_t begin, int64_t end, float* scratch);
  // Adds to the gradient of the transformed kernel, [36, in, out] in panels, what some tiles contribute.
  void (*accumulate)(const Maps& maps, const float* input, const float* gradient, float* transformed, int64_t begin,
                     int64_t end, float* scratch);
  // Gradient of the transformed kernel => gradient of the kernel, for input channels from `begin` to `end`.
  void (*restore)(const float* transformed, Layout layout, int64_t in, int64_t out, float* kernel, int64_t begin,
                  int64_t end);
};

extern const Functions avx2, avx512;

}  // namespace srrl::winograd
