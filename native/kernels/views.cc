// Views of images on a device: by a kernel of one pass or by plain operators.
#include <ATen/ATen.h>
#include <torch/library.h>

#include "../library.h"
#include "../plain.h"
#include "device/parameters.h"
#include "engine.h"

namespace srrl {

namespace {

using at::Tensor;
using kernels::Engine;

Tensor plainViews(const Tensor& images, const Tensor& rows, const Tensor& draws, const Tensor& table) {
  const int64_t channels = images.size(1), height = images.size(2), width = images.size(3);
  const auto steps = [&](int64_t size) { return at::arange(size, rows.options()); };
  const auto within = [](const Tensor& at, int64_t size) { return at.ge(0).logical_and(at.lt(size)); };
  const Tensor across = steps(width),
               turned = at::where(draws.narrow(1, 2, 1).ne(0), across.neg().add(width - 1), across);
  const Tensor y = steps(height).add(draws.narrow(1, 0, 1)), x = turned.add(draws.narrow(1, 1, 1));
  const Tensor inside = within(y, height).unsqueeze(2).logical_and(within(x, width).unsqueeze(1)).unsqueeze(3);
  const Tensor pixels =
      images
          .index({rows.view({-1, 1, 1, 1}), steps(channels).view({1, 1, 1, channels}),
                  y.clamp(0, height - 1).view({-1, height, 1, 1}), x.clamp(0, width - 1).view({-1, 1, width, 1})})
          .mul(inside)
          .to(at::kLong);
  return table.take(pixels.add(steps(channels).mul(256))).permute({0, 3, 1, 2});
}

const char* nameFor(const Tensor& table) {
  return table.scalar_type() == at::kBFloat16 ? "views_bfloat" : "views_float";
}

Tensor views(Engine& engine, const Tensor& images, const Tensor& rows, const Tensor& draws, const Tensor& table) {
  const int64_t count = rows.size(0), channels = images.size(1), height = images.size(2), width = images.size(3);
  const Tensor result = at::empty({count, height, width, channels}, table.options());
  kernels::Views p{};
  p.images = images.const_data_ptr<uint8_t>();
  p.rows = reinterpret_cast<const long long*>(rows.const_data_ptr<int64_t>());
  p.draws = reinterpret_cast<const long long*>(draws.const_data_ptr<int64_t>());
  p.table = table.const_data_ptr();
  p.result = result.mutable_data_ptr();
  p.count = static_cast<int>(count);
  p.channels = static_cast<int>(channels);
  p.height = static_cast<int>(height);
  p.width = static_cast<int>(width);
  constexpr int64_t kMostBlocks = 1 << 20;
  const int64_t blocks = std::min((count * height * width + kernels::kThreads - 1) / kernels::kThreads, kMostBlocks);
  kernels::launch(engine, nameFor(table), {static_cast<unsigned>(blocks), 1, kernels::kThreads, 1}, p,
                  {images, rows, draws, table, result});
  return result.permute({0, 3, 1, 2});
}

// images: uint8 [N, C, H, W]; rows: int64 [B], indices of images; draws: int64 [B, 3], the first row and column, which
// may lie outside, and 1 if flipped; table: float32 or bfloat16 [C * 256], the normalized value of each pixel value.
// All on one device.
// => [B, C, H, W] of the table's type, channels_last; outside of the image, pixels are 0 before normalization.
Tensor viewsOn(const Tensor& images, const Tensor& rows, const Tensor& draws, const Tensor& table) {
  TORCH_CHECK(images.dim() == 4 && images.scalar_type() == at::kByte, "images must be uint8 [N, C, H, W]");
  TORCH_CHECK(draws.sizes() == c10::IntArrayRef({rows.size(0), 3}) && table.numel() == images.size(1) * 256,
              "draws must be [B, 3], the table [C * 256]");
  Engine* engine = kernels::engineFor(images);
  const auto isReady = [&](const Tensor& tensor, at::ScalarType type) {
    return isPlain(tensor) && tensor.is_contiguous() && tensor.scalar_type() == type &&
           tensor.device() == images.device();
  };
  const bool fits = engine && images.numel() > 0 && rows.numel() > 0 && isReady(images, at::kByte) &&
                    isReady(rows, at::kLong) && isReady(draws, at::kLong) &&
                    (isReady(table, at::kFloat) || isReady(table, at::kBFloat16));
  if (!fits) return plainViews(images, rows, draws, table);
  const auto agree = [&] {
    return at::equal(views(*engine, images, rows, draws, table), plainViews(images, rows, draws, table));
  };
  if (!kernels::trusted(images, nameFor(table), agree)) return plainViews(images, rows, draws, table);
  return views(*engine, images, rows, draws, table);
}

}  // namespace

void defineDeviceViews(torch::Library& library) {
  library.def("views_on(Tensor images, Tensor rows, Tensor draws, Tensor table) -> Tensor", viewsOn);
}

}  // namespace srrl
