// Batch normalization, and what stands before and behind it, by own kernels, where a device has them.
#pragma once

#include <ATen/ATen.h>

#include <optional>

namespace srrl::kernels {

// What else is computed.
enum class NormForm {
  kRelu,    // relu(normalized + residual)
  kPooled,  // the mean of each image's pixels of relu(normalized), [N, C]
  kLinear,  // normalized
  kJoined,  // relu(normalized), where input + residual is normalized, and that sum
};

// What is normalized, and by what.
struct NormSetting {
  at::Tensor input, weight, bias;
  std::optional<at::Tensor> runningMean, runningVar, tracked, residual;
  double momentum = 0.1, eps = 1e-5;
  NormForm form = NormForm::kRelu;
};

struct NormResult {
  at::Tensor output, mean, deviation, sum;
};

// What came back for the results; either may be undefined, that of the output only where there is a sum.
struct NormReturned {
  at::Tensor output, sum;
};

// `input` is the gradient of both maps where a sum is normalized.
struct NormGradients {
  at::Tensor input, weight, bias, residual;
};

// The plain operators, which may differ in the last digits.
NormResult plainNorm(const NormSetting& setting);

// In backward `setting.input` is what was normalized.
NormGradients plainNormBackward(const NormSetting& setting, const NormResult& made, const NormReturned& returned);

// Whether kernels are wanted for it and exist.
bool normFits(const NormSetting& setting);

// Nothing where plain operators have to do it.
std::optional<NormResult> norm(const NormSetting& setting);
std::optional<NormGradients> normBackward(const NormSetting& setting, const NormResult& made,
                                          const NormReturned& returned);

// By statistics that never change, those of `setting`: the output, and the sum where one is normalized (not pooled, and
// no residual before the ReLU); `deviation` is 1 / sqrt(variance + eps). Without gradient.
std::pair<at::Tensor, at::Tensor> frozenNorm(const NormSetting& setting, const at::Tensor& deviation);

// With gradients, by kernels or by plain operators: the output, and the sum where there is one.
std::vector<at::Tensor> normWithGradients(const NormSetting& setting);

}  // namespace srrl::kernels
