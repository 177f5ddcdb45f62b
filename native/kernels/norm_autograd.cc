// Autograd of the fused batch normalization on devices that have kernels for it.
#include <torch/csrc/autograd/custom_function.h>

#include "../plain.h"
#include "norm_relu.h"

namespace srrl::kernels {

namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;
using torch::autograd::variable_list;

struct DeviceNorm : torch::autograd::Function<DeviceNorm> {
  static variable_list forward(torch::autograd::AutogradContext* context, const Tensor& input, const Tensor& weight,
                               const Tensor& bias, const OptionalTensor& runningMean, const OptionalTensor& runningVar,
                               const OptionalTensor& tracked, const OptionalTensor& residual, double momentum,
                               double eps, int64_t form) {
    const at::AutoDispatchBelowADInplaceOrView below;
    TORCH_CHECK(input.dim() == 4 && input.numel() != input.size(1),
                "Expected more than 1 value per channel when training, got input size ", input.sizes());
    const NormSetting setting{input,   weight,   bias,     runningMean, runningVar,
                              tracked, residual, momentum, eps,         static_cast<NormForm>(form)};
    const std::optional<NormResult> ours = norm(setting);
    const NormResult made = ours ? *ours : plainNorm(setting);
    const bool joined = setting.form == NormForm::kJoined;
    // The other forms recompute the sign of the output from the input.
    const bool keepsOutput = setting.form == NormForm::kRelu || joined;
    context->save_for_backward(
        {joined ? made.sum : input, keepsOutput ? made.output : Tensor(), weight, bias, made.mean, made.deviation});
    context->set_materialize_grads(false);
    context->saved_data["eps"] = eps;
    context->saved_data["form"] = form;
    context->saved_data["residual"] = residual.has_value();
    context->saved_data["kernel"] = ours.has_value();
    return joined ? variable_list{made.output, made.sum} : variable_list{made.output};
  }

  static variable_list backward(torch::autograd::AutogradContext* context, const variable_list& gradients) {
    const auto form = static_cast<NormForm>(context->saved_data["form"].toInt());
    const bool joined = form == NormForm::kJoined, hadResidual = context->saved_data["residual"].toBool();
    const NormReturned returned{gradients[0], joined ? gradients[1] : Tensor()};
    if (!returned.output.defined()) return {returned.sum, {}, {}, {}, {}, {}, returned.sum, {}, {}, {}};
    const auto saved = context->get_saved_variables();
    // Only whether there was a residual matters here, not its values.
    const OptionalTensor residual = hadResidual ? OptionalTensor(saved[0]) : std::nullopt;
    const NormSetting setting{
        saved[0], saved[2], saved[3], {}, {}, {}, residual, 0, context->saved_data["eps"].toDouble(), form};
    const NormResult made{saved[1].defined() ? saved[1] : saved[0], saved[4], saved[5], {}};
    // Second derivatives use the plain operators, whose backward is differentiable.
    const bool kernel = context->saved_data["kernel"].toBool() && !at::GradMode::is_enabled();
    const std::optional<NormGradients> ours = kernel ? normBackward(setting, made, returned) : std::nullopt;
    const NormGradients to = ours ? *ours : plainNormBackward(setting, made, returned);
    const Tensor toResidual = joined ? to.input : hadResidual ? to.residual : Tensor();
    return {to.input, to.weight, to.bias, {}, {}, {}, toResidual, {}, {}, {}};
  }
};

}  // namespace

std::vector<Tensor> normWithGradients(const NormSetting& s) {
  return DeviceNorm::apply(s.input, s.weight, s.bias, s.runningMean, s.runningVar, s.tracked, s.residual, s.momentum,
                           s.eps, static_cast<int64_t>(s.form));
}

}  // namespace srrl::kernels
