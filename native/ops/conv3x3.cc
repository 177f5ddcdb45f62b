// 3x3 convolutions by Winograd's minimal filtering, with gradients. Tensors whose device, dtype, layout or size does
// not fit are computed by aten::conv2d.
#include "ops/conv3x3.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "library.h"
#include "plain.h"
#include "vector/lanes.h"
#include "winograd/winograd.h"

namespace srrl {

namespace {

using at::Tensor;
using winograd::Maps;

const winograd::Functions& functions() {
#if defined(__x86_64__)
  return widest(winograd::avx2, winograd::avx512);
#else
  throw std::logic_error("no vectors");
#endif
}

bool fits(const Tensor& input, const Tensor& weight) {
  if (!hasFastForm(weight) || !isPlain(input) || !input.is_cpu() || input.scalar_type() != at::kFloat) return false;
  if (input.dim() != 4 || input.size(1) != weight.size(1) || input.numel() == 0) return false;
  // On small maps, tiles that extend beyond the map waste too much work.
  const int64_t height = input.size(2), width = input.size(3);
  const int64_t covered = (height + 3) / 4 * ((width + 3) / 4) * 16;
  return covered * 5 <= height * width * 8 && input.is_contiguous(at::MemoryFormat::ChannelsLast);
}

Maps mapsOf(const Tensor& input, int64_t out) {
  return {input.size(0), input.size(2), input.size(3), input.size(1), out};
}

// Tiles per block: their transforms fit into the L2 cache. If the kernel alone is larger than that, more tiles mean
// that it is read less often.
int64_t tilesAtOnce(const Maps& maps) {
  if (maps.in * maps.out >= 256 * 256) return 96;
  return std::clamp<int64_t>(6144 / (maps.in + maps.out) / 12 * 12, 12, 96);
}

float* scratch(int64_t size) {
  thread_local std::vector<float> memory;
  if (static_cast<int64_t>(memory.size()) < size) memory.resize(size);
  return memory.data();
}

winograd::Layout layoutOf(const Tensor& weight) {
  return {weight.stride(1), weight.stride(0), weight.stride(2), weight.stride(3)};
}

// Returns [36, in, out]. With `backward`, the kernel for the gradient of the input: rotated by 180 degrees, with in and
// out swapped.
Tensor transformed(const Tensor& weight, bool backward) {
  winograd::Layout layout = layoutOf(weight);
  const float* corner = weight.const_data_ptr<float>();
  int64_t in = weight.size(1), out = weight.size(0);
  if (backward) {
    corner += 2 * layout.y + 2 * layout.x;
    layout = {layout.out, layout.in, -layout.y, -layout.x};
    std::swap(in, out);
  }
  Tensor result = at::empty({36, in, out}, weight.options().memory_format(at::MemoryFormat::Contiguous));
  float* to = result.mutable_data_ptr<float>();
  at::parallel_for(0, in, 16,
                   [&](int64_t begin, int64_t end) { functions().transform(corner, layout, in, out, to, begin, end); });
  return result;
}

Tensor convolved(const Tensor& input, const Tensor& kernel, const winograd::After& after) {
  const Maps maps = mapsOf(input, kernel.size(2));
  Tensor output =
      at::empty({maps.count, maps.out, maps.height, maps.width}, input.options(), at::MemoryFormat::ChannelsLast);
  const int64_t tiles = winograd::tileCount(maps), atOnce = tilesAtOnce(maps);
  const float *from = input.const_data_ptr<float>(), *products = kernel.const_data_ptr<float>();
  float* to = output.mutable_data_ptr<float>();
  at::parallel_for(0, (tiles + atOnce - 1) / atOnce, 1, [&](int64_t begin, int64_t end) {
    float* memory = scratch(winograd::scratchSize(maps, atOnce));
    for (int64_t i = begin; i < end; i++)
      functions().forward(maps, from, products, after, to, i * atOnce, std::min(tiles, (i + 1) * atOnce), memory);
  });
  return output;
}

// Each thread sums its own share of the tiles. Shares are added in a fixed order, so that the result is bitwise
// reproducible for the same number of threads.
Tensor weightGradient(const Tensor& input, const Tensor& gradient, const Tensor& weight) {
  const Maps maps = mapsOf(input, gradient.size(1));
  const int64_t tiles = winograd::tileCount(maps), atOnce = tilesAtOnce(maps), blocks = (tiles + atOnce - 1) / atOnce;
  const int64_t shares = std::min<int64_t>(at::get_num_threads(), blocks);
  Tensor sums =
      at::zeros({shares, 36, maps.in, maps.out}, weight.options().memory_format(at::MemoryFormat::Contiguous));
  const float *from = input.const_data_ptr<float>(), *back = gradient.const_data_ptr<float>();
  float* to = sums.mutable_data_ptr<float>();
  at::parallel_for(0, shares, 1, [&](int64_t begin, int64_t end) {
    float* memory = scratch(winograd::scratchSize(maps, atOnce));
    for (int64_t share = begin; share < end; share++) {
      for (int64_t i = share * blocks / shares; i < (share + 1) * blocks / shares; i++)
        functions().accumulate(maps, from, back, to + share * 36 * maps.in * maps.out, i * atOnce,
                               std::min(tiles, (i + 1) * atOnce), memory);
    }
  });
  const Tensor sum = shares == 1 ? sums[0] : sums.sum(0);
  Tensor result = at::empty_like(weight);
  const float* whole = sum.const_data_ptr<float>();
  float* kernel = result.mutable_data_ptr<float>();
  at::parallel_for(0, maps.in, 16, [&](int64_t begin, int64_t end) {
    functions().restore(whole, layoutOf(result), maps.in, maps.out, kernel, begin, end);
  });
  return result;
}

using OptionalTensor = std::optional<Tensor>;

// Whether the functions may read `count` floats from the tensor.
bool isFlat(const Tensor& tensor, int64_t count) {
  return isPlain(tensor) && tensor.is_cpu() && tensor.scalar_type() == at::kFloat && tensor.is_contiguous() &&
         tensor.numel() == count;
}

const float* biasOf(const OptionalTensor& bias) { return bias ? bias->const_data_ptr<float>() : nullptr; }

Tensor conv3x3Forward(const Tensor& input, const Tensor& weight, const OptionalTensor& bias) {
  if (!fits(input, weight) || (bias && !isFlat(*bias, weight.size(0)))) return at::conv2d(input, weight, bias, 1, 1);
  return convolved(input, transformed(weight, false), {.bias = biasOf(bias)});
}

struct Conv3x3 : torch::autograd::Function<Conv3x3> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& input, const Tensor& weight,
                        const OptionalTensor& bias) {
    const at::AutoDispatchBelowADInplaceOrView below;
    context->save_for_backward({input, weight});
    context->saved_data["bias"] = bias.has_value();
    return conv3x3Forward(input, weight, bias);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &input = saved[0], &weight = saved[1];
    if (!gradients[0].defined()) return {{}, {}, {}};
    const bool hasBias = context->saved_data["bias"].toBool();
    const std::array<bool, 3> wanted = {context->needs_input_grad(0), context->needs_input_grad(1),
                                        hasBias && context->needs_input_grad(2)};
    const Tensor gradient = plain(gradients[0]).contiguous(at::MemoryFormat::ChannelsLast);
    // Second derivatives use the plain operator, whose backward is differentiable.
    if (at::GradMode::is_enabled() || !fits(input, weight) || !fits(gradient, weight.transpose(0, 1))) {
      const auto [toInput, toWeight, toBias] =
          at::convolution_backward(gradient, input, weight, c10::IntArrayRef({weight.size(0)}), {1, 1}, {1, 1}, {1, 1},
                                   false, {0, 0}, 1, wanted);
      return {toInput, toWeight, toBias};
    }
    return {wanted[0] ? convolved(gradient, transformed(weight, true), {}) : Tensor(),
            wanted[1] ? weightGradient(input, gradient, weight) : Tensor(),
            wanted[2] ? gradient.sum({0, 2, 3}) : Tensor()};
  }
};

