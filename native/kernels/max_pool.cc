// Maximum pooling on a device: by kernels that save one byte per window, or by libtorch's operators.
#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/native/Pool.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/library.h>

#include <limits>
#include <mutex>
#include <sstream>

#include "../library.h"
#include "../plain.h"
#include "device/parameters.h"
#include "engine.h"

namespace srrl {

namespace {

using at::Tensor;
using kernels::Engine;
using Pair = std::array<int64_t, 2>;

struct Windows {
  Pair kernel, stride, padding, dilation;
  bool ceil;

  Pair outputSize(const Tensor& map) const {
    Pair size;
    for (size_t i = 0; i < 2; i++)
      size[i] = at::native::pooling_output_shape<int64_t>(map.size(2 + i), kernel[i], padding[i], stride[i],
                                                          dilation[i], ceil);
    return size;
  }
};

Tensor plainPool(const Tensor& map, const Windows& w) {
  return at::max_pool2d(map, w.kernel, w.stride, w.padding, w.dilation, w.ceil);
}

Tensor plainGradient(const Tensor& gradient, const Tensor& map, const Windows& w) {
  const Tensor indices =
      std::get<1>(at::max_pool2d_with_indices(map, w.kernel, w.stride, w.padding, w.dilation, w.ceil));
  return at::max_pool2d_with_indices_backward(gradient, map, w.kernel, w.stride, w.padding, w.dilation, w.ceil,
                                              indices);
}

bool isMap(const Tensor& map) {
  const bool known = map.scalar_type() == at::kFloat || map.scalar_type() == at::kBFloat16;
  return map.dim() == 4 && known && isPlain(map) && map.numel() > 0 && map.numel() < std::numeric_limits<int>::max() &&
         map.is_contiguous(at::MemoryFormat::ChannelsLast);
}

// With dilation, a window could lie outside of the map entirely. Settings that libtorch rejects go to libtorch, for its
// error message.
bool fits(const Tensor& map, const Windows& w) {
  if (!isMap(map) || w.dilation != Pair{1, 1}) return false;
  for (size_t i = 0; i < 2; i++)
    if (w.kernel[i] < 1 || w.kernel[i] > 256 || w.stride[i] < 1 || w.stride[i] > std::numeric_limits<int>::max() ||
        w.padding[i] < 0 || w.padding[i] > w.kernel[i] / 2)
      return false;
  if (w.kernel[0] * w.kernel[1] > 256) return false;
  const Pair size = w.outputSize(map);
  return size[0] > 0 && size[1] > 0 && map.size(0) * map.size(1) * size[0] * size[1] < std::numeric_limits<int>::max();
}

std::string suffixOf(const Tensor& map, std::initializer_list<const void*> data) {
  const bool half = map.scalar_type() == at::kBFloat16;
  const int64_t widest = half ? 8 : 4;
  bool wide = map.size(1) % widest == 0;
  for (const void* one : data) wide = wide && reinterpret_cast<uintptr_t>(one) % 16 == 0;
  return (half ? "_bfloat" : "_float") + std::to_string(wide ? widest : 1);
}

void launch(Engine& engine, const std::string& name, const std::string& suffix, int64_t spots, const kernels::Pool& p,
            at::TensorList used) {
  const int64_t threads = spots * p.images * (p.channels / std::stoi(suffix.substr(suffix.size() - 1)));
  const auto blocks = static_cast<unsigned>((threads + kernels::kThreads - 1) / kernels::kThreads);
  kernels::launch(engine, name + suffix, {blocks, 1, 1, kernels::kThreads}, p, used);
}

kernels::Pool parametersOf(const Tensor& map, const Windows& w) {
  kernels::Pool p{};
  p.images = static_cast<int>(map.size(0));
  p.channels = static_cast<int>(map.size(1));
  const Pair outputSize = w.outputSize(map);
  for (size_t i = 0; i < 2; i++) {
    p.size[i] = static_cast<int>(map.size(2 + i));
    p.outputSize[i] = static_cast<int>(outputSize[i]);
    p.kernel[i] = static_cast<int>(w.kernel[i]);
    p.stride[i] = static_cast<int>(w.stride[i]);
    p.padding[i] = static_cast<int>(w.padding[i]);
  }
  return p;
}

struct Pooled {
  Tensor output, places;
};

Pooled pool(Engine& engine, const Tensor& map, const Windows& w) {
  kernels::Pool p = parametersOf(map, w);
  const auto options = map.options().memory_format(at::MemoryFormat::ChannelsLast);
  const Tensor output = at::empty({p.images, p.channels, p.outputSize[0], p.outputSize[1]}, options),
               places = at::empty(output.sizes(), options.dtype(at::kByte));
  p.input = map.const_data_ptr();
  p.result = output.mutable_data_ptr();
  p.places = places.mutable_data_ptr<uint8_t>();
  const std::string suffix = suffixOf(map, {p.input, p.result, p.places});
  launch(engine, w.kernel == Pair{3, 3} ? "max_pool_3" : "max_pool", suffix,
         static_cast<int64_t>(p.outputSize[0]) * p.outputSize[1], p, {map, output, places});
  return {output, places};
}

Tensor gradientOf(Engine& engine, const Tensor& map, const Windows& w, const Tensor& gradient, const Tensor& places) {
  kernels::Pool p = parametersOf(map, w);
  const Tensor result = at::empty_like(map);
  p.gradient = gradient.const_data_ptr();
  p.places = places.mutable_data_ptr<uint8_t>();
  p.result = result.mutable_data_ptr();
  const std::string suffix = suffixOf(map, {p.gradient, p.result, p.places});
  const bool shares = w.kernel == Pair{3, 3} && w.stride == Pair{2, 2};
  const auto spots = [&](size_t i) -> int64_t { return shares ? (p.size[i] + p.padding[i] + 1) / 2 : p.size[i]; };
  launch(engine, shares ? "max_pool_gradient_3_2" : "max_pool_gradient", suffix, spots(0) * spots(1), p,
         {gradient, places, result});
  return result;
}

std::string kindOf(const char* direction, const Tensor& map, const Windows& w) {
  std::ostringstream text;
  text << "max_pool_" << direction << suffixOf(map, {}) << " (window " << at::IntArrayRef(w.kernel) << ", stride "
       << at::IntArrayRef(w.stride) << ", padding " << at::IntArrayRef(w.padding) << ')';
  return text.str();
}

// libtorch's gradient on CUDA is nondeterministic and is an error where deterministic algorithms are required; the
// comparison lifts that. One thread at a time: the setting is global, and a second thread would save and restore the
// changed value.
class AnyOrder {
 public:
  AnyOrder() { at::globalContext().setDeterministicAlgorithms(false, false); }
  ~AnyOrder() { at::globalContext().setDeterministicAlgorithms(wanted_, warns_); }
  AnyOrder(const AnyOrder&) = delete;
  AnyOrder& operator=(const AnyOrder&) = delete;

