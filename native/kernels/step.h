// The end of a step on a device, apart from the update itself.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "device/parameters.h"

namespace srrl::kernels {

// The norm of gradients as one vector, and the largest magnitude of each of some statistics. Both lists may be empty.
struct Sizes {
  at::Tensor norm, largest;
};
Sizes sizesOf(const at::Tensor& like, const std::vector<at::Tensor>& gradients,
              const std::vector<at::Tensor>& statistics);

// A number that lies on the device of another; Type::kNone where kernels cannot read it.
Scalar scalarOf(const at::Tensor& number, const at::Tensor& like);

}  // namespace srrl::kernels
