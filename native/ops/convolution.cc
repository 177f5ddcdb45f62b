// Convolutions in a captured step. The gradients of weight and bias are computed in parallel with the gradients of
// activations, the critical path of a backward pass.
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "gradients.h"
#include "library.h"
#include "ops/narrowed.h"

namespace srrl {

namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Sizes {
  std::vector<int64_t> stride, padding, dilation;
  int64_t groups;
};

Sizes sizesIn(AutogradContext* context) {
  auto& data = context->saved_data;
  return {data["stride"].toIntVector(), data["padding"].toIntVector(), data["dilation"].toIntVector(),
          data["groups"].toInt()};
}

std::tuple<Tensor, Tensor, Tensor> gradientsOf(const Tensor& gradient, const Tensor& input, const Tensor& weight,
                                               const Sizes& sizes, std::array<bool, 3> wanted) {
  const std::vector<int64_t> none(sizes.stride.size(), 0), bias{weight.size(0)};
  return at::convolution_backward(gradient, input, weight, bias, sizes.stride, sizes.padding, sizes.dilation, false,
                                  none, sizes.groups, wanted);
}

// `weight` and `bias` are the parameters; `weightInUse` and `biasInUse` are either those or their half-precision
// copies.
struct Convolution : torch::autograd::Function<Convolution> {
  static Tensor forward(AutogradContext* context, const Tensor& input, const Tensor& weight, const OptionalTensor& bias,
                        const Tensor& weightInUse, const OptionalTensor& biasInUse, const Sizes& sizes) {
    const at::AutoDispatchBelowADInplaceOrView below;
    context->save_for_backward({input, weightInUse});
    auto& data = context->saved_data;
    data["stride"] = sizes.stride;
    data["padding"] = sizes.padding;
    data["dilation"] = sizes.dilation;
    data["groups"] = sizes.groups;
    data["weight"] = weight;
    data["bias"] = bias;
    data["gradients"] = c10::IValue::make_capsule(Gradients::forWeight(weight));
    return at::convolution(input, weightInUse, biasInUse, sizes.stride, sizes.padding, sizes.dilation, false,
                           std::vector<int64_t>(sizes.stride.size(), 0), sizes.groups);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    variable_list made(6);
    const Tensor& gradient = gradients[0];
    if (!gradient.defined()) return made;
    const auto saved = context->get_saved_variables();
    const Tensor input = saved[0], inUse = saved[1];
    const Sizes sizes = sizesIn(context);
    const Tensor weight = context->saved_data["weight"].toTensor();
    const OptionalTensor bias = context->saved_data["bias"].toOptional<Tensor>();
    const bool toInput = context->needs_input_grad(0);
    const auto side = c10::static_intrusive_pointer_cast<Gradients>(context->saved_data["gradients"].toCapsule());
    if (!side->areWanted()) {
      // A second derivative must reach the weight, and its copy has no autograd history.
      const Tensor differentiable = at::GradMode::is_enabled() ? weight.to(inUse.scalar_type()) : inUse;
      const auto [map, kernel, offset] =
          gradientsOf(gradient, input, differentiable, sizes, {toInput, true, bias.has_value()});
      made[0] = map;
      made[1] = kernel.to(weight.scalar_type());
      if (bias) made[2] = offset.to(bias->scalar_type());
      return made;
    }
    // The gradient of the input first: in a replay, a CUDA graph continues on the branch that was captured first.
    c10::Event here = side->here();
    if (toInput) made[0] = std::get<0>(gradientsOf(gradient, input, inUse, sizes, {true, false, false}));
    side->beside(std::move(here), {gradient, input, inUse}, [&] {
      const auto [map, kernel, offset] = gradientsOf(gradient, input, inUse, sizes, {false, true, bias.has_value()});
      side->add(weight, kernel);
      if (bias) side->add(*bias, offset);
    });
    return made;
  }
};

// As aten::conv2d, with the given copies of weight and bias where autocast would cast them.
Tensor conv2d(const Tensor& given, const Tensor& weight, const OptionalTensor& bias, const Tensor& weightCopy,
              const OptionalTensor& biasCopy, at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation,
              int64_t groups) {
  const auto type = given.device().type();
  const bool casts = at::autocast::is_autocast_enabled(type);
  const at::ScalarType dtype = casts ? at::autocast::get_autocast_dtype(type) : weight.scalar_type();
  const Tensor& kernel = dtype == weight.scalar_type() ? weight : weightCopy;
  const bool isUsual = kernel.scalar_type() == dtype && given.dim() == 4 &&
                       (casts ? given.is_floating_point() : given.scalar_type() == dtype);
  if (!isUsual || !Gradients::forWeight(weight) || (bias && !Gradients::forWeight(*bias))) {
    const OptionalTensor offset = bias ? OptionalTensor(narrowed(*bias, *biasCopy)) : std::nullopt;
    return at::conv2d(given, narrowed(weight, weightCopy), offset, stride, padding, dilation, groups);
  }
  const Tensor input = casts ? at::autocast::cached_cast(dtype, given, type) : given;
  const c10::impl::ExcludeDispatchKeyGuard asTheyAre(at::autocast::get_autocast_dispatch_key_from_device_type(type));
  return Convolution::apply(input, weight, bias, kernel, dtype == weight.scalar_type() ? bias : biasCopy,
                            Sizes{stride.vec(), padding.vec(), dilation.vec(), groups});
}

}  // namespace

void defineConvolution(torch::Library& library) {
  library.def(
      "conv2d(Tensor input, Tensor weight, Tensor? bias, Tensor weight_copy, Tensor? bias_copy, "
      "int[2] stride, int[2] padding, int[2] dilation, int groups) -> Tensor",
      conv2d);
}

}  // namespace srrl
