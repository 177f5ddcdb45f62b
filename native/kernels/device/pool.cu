// Maximum pooling of channels_last maps. A thread has kWidth neighboring channels of one window in forward, and in
// backward of one pixel or of the pixels that share windows. Backward gathers from the windows around a pixel, so the
// order of sums is fixed and nothing has to be zeroed first.
#include "common.h"

namespace srrl::kernels {

// The work item of a thread, out of images x rows x columns x groups of channels.
struct Spot {
  int image, row, column, channel;

  __device__ Spot(unsigned at, int rows, int columns, int channels, int width) {
    const unsigned groups = channels / width;
    channel = static_cast<int>(at % groups) * width;
    at /= groups;
    column = static_cast<int>(at % columns);
    at /= columns;
    row = static_cast<int>(at % rows);
    image = static_cast<int>(at / rows);
  }
};

__device__ inline unsigned selfOfGrid() { return blockIdx.x * blockDim.y + threadIdx.y; }

__device__ inline unsigned countOf(const Pool& p, int rows, int columns, int width) {
  return static_cast<unsigned>(p.images) * rows * columns * (p.channels / width);
}

__device__ inline int within(int value, int size) { return value < 0 ? 0 : value >= size ? size - 1 : value; }

__device__ inline long long indexOf(const Spot& spot, const int* size, int row, int column, int channels) {
  return ((static_cast<long long>(spot.image) * size[0] + row) * size[1] + column) * channels + spot.channel;
}

// The largest value so far and its index. The first of equal values wins, and NaN wins over numbers, as in PyTorch.
template <typename T, int kWidth>
struct Maximum {
  float value[kWidth] = {};
  unsigned char place[kWidth] = {};
  bool any = false;