 private:
  static std::mutex& mutex() {
    static std::mutex mutex;
    return mutex;
  }

  const std::lock_guard<std::mutex> lock_{mutex()};
  const bool wanted_ = at::globalContext().deterministicAlgorithms(),
             warns_ = at::globalContext().deterministicAlgorithmsWarnOnly();
};

// Returns nothing if the plain operators must be used.
std::optional<Pooled> pooled(const Tensor& map, const Windows& w) {
  Engine* engine = kernels::engineFor(map);
  if (!engine || !fits(map, w)) return std::nullopt;
  const auto agree = [&] { return kernels::agrees(pool(*engine, map, w).output, plainPool(map, w)); };
  return kernels::trusted(map, kindOf("forward", map, w), agree) ? std::optional(pool(*engine, map, w)) : std::nullopt;
}

std::optional<Tensor> pooledGradient(const Tensor& map, const Windows& w, const Tensor& given, const Tensor& places) {
  Engine* engine = kernels::installedFor(map);
  if (!engine || !places.defined() || given.scalar_type() != map.scalar_type()) return std::nullopt;
  const Tensor gradient = plain(given).contiguous(at::MemoryFormat::ChannelsLast);
  const auto agree = [&] {
    const AnyOrder guard;
    return kernels::agrees(gradientOf(*engine, map, w, gradient, places), plainGradient(gradient, map, w));
  };
  if (!kernels::trusted(map, kindOf("backward", map, w), agree)) return std::nullopt;
  return gradientOf(*engine, map, w, gradient, places);
}

std::vector<int64_t> listOf(const Windows& w) {
  return {w.kernel[0],  w.kernel[1],   w.stride[0],   w.stride[1], w.padding[0],
          w.padding[1], w.dilation[0], w.dilation[1], w.ceil};
}

Windows windowsOf(const std::vector<int64_t>& l) {
  return {{l[0], l[1]}, {l[2], l[3]}, {l[4], l[5]}, {l[6], l[7]}, l[8] != 0};
}

struct DeviceMaxPool : torch::autograd::Function<DeviceMaxPool> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& map,
                        const std::vector<int64_t>& sizes) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const Windows windows = windowsOf(sizes);
    const std::optional<Pooled> ours = pooled(map, windows);
    context->save_for_backward({map, ours ? ours->places : Tensor()});
    context->saved_data["sizes"] = sizes;
    return ours ? ours->output : plainPool(map, windows);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    if (!gradients[0].defined()) return torch::autograd::variable_list(2);
    const auto saved = context->get_saved_variables();
    const Windows windows = windowsOf(context->saved_data["sizes"].toIntVector());
    // Second derivatives use the plain operators, whose backward is differentiable.
    const auto ours =
        at::GradMode::is_enabled() ? std::nullopt : pooledGradient(saved[0], windows, gradients[0], saved[1]);
    return {ours ? *ours : plainGradient(gradients[0], saved[0], windows), Tensor()};
  }
};

Pair pairOf(at::IntArrayRef sizes, const char* name) {
  TORCH_CHECK(sizes.size() == 1 || sizes.size() == 2, "max_pool2d: ", name, " must be one integer or two");
  return {sizes[0], sizes.back()};
}

// As aten::max_pool2d.
Tensor maxPool(const Tensor& map, at::IntArrayRef kernel, at::IntArrayRef stride, at::IntArrayRef padding,
               at::IntArrayRef dilation, bool ceil) {
  // A traced graph must contain libtorch's operator.
  const bool ours = kernels::engineFor(map) && map.dim() == 4 && !torch::jit::tracer::isTracing();
  if (!ours) return at::max_pool2d(map, kernel, stride, padding, dilation, ceil);
  const Pair size = pairOf(kernel, "kernel_size");
  const Windows windows{size, stride.empty() ? size : pairOf(stride, "stride"), pairOf(padding, "padding"),
                        pairOf(dilation, "dilation"), ceil};
  if (!fits(map, windows)) return plainPool(map, windows);
  return DeviceMaxPool::apply(map, listOf(windows));
}

}  // namespace

void defineMaxPool(torch::Library& library) {
  library.def(
      "max_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, "
      "int[2] dilation=1, bool ceil_mode=False) -> Tensor",
      maxPool);
}

}  // namespace srrl
