// What follows the backward pass of a step on a device, except the update.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "device/parameters.h"

namespace srrl::kernels {

// The norm of all gradients as one vector, and the largest magnitude of each of the statistics. Both lists may be
// empty.
struct Sizes {
  at::Tensor norm, largest;
};
Sizes sizesOf(const at::Tensor& like, const std::vector<at::Tensor>& gradients,
              const std::vector<at::Tensor>& statistics);

// Describes a number on the device of `like` for kernels; Type::kNone if they cannot read it.
Scalar scalarOf(const at::Tensor& number, const at::Tensor& like);

}  // namespace srrl::kernels