  __device__ void see(const Pack<T, kWidth>& pack, int at) {
    for (int i = 0; i < kWidth; i++) {
      const float seen = toFloat(pack.at[i]);
      if (any && !(seen > value[i]) && seen == seen) continue;
      value[i] = seen;
      place[i] = static_cast<unsigned char>(at);
    }
    any = true;
  }
};

// kSize: rows and columns of the window, or 0 to read them from the parameters.
template <typename T, int kWidth, int kSize>
__device__ void maxPool(const Pool& p) {
  const unsigned self = selfOfGrid();
  if (self >= countOf(p, p.outputSize[0], p.outputSize[1], kWidth)) return;
  const Spot spot(self, p.outputSize[0], p.outputSize[1], p.channels, kWidth);
  const int top = spot.row * p.stride[0] - p.padding[0], left = spot.column * p.stride[1] - p.padding[1];
  Maximum<T, kWidth> largest;
  if constexpr (kSize > 0) {
    // All loads are issued at once. Positions outside of the map are clamped when loaded, and skipped below.
    Pack<T, kWidth> packs[kSize * kSize];
    for (int at = 0; at < kSize * kSize; at++) {
      const int row = within(top + at / kSize, p.size[0]), column = within(left + at % kSize, p.size[1]);
      packs[at] = load<T, kWidth>(p.input, indexOf(spot, p.size, row, column, p.channels));
    }
    for (int at = 0; at < kSize * kSize; at++) {
      const int row = top + at / kSize, column = left + at % kSize;
      if (row >= 0 && row < p.size[0] && column >= 0 && column < p.size[1]) largest.see(packs[at], at);
    }
  } else {
    for (int i = 0; i < p.kernel[0]; i++) {
      const int row = top + i;
      if (row < 0 || row >= p.size[0]) continue;
      for (int j = 0; j < p.kernel[1]; j++) {
        const int column = left + j;
        if (column < 0 || column >= p.size[1]) continue;
        largest.see(load<T, kWidth>(p.input, indexOf(spot, p.size, row, column, p.channels)), i * p.kernel[1] + j);
      }
    }
  }
  const long long to = indexOf(spot, p.outputSize, spot.row, spot.column, p.channels);
  Pack<T, kWidth> result;
  Pack<unsigned char, kWidth> places;
  for (int i = 0; i < kWidth; i++) {
    store(result.at[i], largest.value[i]);
    places.at[i] = largest.place[i];
  }
  save(p.result, to, result);
  save(p.places, to, places);
}

// The gradient of a pixel: the sum over all windows in which it is the maximum.
template <typename T, int kWidth>
__device__ void maxPoolGradient(const Pool& p) {
  const unsigned self = selfOfGrid();
  if (self >= countOf(p, p.size[0], p.size[1], kWidth)) return;
  const Spot spot(self, p.size[0], p.size[1], p.channels, kWidth);
  float sum[kWidth] = {};
  // Relative to the start of the padding, window w covers [w * stride, w * stride + kernel).
  const int row = spot.row + p.padding[0], column = spot.column + p.padding[1];
  const int firstRow = row < p.kernel[0] ? 0 : (row - p.kernel[0]) / p.stride[0] + 1;
  const int firstColumn = column < p.kernel[1] ? 0 : (column - p.kernel[1]) / p.stride[1] + 1;
  for (int y = firstRow; y <= row / p.stride[0] && y < p.outputSize[0]; y++) {
    for (int x = firstColumn; x <= column / p.stride[1] && x < p.outputSize[1]; x++) {
      const int place = (row - y * p.stride[0]) * p.kernel[1] + column - x * p.stride[1];
      const long long from = indexOf(spot, p.outputSize, y, x, p.channels);
      const Pack<unsigned char, kWidth> places = load<unsigned char, kWidth>(p.places, from);
      const Pack<T, kWidth> gradient = load<T, kWidth>(p.gradient, from);
      for (int i = 0; i < kWidth; i++) sum[i] += places.at[i] == place ? toFloat(gradient.at[i]) : 0;
    }
  }
  Pack<T, kWidth> result;
  for (int i = 0; i < kWidth; i++) store(result.at[i], sum[i]);
  save(p.result, indexOf(spot, p.size, spot.row, spot.column, p.channels), result);
}

// The same for 3x3 windows with stride 2: a thread has 2x2 pixels, which share 2x2 windows.
template <typename T, int kWidth>
__device__ void maxPoolGradient3Of2(const Pool& p) {
  const int rows = (p.size[0] + p.padding[0] + 1) / 2, columns = (p.size[1] + p.padding[1] + 1) / 2;
  const unsigned self = selfOfGrid();
  if (self >= countOf(p, rows, columns, kWidth)) return;
  const Spot spot(self, rows, columns, p.channels, kWidth);
  Pack<T, kWidth> gradients[4];
  Pack<unsigned char, kWidth> places[4];
  bool inside[4];
  for (int w = 0; w < 4; w++) {
    const int y = spot.row - 1 + w / 2, x = spot.column - 1 + w % 2;
    inside[w] = y >= 0 && y < p.outputSize[0] && x >= 0 && x < p.outputSize[1];
    const long long from =
        indexOf(spot, p.outputSize, within(y, p.outputSize[0]), within(x, p.outputSize[1]), p.channels);
    gradients[w] = load<T, kWidth>(p.gradient, from);
    places[w] = load<unsigned char, kWidth>(p.places, from);
  }
  for (int pixel = 0; pixel < 4; pixel++) {
    const int down = pixel / 2, across = pixel % 2;
    const int row = spot.row * 2 + down - p.padding[0], column = spot.column * 2 + across - p.padding[1];
    if (row < 0 || row >= p.size[0] || column < 0 || column >= p.size[1]) continue;
    float sum[kWidth] = {};
    for (int w = 0; w < 4; w++) {
      // The third row of the previous window is the first row of this pair, and the previous window does not reach the
      // second.
      const int i = w / 2 == 1 ? down : 2 + down, j = w % 2 == 1 ? across : 2 + across;
      if (i > 2 || j > 2 || !inside[w]) continue;
      for (int c = 0; c < kWidth; c++) sum[c] += places[w].at[c] == i * 3 + j ? toFloat(gradients[w].at[c]) : 0;
    }
    Pack<T, kWidth> result;
    for (int c = 0; c < kWidth; c++) store(result.at[c], sum[c]);
    save(p.result, indexOf(spot, p.size, row, column, p.channels), result);
  }
}

}  // namespace srrl::kernels

#define SRRL_POOL_KERNELS(name, T, width)                                                       \
  extern "C" __global__ void max_pool_##name(Pool p) { maxPool<T, width, 0>(p); }               \
  extern "C" __global__ void max_pool_3_##name(Pool p) { maxPool<T, width, 3>(p); }             \
  extern "C" __global__ void max_pool_gradient_##name(Pool p) { maxPoolGradient<T, width>(p); } \
  extern "C" __global__ void max_pool_gradient_3_2_##name(Pool p) { maxPoolGradient3Of2<T, width>(p); }

namespace srrl::kernels {
SRRL_POOL_KERNELS(float4, float, 4)
SRRL_POOL_KERNELS(float1, float, 1)
SRRL_POOL_KERNELS(bfloat8, BFloat16, 8)
SRRL_POOL_KERNELS(bfloat1, BFloat16, 1)
}  // namespace srrl::kernels
