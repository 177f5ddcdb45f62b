// Fused normalization and ReLU: with the statistics of the batch and gradients, or with constants.
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "distributed/moments.h"
#include "kernels/engine.h"
#include "kernels/norm_relu.h"
#include "library.h"
#include "norm/norm.h"
#include "ops/norm_relu.h"
#include "plain.h"
#include "vector/lanes.h"

namespace srrl {

namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

const norm::Functions& functions() {
#if defined(__x86_64__)
  return widest(norm::avx2, norm::avx512);
#else
  throw std::logic_error("no vectors");
#endif
}

bool isMap(const Tensor& input) {
  return isPlain(input) && input.is_cpu() && input.scalar_type() == at::kFloat && input.dim() == 4 &&
         input.size(1) % 16 == 0 && input.numel() > 0 && input.is_contiguous(at::MemoryFormat::ChannelsLast);
}

bool isRow(const Tensor& values, const Tensor& input) {
  return isPlain(values) && values.is_cpu() && values.scalar_type() == at::kFloat && values.is_contiguous() &&
         values.sizes() == c10::IntArrayRef({input.size(1)});
}

bool isLike(const OptionalTensor& other, const Tensor& input) {
  return !other || (isMap(*other) && other->sizes() == input.sizes());
}

const float* dataOf(const OptionalTensor& tensor) { return tensor ? tensor->const_data_ptr<float>() : nullptr; }

template <typename Body>
void overPixels(const Tensor& map, const Body& body) {
  at::parallel_for(0, map.numel() / map.size(1), 4096 / map.size(1) + 1, body);
}

// A normalization with constant statistics, as scale and shift per channel, and an optional ReLU. No gradient.
Tensor affine(const Tensor& input, const Tensor& scale, const Tensor& shift, bool relu) {
  if (vectorLanes() == 0 || !isMap(input) || !isRow(scale, input) || !isRow(shift, input)) {
    const Tensor result = input.mul(scale.view({1, -1, 1, 1})).add(shift.view({1, -1, 1, 1}));
    return relu ? result.relu() : result;
  }
  Tensor output = at::empty_like(input);
  const float* from = input.const_data_ptr<float>();
  float* to = output.mutable_data_ptr<float>();
  const norm::Affine by{.scale = dataOf(scale), .shift = dataOf(shift), .relu = relu};
  overPixels(input, [&](int64_t begin, int64_t end) { functions().affine(from, by, to, input.size(1), begin, end); });
  return output;
}

// Computes two sums per channel over all pixels. Each thread has its own share; shares are joined in a fixed order, so
// that the result is bitwise reproducible for the same number of threads.
template <typename Share, typename Join>
void overShares(const Tensor& map, const Share& share, const Join& join) {
  const int64_t channels = map.size(1), pixels = map.numel() / channels;
  // Every share has pixels; the mean of none would be 0 / 0.
  const int64_t count = std::min<int64_t>({at::get_num_threads(), map.numel() / 16384 + 1, pixels});
  std::vector<double> sums(count * 2 * channels);
  const auto firstOf = [&](int64_t i) { return i * pixels / count; };
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++)
      share(&sums[i * 2 * channels], &sums[(i * 2 + 1) * channels], firstOf(i), firstOf(i + 1));
  });
  for (int64_t i = 0; i < count; i++)
    join(&sums[i * 2 * channels], &sums[(i * 2 + 1) * channels], firstOf(i), firstOf(i + 1));
}

struct Statistics {
  std::vector<double> mean, squares;
};

Statistics statisticsOf(const Tensor& input) {
  const int64_t channels = input.size(1);
  const float* from = input.const_data_ptr<float>();
  Statistics all{std::vector<double>(channels), std::vector<double>(channels)};
  overShares(
      input,
      [&](double* mean, double* squares, int64_t begin, int64_t end) {
        functions().moments(from, mean, squares, channels, begin, end);
      },
      [&](const double* mean, const double* squares, int64_t begin, int64_t end) {
        const double share = static_cast<double>(end - begin) / end;
        for (int64_t c = 0; c < channels; c++) {
          const double apart = mean[c] - all.mean[c];
          all.mean[c] += apart * share;
          all.squares[c] += squares[c] + apart * apart * begin * share;
        }
      });
  return all;
}

void follow(const OptionalTensor& running, const std::vector<double>& values, double divisor, double momentum) {
  if (!running) return;
  float* to = running->mutable_data_ptr<float>();
  for (size_t c = 0; c < values.size(); c++)
    to[c] = static_cast<float>((1 - momentum) * to[c] + momentum * values[c] / divisor);
}

