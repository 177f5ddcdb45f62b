// Views of images (crop, flip, normalization) as a function of (seed, epoch, sample index): a counter-based generator
// makes them independent of order, batch and thread.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/PhiloxRNGEngine.h>
#include <torch/library.h>

#include "library.h"
#include "plain.h"

namespace srrl {

namespace {

// Random streams of one (seed, epoch, sample), so that no two decisions share bits.
enum Stream : uint64_t { kCrop = 0, kFlip = 1, kOrder = 2 };

// Philox 4x32-10 with the seed as key and (sample, epoch, stream) as counter; returns 32 bits.
uint32_t draw(uint64_t seed, uint64_t epoch, uint64_t sample, Stream stream, uint32_t position = 0) {
  at::philox_engine engine(seed, sample, (epoch << 4) | stream);
  for (uint32_t i = 0; i < position; i++) engine();
  return engine();
}

// Limit of the padding; a larger one would overflow in drawView().
constexpr int64_t kMostPad = int64_t{1} << 30;

// Returns an integer below `bound`, which is at most 2^32, by multiplication. The bias is below bound / 2^32.
int64_t below(uint32_t bits, int64_t bound) {
  return static_cast<int64_t>((static_cast<uint64_t>(bits) * static_cast<uint64_t>(bound)) >> 32);
}

struct View {
  int64_t top = 0;
  int64_t left = 0;
  bool flip = false;
};

void checkPad(int64_t pad) {
  TORCH_CHECK(pad >= 0 && pad <= kMostPad, "pad must be between 0 and ", kMostPad, ", not ", pad);
}

View drawView(uint64_t seed, uint64_t epoch, uint64_t sample, int64_t pad, bool flip) {
  View view;
  if (pad > 0) {
    view.top = below(draw(seed, epoch, sample, kCrop, 0), 2 * pad + 1) - pad;
    view.left = below(draw(seed, epoch, sample, kCrop, 1), 2 * pad + 1) - pad;
  }
  view.flip = flip && (draw(seed, epoch, sample, kFlip) >> 31);
  return view;
}

// A lookup table of 256 normalized values per channel replaces arithmetic on each pixel.
std::vector<float> normalizedValues(at::ArrayRef<double> mean, at::ArrayRef<double> deviation) {
  std::vector<float> table(mean.size() * 256);
  for (size_t c = 0; c < mean.size(); c++) {
    for (size_t v = 0; v < 256; v++) table[c * 256 + v] = static_cast<float>((v / 255.0 - mean[c]) / deviation[c]);
  }
  return table;
}

// images: uint8 [N, C, H, W] contiguous; indices: int64 [B]; mean, deviation: C values in the scale 0..1.
// => float32 [B, C, H, W], channels_last: (pixel / 255 - mean) / deviation of a random crop of the image padded by
// `pad` zeros, flipped with probability 1/2. The padding is 0 before normalization, as in torchvision's RandomCrop.
at::Tensor normalizedViews(const at::Tensor& images, const at::Tensor& indices, at::ArrayRef<double> mean,
                           at::ArrayRef<double> deviation, int64_t pad, bool flip, int64_t seed, int64_t epoch) {
  TORCH_CHECK(isPlain(images) && images.dim() == 4 && images.scalar_type() == at::kByte && images.is_contiguous() &&
                  images.device().is_cpu(),
              "images must be a contiguous uint8 tensor [N, C, H, W] on the CPU");
  TORCH_CHECK(isPlain(indices) && indices.dim() == 1 && indices.scalar_type() == at::kLong && indices.is_contiguous() &&
                  indices.device().is_cpu(),
              "indices must be a contiguous int64 tensor [B] on the CPU");
  checkPad(pad);
  const int64_t count = images.size(0), channels = images.size(1), height = images.size(2), width = images.size(3);
  TORCH_CHECK(static_cast<int64_t>(mean.size()) == channels && static_cast<int64_t>(deviation.size()) == channels,
              "mean and deviation need one value for each of the ", channels, " channels");
  const int64_t* chosen = indices.const_data_ptr<int64_t>();
  const int64_t batch = indices.size(0);
  for (int64_t i = 0; i < batch; i++)
    TORCH_CHECK_INDEX(chosen[i] >= 0 && chosen[i] < count, "index ", chosen[i], " is out of range for ", count,
                      " images");

  const std::vector<float> table = normalizedValues(mean, deviation);
  at::Tensor result = at::empty({batch, channels, height, width},
                                at::TensorOptions(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
  const uint8_t* pixels = images.const_data_ptr<uint8_t>();
  float* out = result.mutable_data_ptr<float>();
  at::parallel_for(0, batch, 8, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; b++) {
      const View view = drawView(seed, epoch, chosen[b], pad, flip);
      const uint8_t* image = pixels + chosen[b] * channels * height * width;
      float* target = out + b * channels * height * width;
      for (int64_t y = 0; y < height; y++) {
        const int64_t row = y + view.top;
        for (int64_t x = 0; x < width; x++) {
          const int64_t column = (view.flip ? width - 1 - x : x) + view.left;
          const bool inside = row >= 0 && row < height && column >= 0 && column < width;
          for (int64_t c = 0; c < channels; c++) {
            *target++ = table[c * 256 + (inside ? image[(c * height + row) * width + column] : 0)];
          }
        }
      }
    }
  });
  return result;
}

// The random decisions of normalized_views, for images on another device: int64 [B, 3], the first row, the first
// column, and 1 if flipped.
at::Tensor viewDraws(at::ArrayRef<int64_t> samples, int64_t pad, bool flip, int64_t seed, int64_t epoch) {
  checkPad(pad);
  at::Tensor result = at::empty({static_cast<int64_t>(samples.size()), 3}, at::kLong);
  int64_t* out = result.mutable_data_ptr<int64_t>();
  for (const int64_t sample : samples) {
    const View view = drawView(seed, epoch, sample, pad, flip);
    *out++ = view.top;
    *out++ = view.left;
    *out++ = view.flip;
  }
  return result;
}

// float32 [C, 256]: the normalized value of each pixel value, (value / 255 - mean) / deviation.
at::Tensor pixelValues(at::ArrayRef<double> mean, at::ArrayRef<double> deviation) {
  TORCH_CHECK(mean.size() == deviation.size(), "mean and deviation must have the same number of values");
  const std::vector<float> table = normalizedValues(mean, deviation);
  return at::tensor(table, at::kFloat).view({-1, 256});
}

// pixels: uint8 [N, H, W, 3] contiguous, as decoders return them; flips: bool [N].
// => float32 [N, 3, H, W], channels_last: (pixel / 255 - mean) / deviation, flipped where `flips` is true.
at::Tensor normalizedPixels(const at::Tensor& pixels, const at::Tensor& flips, at::ArrayRef<double> mean,
                            at::ArrayRef<double> deviation) {
  // A compile-time constant makes the loop three times as fast.
  constexpr int64_t channels = 3;
  TORCH_CHECK(isPlain(pixels) && pixels.dim() == 4 && pixels.size(3) == channels && pixels.scalar_type() == at::kByte &&
                  pixels.is_contiguous() && pixels.device().is_cpu(),
              "pixels must be a contiguous uint8 tensor [N, H, W, 3] on the CPU");
  const int64_t count = pixels.size(0), height = pixels.size(1), width = pixels.size(2);
  TORCH_CHECK(isPlain(flips) && flips.dim() == 1 && flips.size(0) == count && flips.scalar_type() == at::kBool &&
                  flips.is_contiguous() && flips.device().is_cpu(),
              "flips must be a contiguous bool tensor [N] on the CPU");
  TORCH_CHECK(mean.size() == channels && deviation.size() == channels,
              "mean and deviation need one value for each of the ", channels, " channels");
  const std::vector<float> table = normalizedValues(mean, deviation);
  at::Tensor result = at::empty({count, channels, height, width},
                                at::TensorOptions(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
  const uint8_t* from = pixels.const_data_ptr<uint8_t>();
  const bool* turned = flips.const_data_ptr<bool>();
  float* target = result.mutable_data_ptr<float>();
  // Runs on this thread: the other cores are decoding the next batches, and waiting for them would take longer than
  // this loop.
  for (int64_t row = 0; row < count * height; row++) {
    const bool turn = turned[row / height];
    const uint8_t* line = from + row * width * channels;
    int64_t place = turn ? (width - 1) * channels : 0;
    for (int64_t x = 0; x < width; x++, place += turn ? -channels : channels) {
      for (int64_t c = 0; c < channels; c++) *target++ = table[c * 256 + line[place + c]];
    }
  }
  return result;
}

// The order of an epoch: sample indices sorted by 64 random bits each.
at::Tensor epochOrder(int64_t count, int64_t seed, int64_t epoch) {
  TORCH_CHECK(count >= 0, "count must not be negative");
  std::vector<std::pair<uint64_t, int64_t>> keyed(count);
  for (int64_t i = 0; i < count; i++) {
    const uint64_t high = draw(seed, epoch, i, kOrder, 0), low = draw(seed, epoch, i, kOrder, 1);
    keyed[i] = {high << 32 | low, i};
  }
  std::sort(keyed.begin(), keyed.end());
  at::Tensor order = at::empty({count}, at::kLong);
  int64_t* out = order.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < count; i++) out[i] = keyed[i].second;
  return order;
}

}  // namespace

void defineViews(torch::Library& library) {
  library.def(
      "normalized_views(Tensor images, Tensor indices, float[] mean, float[] deviation, int pad, bool flip, "
      "int seed, int epoch) -> Tensor",
      normalizedViews);
  library.def("normalized_pixels(Tensor pixels, Tensor flips, float[] mean, float[] deviation) -> Tensor",
              normalizedPixels);
  library.def("view_draws(int[] samples, int pad, bool flip, int seed, int epoch) -> Tensor", viewDraws);
  library.def("pixel_values(float[] mean, float[] deviation) -> Tensor", pixelValues);
  library.def("epoch_order(int count, int seed, int epoch) -> Tensor", epochOrder);
}

}  // namespace srrl
