// What the mock device offers to the kernels that run on it.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <string>

namespace pretend {

// Does something with `used` now, or at each replay where work is captured meanwhile.
void doOrRecord(const std::string& kind, at::TensorList used, const std::function<void()>& work);

// From now on the device runs kernels.
void emulateKernels();

}  // namespace pretend