Tensor conv3x3Autograd(const Tensor& input, const Tensor& weight, const OptionalTensor& bias) {
  return Conv3x3::apply(input, weight, bias);
}

// A convolution with a constant kernel, followed by + bias, + residual and ReLU. No gradient.
Tensor conv3x3Frozen(const Tensor& input, const Tensor& weight, const Tensor& kernel, const OptionalTensor& bias,
                     const OptionalTensor& residual, bool relu) {
  const bool plainResidual =
      !residual || (isPlain(*residual) && residual->is_cpu() && residual->scalar_type() == at::kFloat &&
                    residual->is_contiguous(at::MemoryFormat::ChannelsLast) && residual->dim() == 4 &&
                    residual->size(0) == input.size(0) && residual->size(1) == weight.size(0) &&
                    residual->size(2) == input.size(2) && residual->size(3) == input.size(3));
  if (fits(input, weight) && isFlat(kernel, 36 * weight.size(0) * weight.size(1)) &&
      (!bias || isFlat(*bias, weight.size(0))) && plainResidual)
    return convolved(
        input, kernel,
        {.bias = biasOf(bias), .residual = residual ? residual->const_data_ptr<float>() : nullptr, .relu = relu});
  Tensor result = at::conv2d(input, weight, bias, 1, 1);
  if (residual) result = result.add(*residual);
  return relu ? result.relu_() : result;
}

}  // namespace

