// Convolutions with a fused ReLU.
#pragma once

#include <ATen/ATen.h>

namespace srrl {

// Whether the device has a kernel for relu(convolution + bias + residual).
bool hasConvRelu(c10::Device device);

}  // namespace srrl
