// Batch normalization with the statistics of all processes on any device, as PyTorch's SyncBatchNorm.
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "distributed/moments.h"
#include "library.h"
#include "ops/norm_relu.h"

namespace srrl {

namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

// Returns all dimensions except that of the channels.
std::vector<int64_t> others(const Tensor& input) {
  std::vector<int64_t> dims;
  for (int64_t i = 0; i < input.dim(); i++)
    if (i != 1) dims.push_back(i);
  return dims;
}

Tensor shaped(const Tensor& row, const Tensor& input) {
  std::vector<int64_t> sizes(input.dim(), 1);
  sizes[1] = input.size(1);
  return row.to(input.scalar_type() == at::kDouble ? at::kDouble : at::kFloat).view(sizes);
}

void follow(const OptionalTensor& running, const Tensor& value, double momentum) {
  if (running) running->mul_(1 - momentum).add_(value.to(running->scalar_type()), momentum);
}

struct SyncNorm : torch::autograd::Function<SyncNorm> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& given, const OptionalTensor& weight,
                        const OptionalTensor& bias, const OptionalTensor& runningMean, const OptionalTensor& runningVar,
                        double momentum, double eps) {
    const at::AutoDispatchBelowADInplaceOrView below;
    // Half precision has too few digits for sums.
    const Tensor input = given.scalar_type() == at::kDouble ? given : given.to(at::kFloat);
    const auto dims = others(input);
    const int64_t channels = input.size(1);
    const double count = static_cast<double>(input.numel() / std::max<int64_t>(channels, 1));
    const auto [variance, mean] = at::var_mean(input, dims, 0);
    const Tensor own = at::cat({mean.to(at::kDouble), variance.to(at::kDouble).mul(count),
                                at::full({1}, count, mean.options().dtype(at::kDouble))});
    const Tensor joint = distributed::jointMoments(own);
    const Tensor jointMean = joint.narrow(0, 0, channels), squares = joint.narrow(0, channels, channels),
                 total = joint.narrow(0, 2 * channels, 1);
    const Tensor inverse = squares.div(total).add(eps).rsqrt();
    follow(runningMean, jointMean, momentum);
    follow(runningVar, squares.div(total.sub(1)), momentum);
    const Tensor scale = weight ? inverse.mul(weight->to(at::kDouble)) : inverse;
    const Tensor shift = jointMean.mul(scale).neg();
    const Tensor output =
        input.mul(shaped(scale, input)).add_(shaped(bias ? shift.add(bias->to(at::kDouble)) : shift, input));
    context->save_for_backward({given, weight.value_or(Tensor()), jointMean, inverse, total});
    context->saved_data["bias"] = bias.has_value();
    return output.to(given.scalar_type());
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "synchronized batch normalization has no second derivative");
    if (!gradients[0].defined()) return torch::autograd::variable_list(7);
    const auto saved = context->get_saved_variables();
    const Tensor &given = saved[0], &weight = saved[1], &mean = saved[2], &inverse = saved[3], &total = saved[4];
    const Tensor input = given.scalar_type() == at::kDouble ? given : given.to(at::kFloat);
    const Tensor gradient = gradients[0].to(input.scalar_type());
    const auto dims = others(input);
    const Tensor apart = input.sub(shaped(mean, input));
    const Tensor sum = gradient.sum(dims).to(at::kDouble), product = gradient.mul(apart).sum(dims).to(at::kDouble);
    const Tensor joint = distributed::jointSums(at::cat({sum, product}));
    const int64_t channels = input.size(1);
    const Tensor offset = joint.narrow(0, 0, channels).div(total),
                 slope = joint.narrow(0, channels, channels).div(total).mul(inverse).mul(inverse);
    const Tensor scale = weight.defined() ? inverse.mul(weight.to(at::kDouble)) : inverse;
    Tensor toInput =
        gradient.sub(shaped(offset, input)).sub_(apart.mul_(shaped(slope, input))).mul_(shaped(scale, input));
    // Each rank returns its own share, because the gradients of parameters are reduced later.
    const Tensor toWeight = weight.defined() ? product.mul(inverse).to(weight.scalar_type()) : Tensor();
    const Tensor toBias =
        context->saved_data["bias"].toBool() ? sum.to(weight.defined() ? weight.scalar_type() : at::kFloat) : Tensor();
    return {toInput.to(given.scalar_type()), toWeight, toBias, {}, {}, {}, {}};
  }
};

Tensor syncNorm(const Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias,
                const OptionalTensor& runningMean, const OptionalTensor& runningVar, const OptionalTensor& residual,
                double momentum, double eps, bool relu) {
  TORCH_CHECK(input.dim() >= 2, "expected an input [N, C, ...], got a tensor of ", input.dim(), " dimensions");
  if (relu && weight && bias && normReluFits(input, *weight, *bias, runningMean, runningVar, residual))
    return jointNormRelu(input, *weight, *bias, runningMean, runningVar, residual, momentum, eps);
  Tensor output = SyncNorm::apply(input, weight, bias, runningMean, runningVar, momentum, eps);
  if (residual) output = output.add(*residual);
  return relu ? output.relu() : output;
}

}  // namespace

void defineSyncNorm(torch::Library& library) {
  library.def(
      "sync_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, "
      "Tensor? running_var, Tensor? residual, float momentum, float eps, bool relu) -> Tensor",
      syncNorm);
}

}  // namespace srrl