// Output, mean, 1 / standard deviation, and the number of values per channel behind the statistics.
using Forward = std::tuple<Tensor, Tensor, Tensor, double>;
using Backward = std::tuple<Tensor, Tensor, Tensor, Tensor>;

// native_batch_norm does not check these sizes.
void checkChannels(const Tensor& input, std::initializer_list<const OptionalTensor*> rows) {
  TORCH_CHECK(input.dim() >= 2, "expected an input [N, C, ...], got a tensor of ", input.dim(), " dimensions");
  for (const OptionalTensor* row : rows) {
    TORCH_CHECK(!*row || (*row)->sizes() == c10::IntArrayRef({input.size(1)}), "a value for each of the ",
                input.size(1), " channels must match: got shape ", (*row)->sizes());
  }
}

Forward plainForward(const Tensor& input, const Tensor& weight, const Tensor& bias, const OptionalTensor& runningMean,
                     const OptionalTensor& runningVar, const OptionalTensor& residual, double momentum, double eps) {
  const OptionalTensor given[] = {weight, bias};
  checkChannels(input, {&given[0], &given[1], &runningMean, &runningVar});
  auto [output, mean, deviation] =
      at::native_batch_norm(input, weight, bias, runningMean, runningVar, true, momentum, eps);
  if (residual) output = output.add(*residual);
  return {output.relu_(), mean, deviation, static_cast<double>(input.numel() / input.size(1))};
}

// relu(batch norm with the batch's own statistics + residual). mean and 1 / standard deviation are saved for backward.
// With `joint`, the statistics are those of all processes; the tensors must satisfy normReluFits().
Forward forward(const Tensor& input, const Tensor& weight, const Tensor& bias, const OptionalTensor& runningMean,
                const OptionalTensor& runningVar, const OptionalTensor& residual, double momentum, double eps,
                bool joint) {
  // The variance of one value is 0 / 0 and would remain in the running statistics.
  TORCH_CHECK(joint || input.dim() < 2 || input.numel() != input.size(1),
              "Expected more than 1 value per channel when training, got input size ", input.sizes());
  if (!joint && !normReluFits(input, weight, bias, runningMean, runningVar, residual))
    return plainForward(input, weight, bias, runningMean, runningVar, residual, momentum, eps);
  const int64_t channels = input.size(1);
  double pixels = input.numel() / channels;
  Statistics found = statisticsOf(input);
  if (joint) distributed::jointMoments(found.mean, found.squares, pixels);
  TORCH_CHECK(pixels > 1 || !joint, "Expected more than 1 value per channel when training, got input size ",
              input.sizes(), " from all ranks together");
  follow(runningMean, found.mean, 1, momentum);
  follow(runningVar, found.squares, pixels - 1, momentum);
  Tensor mean = at::empty_like(weight), deviation = at::empty_like(weight), scale = at::empty_like(weight),
         shift = at::empty_like(weight);
  for (int64_t c = 0; c < channels; c++) {
    const double inverse = 1 / std::sqrt(found.squares[c] / pixels + eps), factor = dataOf(weight)[c] * inverse;
    mean.mutable_data_ptr<float>()[c] = found.mean[c];
    deviation.mutable_data_ptr<float>()[c] = inverse;
    scale.mutable_data_ptr<float>()[c] = factor;
    shift.mutable_data_ptr<float>()[c] = dataOf(bias)[c] - found.mean[c] * factor;
  }
  Tensor output = at::empty_like(input);
  const float* from = dataOf(input);
  float* to = output.mutable_data_ptr<float>();
  const norm::Affine by{dataOf(scale), dataOf(shift), dataOf(residual), true};
  overPixels(input, [&](int64_t begin, int64_t end) { functions().affine(from, by, to, channels, begin, end); });
  return {output, mean, deviation, pixels};
}

Backward plainBackward(const Tensor& gradient, const Tensor& input, const Tensor& output, const Tensor& weight,
                       const Tensor& mean, const Tensor& deviation, double eps) {
  const Tensor through = at::threshold_backward(gradient, output, 0);
  const auto [toInput, toWeight, toBias] =
      at::native_batch_norm_backward(through, input, weight, {}, {}, mean, deviation, true, eps, {true, true, true});
  return {toInput, toWeight, toBias, through};
}

