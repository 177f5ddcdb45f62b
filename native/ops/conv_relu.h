// Convolutions that end with their ReLU.
#pragma once

#include <ATen/ATen.h>

namespace srrl {

// Whether a device has a kernel for relu(convolution + bias + residual).
bool hasConvRelu(c10::Device device);

}  // namespace srrl
