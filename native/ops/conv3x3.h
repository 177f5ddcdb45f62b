#pragma once

#include <ATen/ATen.h>

namespace srrl {

// Whether this CPU and a kernel [out, in, 3, 3] are suited for Winograd's algorithm.
bool hasFastForm(const at::Tensor& weight);

// Returns the kernel in the form of srrl::conv3x3_frozen: [36, in, out] in panels, transformed in float64.
at::Tensor conv3x3Kernel(const at::Tensor& weight);

}  // namespace srrl
