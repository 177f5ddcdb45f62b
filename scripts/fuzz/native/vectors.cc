// Convolutions and normalizations for wide vectors, of any size, compared with plain loops. Memory ends where the
// numbers end.
// Sources: native/winograd/avx2.cc native/winograd/avx512.cc native/norm/avx2.cc native/norm/avx512.cc
#include <algorithm>
#include <cmath>
#include <memory>

#include "input.h"
#include "norm/norm.h"
#include "winograd/winograd.h"

using srrl::fuzz::Input;
using srrl::fuzz::require;
namespace winograd = srrl::winograd;
namespace norm = srrl::norm;

namespace {

template <typename Number>
struct Numbers {
  explicit Numbers(int64_t size) : size(size), at(new Number[size]()) {}
  int64_t size;
  std::unique_ptr<Number[]> at;
};
using Floats = Numbers<float>;
using Doubles = Numbers<double>;

// Between -1 and 1, from a small generator that the input seeds.
Floats random(int64_t size, uint32_t& state) {
  Floats made(size);
  for (int64_t i = 0; i < size; i++) {
    state = state * 1664525 + 1013904223;
    made.at[i] = static_cast<float>(state >> 8) / (1 << 23) - 1;
  }
  return made;
}

bool near(double a, double b, double scale) { return std::abs(a - b) <= 1e-3 * std::max(1., scale); }

// An output of the convolution, summed up as its definition says.
double sumAt(const winograd::Maps& maps, const float* input, const float* kernel, winograd::Layout layout, int64_t n,
             int64_t y, int64_t x, int64_t o) {
  double sum = 0;
  for (int64_t ky = 0; ky < 3; ky++)
    for (int64_t kx = 0; kx < 3; kx++) {
      const int64_t row = y + ky - 1, column = x + kx - 1;
      if (row < 0 || row >= maps.height || column < 0 || column >= maps.width) continue;
      for (int64_t i = 0; i < maps.in; i++)
        sum += double{input[((n * maps.height + row) * maps.width + column) * maps.in + i]} *
               kernel[o * layout.out + i * layout.in + ky * layout.y + kx * layout.x];
    }
  return sum;
}

void convolve(Input& input, const winograd::Functions& functions) {
  const winograd::Maps maps{1 + input.below(3), 1 + input.below(11), 1 + input.below(11), 16 * (1 + input.below(4)),
                            16 * (1 + input.below(4))};
  uint32_t state = input.number<uint32_t>();
  const int64_t pixels = maps.count * maps.height * maps.width, tiles = winograd::tileCount(maps),
                atOnce = 1 + input.below(2 * tiles);
  // Contiguous or channels-last.
  const winograd::Layout layout =
      input.below(2) ? winograd::Layout{9, 9 * maps.in, 3, 1} : winograd::Layout{1, 9 * maps.in, 3 * maps.in, maps.in};
  const Floats from = random(pixels * maps.in, state), kernel = random(9 * maps.in * maps.out, state),
               bias = random(maps.out, state), residual = random(pixels * maps.out, state);
  const winograd::After after{input.below(2) ? bias.at.get() : nullptr, input.below(2) ? residual.at.get() : nullptr,
                              input.below(2) != 0};
  const Floats transformed(36 * maps.in * maps.out), scratch(winograd::scratchSize(maps, atOnce)),
      output(pixels * maps.out);
  const int64_t middle = input.below(maps.in + 1);
  functions.transform(kernel.at.get(), layout, maps.in, maps.out, transformed.at.get(), 0, middle);
  functions.transform(kernel.at.get(), layout, maps.in, maps.out, transformed.at.get(), middle, maps.in);
  for (int64_t begin = 0; begin < tiles; begin += atOnce)
    functions.forward(maps, from.at.get(), transformed.at.get(), after, output.at.get(), begin,
                      std::min(tiles, begin + atOnce), scratch.at.get());
  for (int64_t check = 0; check < 16; check++) {
    state = state * 1664525 + 1013904223;
    const int64_t place = (state >> 4) % output.size, o = place % maps.out, x = place / maps.out % maps.width,
                  y = place / maps.out / maps.width % maps.height;
    double expected =
        sumAt(maps, from.at.get(), kernel.at.get(), layout, place / maps.out / maps.width / maps.height, y, x, o);
    if (after.bias) expected += after.bias[o];
    if (after.residual) expected += after.residual[place];
    if (after.relu) expected = std::max(0., expected);
    require(near(output.at[place], expected, maps.in), "a convolution is the sum of its products");
  }
  // The gradient of the kernel.
  const Floats back = random(pixels * maps.out, state), sums(36 * maps.in * maps.out), gradient(9 * maps.in * maps.out);
  for (int64_t begin = 0; begin < tiles; begin += atOnce)
    functions.accumulate(maps, from.at.get(), back.at.get(), sums.at.get(), begin, std::min(tiles, begin + atOnce),
                         scratch.at.get());
  functions.restore(sums.at.get(), layout, maps.in, maps.out, gradient.at.get(), 0, middle);
  functions.restore(sums.at.get(), layout, maps.in, maps.out, gradient.at.get(), middle, maps.in);
  for (int64_t check = 0; check < 4; check++) {
    const int64_t i = input.below(maps.in), o = input.below(maps.out), ky = input.below(3), kx = input.below(3);
    double expected = 0;
    for (int64_t pixel = 0; pixel < pixels; pixel++) {
      const int64_t x = pixel % maps.width + kx - 1, y = pixel / maps.width % maps.height + ky - 1;
      if (x < 0 || x >= maps.width || y < 0 || y >= maps.height) continue;
      expected +=
          double{back.at[pixel * maps.out + o]} * from.at[(pixel + (ky - 1) * maps.width + kx - 1) * maps.in + i];
    }
    require(near(gradient.at[o * layout.out + i * layout.in + ky * layout.y + kx * layout.x], expected, pixels),
            "a kernel's gradient is the sum of its products");
  }
}

void normalize(Input& input, const norm::Functions& functions) {
  const int64_t channels = 16 * (1 + input.below(20)), pixels = 1 + input.below(300), begin = input.below(pixels),
                end = begin + 1 + input.below(pixels - begin);
  uint32_t state = input.number<uint32_t>();
  const Floats map = random(pixels * channels, state), scale = random(channels, state), shift = random(channels, state),
               residual = random(pixels * channels, state);
  const Doubles first(channels), second(channels);
  functions.moments(map.at.get(), first.at.get(), second.at.get(), channels, begin, end);
  const int64_t c = input.below(channels);
  double mean = 0, squares = 0;
  for (int64_t p = begin; p < end; p++) mean += map.at[p * channels + c] / static_cast<double>(end - begin);
  for (int64_t p = begin; p < end; p++) squares += std::pow(map.at[p * channels + c] - mean, 2);
  require(near(first.at[c], mean, 1) && near(second.at[c], squares, squares), "moments are those of the pixels");
  const Floats out(pixels * channels);
  const bool added = input.below(2), relu = input.below(2);
  functions.affine(map.at.get(), {scale.at.get(), shift.at.get(), added ? residual.at.get() : nullptr, relu},
                   out.at.get(), channels, begin, end);
  for (int64_t p = 0; p < pixels; p++) {
    const int64_t place = p * channels + c;
    double expected = map.at[place] * scale.at[c] + shift.at[c] + (added ? residual.at[place] : 0);
    if (p < begin || p >= end)
      expected = 0;
    else if (relu)
      expected = std::max(0., expected);
    require(near(out.at[place], expected, 1), "an affine map writes its own pixels");
  }
  const Floats gradient = random(pixels * channels, state), row = random(channels, state), toIn(pixels * channels),
               toResidual(pixels * channels);
  const norm::Gradient back{gradient.at.get(), map.at.get(),   input.below(2) ? out.at.get() : nullptr,
                            row.at.get(),      scale.at.get(), shift.at.get()};
  functions.sums(back, first.at.get(), second.at.get(), channels, begin, end);
  functions.back(back, row.at.get(), shift.at.get(), toIn.at.get(), input.below(2) ? toResidual.at.get() : nullptr,
                 channels, begin, end);
  double sum = 0;
  for (int64_t p = begin; p < end; p++) {
    const int64_t place = p * channels + c;
    const float seen = back.out ? back.out[place] : map.at[place] * scale.at[c] + shift.at[c];
    // On which side of 0 it lies may be a matter of rounding.
    if (!back.out && std::abs(seen) < 1e-5) return;
    if (seen > 0) sum += gradient.at[place];
  }
  require(near(first.at[c], sum, end - begin), "the sum of a gradient is of what got through");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  srrl::fuzz::count(size);
  Input input(data, size);
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && input.below(2);
  if (input.below(2))
    convolve(input, wide ? winograd::avx512 : winograd::avx2);
  else
    normalize(input, wide ? norm::avx512 : norm::avx2);
  return 0;
}
