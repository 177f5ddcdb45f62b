// What the mock device offers to the code that emulates kernels.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <string>

namespace pretend {

// Does work on `used` now or, during a capture, at each replay.
void doOrRecord(const std::string& kind, at::TensorList used, const std::function<void()>& work);

// Makes the device run kernels from now on.
void emulateKernels();

}  // namespace pretend