bool hasFastForm(const Tensor& weight) {
  if (vectorLanes() == 0 || !isPlain(weight) || !weight.is_cpu() || weight.scalar_type() != at::kFloat ||
      weight.dim() != 4)
    return false;
  if (weight.size(2) != 3 || weight.size(3) != 3 || weight.size(0) % 16 != 0 || weight.size(1) % 16 != 0) return false;
  // With few channels the transforms cost more than they save; with many the kernels exceed the cache.
  const int64_t products = weight.size(0) * weight.size(1);
  return products > 16 * 16 && products <= 256 * 256;
}

Tensor conv3x3Kernel(const Tensor& weight) {
  const Tensor g = at::tensor({1. / 4, 0., 0., -1. / 6, -1. / 6, -1. / 6, -1. / 6, 1. / 6, -1. / 6, 1. / 24, 1. / 12,
                               1. / 6, 1. / 24, -1. / 12, 1. / 6, 0., 0., 1.},
                              at::kDouble)
                       .view({6, 3});
  const Tensor square = at::matmul(at::matmul(g, weight.to(at::kDouble)), g.t());
  const int64_t in = weight.size(1), out = weight.size(0), whole = out / 32 * 32;
  const Tensor matrices = square.permute({2, 3, 1, 0}).reshape({36, in, out}).to(at::kFloat);
  const Tensor panels =
      matrices.narrow(2, 0, whole).reshape({36, in, whole / 32, 32}).transpose(1, 2).reshape({36, in * whole});
  return at::cat({panels, matrices.narrow(2, whole, out - whole).reshape({36, in * (out - whole)})}, 1)
      .view({36, in, out});
}

void defineConv3x3(torch::Library& library) {
  library.def("conv3x3(Tensor input, Tensor weight, Tensor? bias) -> Tensor");
  library.def(
      "conv3x3_frozen(Tensor input, Tensor weight, Tensor kernel, Tensor? bias, Tensor? residual, bool relu) -> Tensor",
      conv3x3Frozen);
  library.impl("conv3x3", torch::dispatch(c10::DispatchKey::CompositeExplicitAutograd, conv3x3Forward));
  library.impl("conv3x3", torch::dispatch(c10::DispatchKey::Autograd, conv3x3Autograd));
}

}  // namespace srrl
