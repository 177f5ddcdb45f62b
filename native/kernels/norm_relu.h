// Batch normalization fused with additions and ReLU, by the package's kernels where a device has them.
#pragma once

#include <ATen/ATen.h>

#include <optional>

namespace srrl::kernels {

// The computation around the normalization.
enum class NormForm {
  kRelu,    // relu(normalized + residual)
  kPooled,  // the mean of relu(normalized) over the pixels of each image, [N, C]
  kLinear,  // normalized
  kJoined,  // relu(normalized) of input + residual, and that sum
};

// Inputs of a normalization.
struct NormSetting {
  at::Tensor input, weight, bias;
  std::optional<at::Tensor> runningMean, runningVar, tracked, residual;
  double momentum = 0.1, eps = 1e-5;
  NormForm form = NormForm::kRelu;
};

struct NormResult {
  at::Tensor output, mean, deviation, sum;
};

// Gradients of the results. Either may be undefined; that of the output only in form kJoined.
struct NormReturned {
  at::Tensor output, sum;
};

// In form kJoined `input` is the gradient of both maps.
struct NormGradients {
  at::Tensor input, weight, bias, residual;
};

// By plain operators; results may differ in the last digits.
NormResult plainNorm(const NormSetting& setting);

// In backward, `setting.input` is the map that was normalized.
NormGradients plainNormBackward(const NormSetting& setting, const NormResult& made, const NormReturned& returned);

// Whether kernels are enabled and support the setting.
bool normFits(const NormSetting& setting);

// These return nothing if the plain operators must be used.
std::optional<NormResult> norm(const NormSetting& setting);
std::optional<NormGradients> normBackward(const NormSetting& setting, const NormResult& made,
                                          const NormReturned& returned);

// With the constant statistics in `setting`: returns the output, and the sum in form kJoined. Not for kPooled, nor with
// a residual in form kRelu. `deviation` is 1 / sqrt(variance + eps). No gradient.
std::pair<at::Tensor, at::Tensor> frozenNorm(const NormSetting& setting, const at::Tensor& deviation);

// With gradients, by kernels or by plain operators: returns the output, and the sum in form kJoined.
std::vector<at::Tensor> normWithGradients(const NormSetting& setting);

}  // namespace srrl::kernels
