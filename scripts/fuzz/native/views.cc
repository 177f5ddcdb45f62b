// Views of images: any number of zeros around them, any seed, epoch and sample.
// Sources: native/plain.cc native/messages.cc
// Libraries: torch
#include "ops/views.cc"

#include "input.h"

using srrl::fuzz::Input;
using srrl::fuzz::require;

namespace {

std::vector<double> channelsOf(int64_t channels, double value) { return std::vector<double>(channels, value); }

void compare(Input& input) {
  const int64_t count = 1 + input.below(4), channels = 1 + input.below(4), height = input.below(9),
                width = input.below(9);
  const int64_t pad = input.below(4) == 0 ? input.number<int64_t>() : input.below(6), seed = input.number<int64_t>(),
                epoch = input.number<int64_t>();
  const bool flip = input.below(2);
  const at::Tensor images = at::empty({count, channels, height, width}, at::kByte);
  for (int64_t i = 0; i < images.numel(); i++) images.mutable_data_ptr<uint8_t>()[i] = input.number<uint8_t>();
  const at::Tensor rows = at::empty({input.below(4)}, at::kLong);
  for (int64_t i = 0; i < rows.numel(); i++)
    rows.mutable_data_ptr<int64_t>()[i] = input.below(8) == 0 ? input.number<int64_t>() : input.below(count);
  const auto mean = channelsOf(channels, 0), deviation = channelsOf(channels, 1. / 255);
  const at::Tensor views = srrl::normalizedViews(images, rows, mean, deviation, pad, flip, seed, epoch);
  // By the definition, pixel by pixel.
  const at::Tensor draws =
      srrl::viewDraws({rows.const_data_ptr<int64_t>(), static_cast<size_t>(rows.numel())}, pad, flip, seed, epoch);
  const auto draw = draws.accessor<int64_t, 2>();
  const auto view = views.accessor<float, 4>();
  const auto image = images.accessor<uint8_t, 4>();
  for (int64_t b = 0; b < rows.numel(); b++)
    for (int64_t c = 0; c < channels; c++)
      for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
          const int64_t row = y + draw[b][0], column = (draw[b][2] ? width - 1 - x : x) + draw[b][1];
          const bool inside = row >= 0 && row < height && column >= 0 && column < width;
          const float expected = inside ? image[rows.const_data_ptr<int64_t>()[b]][c][row][column] : 0;
          require(std::abs(view[b][c][y][x] - expected) < 1e-3, "a view has the pixels that its draw says");
        }
}

void normalize(Input& input) {
  const at::Tensor pixels = at::empty({input.below(4), input.below(5), input.below(5), 3}, at::kByte);
  for (int64_t i = 0; i < pixels.numel(); i++) pixels.mutable_data_ptr<uint8_t>()[i] = input.number<uint8_t>();
  const at::Tensor flips = at::zeros({pixels.size(0)}, at::kBool);
  for (int64_t i = 0; i < flips.numel(); i++) flips.mutable_data_ptr<bool>()[i] = input.below(2);
  const auto plain = channelsOf(3, 0), by = channelsOf(3, 1. / 255);
  const at::Tensor made = srrl::normalizedPixels(pixels, flips, plain, by);
  const at::Tensor upright = pixels.permute({0, 3, 1, 2}).to(at::kFloat);
  require(at::where(flips.view({-1, 1, 1, 1}), upright.flip(3), upright).sub(made).abs().lt(1e-3).all().item<bool>(),
          "pixels are mirrored where asked");
}

void order(Input& input) {
  const int64_t count = input.below(64);
  const at::Tensor sorted =
      std::get<0>(srrl::epochOrder(count, input.number<int64_t>(), input.number<int64_t>()).sort());
  require(at::equal(sorted, at::arange(count)), "an order has each sample once");
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  at::set_num_threads(1);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  srrl::fuzz::count(size);
  Input input(data, size);
  try {
    switch (input.below(4)) {
      case 0: normalize(input); break;
      case 1: order(input); break;
      default: compare(input);
    }
  } catch (const c10::Error&) {
    // Numbers that do not fit.
  }
  return 0;
}
