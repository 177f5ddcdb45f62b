// How the normalization kernels divide a map among blocks and threads.
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <string>

#include "device/parameters.h"
#include "engine.h"

namespace srrl::kernels {

// The most blocks: two per multiprocessor of the largest cards if their partial results must be joined, several times
// as many otherwise.
constexpr int64_t kNormJoinedBlocks = 264, kNormFreeBlocks = 1056;

struct NormTiling {
  int64_t width;    // channels per thread
  int64_t columns;  // threads per pixel
  int64_t rows;     // pixels at once
  int64_t tiles;    // blocks that cover all channels
  std::string suffix;

  NormTiling(const at::Tensor& map, std::initializer_list<const void*> others) {
    const bool half = map.scalar_type() == at::kBFloat16;
    const int64_t widest = half ? 8 : 4;
    const auto aligned = [](const void* data) { return reinterpret_cast<uintptr_t>(data) % 16 == 0; };
    const bool wide = map.size(1) % widest == 0 && aligned(map.const_data_ptr()) &&
                      std::all_of(others.begin(), others.end(), aligned);
    width = wide ? widest : 1;
    const int64_t groups = map.size(1) / width,
                  most = kNormTileBytes / (width * static_cast<int64_t>(map.element_size()));
    columns = std::min({groups, most, int64_t{32}});
    rows = kThreads / columns;
    tiles = (groups + columns - 1) / columns;
    suffix = std::string(half ? "_bfloat" : "_float") + std::to_string(width);
  }

  // Pixels per block if at most `blocks` blocks share the map.
  int chunk(int64_t pixels, int64_t blocks) const {
    const int64_t unit = rows * kNormBatch, units = (pixels + unit - 1) / unit,
                  shares = std::max<int64_t>(1, blocks / tiles);
    return static_cast<int>((units + shares - 1) / shares * unit);
  }

  Shape shape(int64_t parts) const {
    return {static_cast<unsigned>(tiles), static_cast<unsigned>(parts), static_cast<unsigned>(columns),
            static_cast<unsigned>(rows)};
  }

  // Whether each block of the next launch joins the partial results itself, which then takes one round of reads.
  bool joinsNext(int64_t partials) const {
    const int64_t readers = rows * columns * (width > 1 ? 4 : 1) / (columns * width);
    return partials <= readers * kNormPartialsAhead;
  }
};

}  // namespace srrl::kernels
