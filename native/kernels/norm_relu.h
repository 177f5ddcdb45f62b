// Batch normalization and ReLU by own kernels, where a device has them.
#pragma once

#include <ATen/ATen.h>

#include <optional>

namespace srrl::kernels {

// What is normalized, and by what.
struct NormSetting {
  at::Tensor input, weight, bias;
  std::optional<at::Tensor> runningMean, runningVar, residual;
  double momentum = 0.1, eps = 1e-5;
  bool pooled = false;  // the result is the mean of each image's pixels, [N, C]
};

struct NormResult {
  at::Tensor output, mean, deviation;
};

struct NormGradients {
  at::Tensor input, weight, bias, residual;
};

// The plain operators, which may differ in the last digits.
NormResult plainNorm(const NormSetting& setting);
NormGradients plainNormBackward(const NormSetting& setting, const NormResult& made, const at::Tensor& gradient);

// Nothing where plain operators have to do it.
std::optional<NormResult> norm(const NormSetting& setting);
std::optional<NormGradients> normBackward(const NormSetting& setting, const NormResult& made, const at::Tensor& gradient);

// With gradients, by kernels or by plain operators.
at::Tensor normRelu(const NormSetting& setting);

}  // namespace srrl::kernels
