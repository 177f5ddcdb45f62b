// The fused normalization of native/norm/ with statistics of all processes.
#pragma once

#include <ATen/ATen.h>

#include <optional>

namespace srrl {

// Whether the fused operator takes these.
bool normReluFits(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias,
                  const std::optional<at::Tensor>& runningMean, const std::optional<at::Tensor>& runningVar,
                  const std::optional<at::Tensor>& residual);

// relu(batch norm of all processes' statistics + residual), with gradients; only of what fits.
at::Tensor jointNormRelu(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias,
                         const std::optional<at::Tensor>& runningMean, const std::optional<at::Tensor>& runningVar,
                         const std::optional<at::Tensor>& residual, double momentum, double eps);

}  // namespace srrl
