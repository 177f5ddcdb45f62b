// Weights whose copy in half precision is kept up to date elsewhere, so that autocast need not cast them in every pass.
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "library.h"

namespace srrl {

namespace {

using at::Tensor;

struct Narrowed : torch::autograd::Function<Narrowed> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& weight, const Tensor& copy) {
    context->saved_data["type"] = static_cast<int64_t>(weight.scalar_type());
    return copy.detach();
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, const torch::autograd::variable_list& gradients) {
    const auto type = static_cast<at::ScalarType>(context->saved_data["type"].toInt());
    return {gradients[0].defined() ? gradients[0].to(type) : Tensor(), {}};
  }
};

// The copy, with the gradient going to the weight; the weight itself where autocast would not cast it to the copy's type.
Tensor narrowed(const Tensor& weight, const Tensor& copy) {
  const auto type = weight.device().type();
  if (!at::autocast::is_autocast_enabled(type) || at::autocast::get_autocast_dtype(type) != copy.scalar_type()) return weight;
  return Narrowed::apply(weight, copy);
}

}  // namespace

void defineNarrowed(torch::Library& library) { library.def("narrowed(Tensor(a) weight, Tensor(a) copy) -> Tensor(a)", narrowed); }

}  // namespace srrl