// Gradients of input, weight, bias and, with `residual`, of the residual. Those of weight and bias are this process's
// share even if the statistics are joint.
Backward backward(const Tensor& given, const Tensor& input, const Tensor& output, const Tensor& weight,
                  const Tensor& bias, const Tensor& mean, const Tensor& deviation, double eps, bool residual,
                  bool joint, double pixels) {
  const Tensor gradient = plain(given).contiguous(at::MemoryFormat::ChannelsLast);
  if (!joint && (vectorLanes() == 0 || !isMap(input) || !isLike(gradient, input) || !isLike(output, input) ||
                 !isRow(weight, input) || !isRow(bias, input)))
    return plainBackward(gradient, input, output, weight, mean, deviation, eps);
  const int64_t channels = input.size(1);
  const Tensor scale = weight.mul(deviation), shift = bias.sub(mean.mul(scale));
  // Without a residual, recomputing the output is faster than reading it.
  const norm::Gradient back{dataOf(gradient), dataOf(input), residual ? dataOf(output) : nullptr,
                            dataOf(mean),     dataOf(scale), dataOf(shift)};
  std::vector<double> sum(channels), product(channels);
  overShares(
      input,
      [&](double* some, double* products, int64_t begin, int64_t end) {
        functions().sums(back, some, products, channels, begin, end);
      },
      [&](const double* some, const double* products, int64_t, int64_t) {
        for (int64_t c = 0; c < channels; c++) {
          sum[c] += some[c];
          product[c] += products[c];
        }
      });
  Tensor toWeight = at::empty_like(weight), toBias = at::empty_like(weight), slope = at::empty_like(weight),
         offset = at::empty_like(weight);
  for (int64_t c = 0; c < channels; c++) {
    toWeight.mutable_data_ptr<float>()[c] = product[c] * dataOf(deviation)[c];
    toBias.mutable_data_ptr<float>()[c] = sum[c];
  }
  if (joint) distributed::jointSums(sum, product);
  for (int64_t c = 0; c < channels; c++) {
    const double inverse = dataOf(deviation)[c];
    slope.mutable_data_ptr<float>()[c] = product[c] * inverse * inverse / pixels;
    offset.mutable_data_ptr<float>()[c] = sum[c] / pixels;
  }
  Tensor toInput = at::empty_like(input), toResidual = residual ? at::empty_like(input) : Tensor();
  float *in = toInput.mutable_data_ptr<float>(), *other = residual ? toResidual.mutable_data_ptr<float>() : nullptr;
  overPixels(input, [&](int64_t begin, int64_t end) {
    functions().back(back, dataOf(slope), dataOf(offset), in, other, channels, begin, end);
  });
  return {toInput, toWeight, toBias, toResidual};
}

void count(const OptionalTensor& tracked) {
  if (tracked) tracked->add_(1);
}

Tensor normRelu(const Tensor& input, const Tensor& weight, const Tensor& bias, const OptionalTensor& runningMean,
                const OptionalTensor& runningVar, const OptionalTensor& residual, double momentum, double eps,
                const OptionalTensor& tracked) {
  if (const auto made = kernels::norm({input, weight, bias, runningMean, runningVar, tracked, residual, momentum, eps}))
    return made->output;
  const Tensor output =
      std::get<0>(forward(input, weight, bias, runningMean, runningVar, residual, momentum, eps, false));
  count(tracked);
  return output;
}

struct NormRelu : torch::autograd::Function<NormRelu> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& input, const Tensor& weight,
                        const Tensor& bias, const OptionalTensor& runningMean, const OptionalTensor& runningVar,
                        const OptionalTensor& residual, double momentum, double eps, bool joint) {
    const at::AutoDispatchBelowADInplaceOrView below;
    auto [output, mean, deviation, pixels] =
        srrl::forward(input, weight, bias, runningMean, runningVar, residual, momentum, eps, joint);
    context->save_for_backward({input, output, weight, bias, mean, deviation});
    context->saved_data["eps"] = eps;
    context->saved_data["residual"] = residual.has_value();
    context->saved_data["joint"] = joint;
    context->saved_data["pixels"] = pixels;
    return output;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    if (!gradients[0].defined()) return torch::autograd::variable_list(9);
    const auto saved = context->get_saved_variables();
    const Tensor &input = saved[0], &output = saved[1], &weight = saved[2], &bias = saved[3], &mean = saved[4],
                 &deviation = saved[5];
    const double eps = context->saved_data["eps"].toDouble();
    const bool residual = context->saved_data["residual"].toBool(), joint = context->saved_data["joint"].toBool();
    TORCH_CHECK(!joint || !at::GradMode::is_enabled(), "synchronized batch normalization has no second derivative");
    // Second derivatives use the plain operators, whose backward is differentiable.
    auto [toInput, toWeight, toBias, toResidual] =
        at::GradMode::is_enabled() ? plainBackward(gradients[0], input, output, weight, mean, deviation, eps)
                                   : srrl::backward(gradients[0], input, output, weight, bias, mean, deviation, eps,
                                                    residual, joint, context->saved_data["pixels"].toDouble());
    return {toInput, toWeight, toBias, {}, {}, residual ? toResidual : Tensor(), {}, {}, {}};
  }
};

