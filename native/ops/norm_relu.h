// The fused normalization of native/norm/ with the statistics of all processes.
#pragma once

#include <ATen/ATen.h>

#include <optional>

namespace srrl {

// Whether the fused operator supports these tensors.
bool normReluFits(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias,
                  const std::optional<at::Tensor>& runningMean, const std::optional<at::Tensor>& runningVar,
                  const std::optional<at::Tensor>& residual);

// relu(batch norm with the statistics of all processes + residual), with gradients. The tensors must satisfy
// normReluFits().
at::Tensor jointNormRelu(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias,
                         const std::optional<at::Tensor>& runningMean, const std::optional<at::Tensor>& runningVar,
                         const std::optional<at::Tensor>& residual, double momentum, double eps);

}  // namespace srrl
