// Normalization with constant statistics, the addition before it and the ReLU after it, in one launch; for frozen
// networks on devices.
#include <ATen/ATen.h>
#include <torch/library.h>

#include "kernels/norm_relu.h"
#include "library.h"

namespace srrl {

namespace {

using at::Tensor;

// deviation: 1 / sqrt(var + eps), which kernels read.
Tensor normFrozen(const Tensor& input, const Tensor& weight, const Tensor& bias, const Tensor& mean, const Tensor& var,
                  const Tensor& deviation, double eps, bool relu) {
  const auto form = relu ? kernels::NormForm::kRelu : kernels::NormForm::kLinear;
  return kernels::frozenNorm({input, weight, bias, mean, var, {}, {}, 0, eps, form}, deviation).first;
}

// relu(norm(input + other)) and the sum: (output, sum).
std::tuple<Tensor, Tensor> normFrozenSum(const Tensor& input, const Tensor& other, const Tensor& weight,
                                         const Tensor& bias, const Tensor& mean, const Tensor& var,
                                         const Tensor& deviation, double eps) {
  return kernels::frozenNorm({input, weight, bias, mean, var, {}, other, 0, eps, kernels::NormForm::kJoined},
                             deviation);
}

}  // namespace

void defineNormFrozen(torch::Library& library) {
  library.def(
      "norm_frozen(Tensor input, Tensor weight, Tensor bias, Tensor mean, Tensor var, Tensor deviation, "
      "float eps, bool relu) -> Tensor",
      normFrozen);
  library.def(
      "norm_frozen_sum(Tensor input, Tensor other, Tensor weight, Tensor bias, Tensor mean, Tensor var, "
      "Tensor deviation, float eps) -> (Tensor, Tensor)",
      normFrozenSum);
}

}  // namespace srrl
