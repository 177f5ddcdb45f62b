// Gradients of batch normalization and ReLU on devices that have kernels for it.
#include <torch/csrc/autograd/custom_function.h>

#include "../plain.h"
#include "norm_relu.h"

namespace srrl::kernels {

namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

struct DeviceNormRelu : torch::autograd::Function<DeviceNormRelu> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& input, const Tensor& weight, const Tensor& bias, const OptionalTensor& runningMean,
                        const OptionalTensor& runningVar, const OptionalTensor& residual, double momentum, double eps, bool pooled) {
    const at::AutoDispatchBelowADInplaceOrView below;
    TORCH_CHECK(input.dim() == 4 && input.numel() != input.size(1), "Expected more than 1 value per channel when training, got input size ", input.sizes());
    const NormSetting setting{input, weight, bias, runningMean, runningVar, residual, momentum, eps, pooled};
    const std::optional<NormResult> ours = norm(setting);
    const NormResult made = ours ? *ours : plainNorm(setting);
    // Without a residual the sign of the output is found from the input once more.
    context->save_for_backward({input, pooled ? Tensor() : made.output, weight, bias, made.mean, made.deviation});
    context->saved_data["eps"] = eps;
    context->saved_data["residual"] = residual.has_value();
    context->saved_data["pooled"] = pooled;
    context->saved_data["kernel"] = ours.has_value();
    return made.output;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, const torch::autograd::variable_list& gradients) {
    if (!gradients[0].defined()) return torch::autograd::variable_list(9);
    const auto saved = context->get_saved_variables();
    const bool hadResidual = context->saved_data["residual"].toBool(), pooled = context->saved_data["pooled"].toBool();
    // Its values do not matter any more.
    const OptionalTensor residual = hadResidual ? OptionalTensor(saved[0]) : std::nullopt;
    const NormSetting setting{saved[0], saved[2], saved[3], {}, {}, residual, 0, context->saved_data["eps"].toDouble(), pooled};
    const NormResult made{pooled ? saved[0] : saved[1], saved[4], saved[5]};
    // A second derivative is of the plain operators, whose formulas are differentiable.
    const bool kernel = context->saved_data["kernel"].toBool() && !at::GradMode::is_enabled();
    const std::optional<NormGradients> ours = kernel ? normBackward(setting, made, gradients[0]) : std::nullopt;
    const NormGradients to = ours ? *ours : plainNormBackward(setting, made, gradients[0]);
    return {to.input, to.weight, to.bias, {}, {}, hadResidual ? to.residual : Tensor(), {}, {}, {}};
  }
};

}  // namespace

Tensor normRelu(const NormSetting& s) {
  return DeviceNormRelu::apply(s.input, s.weight, s.bias, s.runningMean, s.runningVar, s.residual, s.momentum, s.eps, s.pooled);
}

}  // namespace srrl::kernels
