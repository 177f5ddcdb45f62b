#pragma once

#include <ATen/ATen.h>

namespace srrl {

// Whether this machine and a kernel [out, in, 3, 3] are such that Winograd's way is there.
bool hasFastForm(const at::Tensor& weight);

// The kernel as srrl::conv3x3_frozen takes it, in double precision until the end: [36, in, out], in panels.
at::Tensor conv3x3Kernel(const at::Tensor& weight);

}  // namespace srrl
