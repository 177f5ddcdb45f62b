// Weights with a half-precision copy that the optimizer keeps up to date, so that autocast need not cast them in every
// pass.
#include "ops/narrowed.h"

#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "gradients.h"
#include "library.h"

namespace srrl {

namespace {

using at::Tensor;

struct Narrowed : torch::autograd::Function<Narrowed> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& weight, const Tensor& copy) {
    context->saved_data["weight"] = weight;
    if (const auto gradients = Gradients::forWeight(weight))
      context->saved_data["gradients"] = c10::IValue::make_capsule(gradients);
    return copy.detach();
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    if (!gradients[0].defined()) return {{}, {}};
    auto& data = context->saved_data;
    const Tensor weight = data["weight"].toTensor();
    if (data.count("gradients") > 0) {
      const auto captured = c10::static_intrusive_pointer_cast<Gradients>(data["gradients"].toCapsule());
      if (captured->areWanted()) {
        captured->addOfChain(weight, gradients[0]);
        return {{}, {}};
      }
    }
    return {gradients[0].to(weight.scalar_type()), {}};
  }
};

}  // namespace

Tensor narrowed(const Tensor& weight, const Tensor& copy) {
  const auto type = weight.device().type();
  if (!at::autocast::is_autocast_enabled(type) || at::autocast::get_autocast_dtype(type) != copy.scalar_type())
    return weight;
  return Narrowed::apply(weight, copy);
}

void defineNarrowed(torch::Library& library) {
  library.def("narrowed(Tensor(a) weight, Tensor(a) copy) -> Tensor(a)", narrowed);
}

}  // namespace srrl