Tensor normReluAutograd(const Tensor& input, const Tensor& weight, const Tensor& bias,
                        const OptionalTensor& runningMean, const OptionalTensor& runningVar,
                        const OptionalTensor& residual, double momentum, double eps, const OptionalTensor& tracked) {
  if (kernels::engineFor(input))
    return kernels::normWithGradients(
        {input, weight, bias, runningMean, runningVar, tracked, residual, momentum, eps})[0];
  const Tensor output = NormRelu::apply(input, weight, bias, runningMean, runningVar, residual, momentum, eps, false);
  count(tracked);
  return output;
}

// Mean over the pixels of each image after normalization and ReLU: [N, C, H, W] -> [N, C].
Tensor normReluPool(const Tensor& input, const Tensor& weight, const Tensor& bias, const OptionalTensor& runningMean,
                    const OptionalTensor& runningVar, double momentum, double eps, const OptionalTensor& tracked) {
  if (kernels::engineFor(input))
    return kernels::normWithGradients(
        {input, weight, bias, runningMean, runningVar, tracked, {}, momentum, eps, kernels::NormForm::kPooled})[0];
  return normReluAutograd(input, weight, bias, runningMean, runningVar, {}, momentum, eps, tracked).mean({2, 3});
}

// Normalization without ReLU.
Tensor normAlone(const Tensor& input, const Tensor& weight, const Tensor& bias, const OptionalTensor& runningMean,
                 const OptionalTensor& runningVar, double momentum, double eps, const OptionalTensor& tracked) {
  const kernels::NormSetting setting{input,   weight, bias,     runningMean, runningVar,
                                     tracked, {},     momentum, eps,         kernels::NormForm::kLinear};
  if (kernels::normFits(setting)) return kernels::normWithGradients(setting)[0];
  const Tensor output = at::batch_norm(input, weight, bias, runningMean, runningVar, true, momentum, eps, true);
  count(tracked);
  return output;
}

// relu(norm(input + other)) and the sum: (output, sum).
std::tuple<Tensor, Tensor> normReluSum(const Tensor& input, const Tensor& other, const Tensor& weight,
                                       const Tensor& bias, const OptionalTensor& runningMean,
                                       const OptionalTensor& runningVar, double momentum, double eps,
                                       const OptionalTensor& tracked) {
  const kernels::NormSetting setting{input,   weight, bias,     runningMean, runningVar,
                                     tracked, other,  momentum, eps,         kernels::NormForm::kJoined};
  if (kernels::normFits(setting)) {
    const auto made = kernels::normWithGradients(setting);
    return {made[0], made[1]};
  }
  const Tensor sum = input.add(other);
  return {normReluAutograd(sum, weight, bias, runningMean, runningVar, {}, momentum, eps, tracked), sum};
}

}  // namespace

bool normReluFits(const Tensor& input, const Tensor& weight, const Tensor& bias, const OptionalTensor& runningMean,
                  const OptionalTensor& runningVar, const OptionalTensor& residual) {
  return vectorLanes() > 0 && isMap(input) && isRow(weight, input) && isRow(bias, input) && isLike(residual, input) &&
         (!runningMean || isRow(*runningMean, input)) && (!runningVar || isRow(*runningVar, input));
}

Tensor jointNormRelu(const Tensor& input, const Tensor& weight, const Tensor& bias, const OptionalTensor& runningMean,
                     const OptionalTensor& runningVar, const OptionalTensor& residual, double momentum, double eps) {
  return NormRelu::apply(input, weight, bias, runningMean, runningVar, residual, momentum, eps, true);
}

void defineNormRelu(torch::Library& library) {
  library.def("affine(Tensor input, Tensor scale, Tensor shift, bool relu) -> Tensor", affine);
  const std::string statistics = "Tensor weight, Tensor bias, Tensor? running_mean, Tensor? running_var, ";
  const std::string numbers = "float momentum, float eps, Tensor? num_batches_tracked=None) -> ";
  library.def(("batch_norm_relu(Tensor input, " + statistics + "Tensor? residual, " + numbers + "Tensor").c_str());
  library.impl("batch_norm_relu", torch::dispatch(c10::DispatchKey::CompositeExplicitAutograd, normRelu));
  library.impl("batch_norm_relu", torch::dispatch(c10::DispatchKey::Autograd, normReluAutograd));
  library.def(("batch_norm_relu_pool(Tensor input, " + statistics + numbers + "Tensor").c_str(), normReluPool);
  library.def(("batch_norm(Tensor input, " + statistics + numbers + "Tensor").c_str(), normAlone);
  library.def(("batch_norm_relu_sum(Tensor input, Tensor other, " + statistics + numbers + "(Tensor, Tensor)").c_str(),
              normReluSum);
}

}  // namespace srrl
