// Views of images on the device: crop, flip and look up the normalized value of each pixel. One thread per pixel.
#include "common.h"

namespace srrl::kernels {

template <typename T>
__device__ void makeViews(const Views& p) {
  const T* table = static_cast<const T*>(p.table);
  T* result = static_cast<T*>(p.result);
  const long long area = static_cast<long long>(p.height) * p.width, all = area * p.count;
  const long long step = static_cast<long long>(gridDim.x) * blockDim.x;
  for (long long at = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; at < all; at += step) {
    const long long image = at / area;
    const int y = static_cast<int>(at % area / p.width), x = static_cast<int>(at % p.width);
    const long long* draw = p.draws + image * 3;
    const long long row = y + draw[0], column = (draw[2] != 0 ? p.width - 1 - x : x) + draw[1];
    const bool inside = row >= 0 && row < p.height && column >= 0 && column < p.width;
    const unsigned char* from = p.images + p.rows[image] * p.channels * area + row * p.width + column;
    // Outside of the image, pixels are 0 before normalization.
    for (int c = 0; c < p.channels; c++) result[at * p.channels + c] = table[c * 256 + (inside ? from[c * area] : 0)];
  }
}

extern "C" __global__ void views_float(Views p) { makeViews<float>(p); }
extern "C" __global__ void views_bfloat(Views p) { makeViews<BFloat16>(p); }

}  // namespace srrl::kernels
