// What the mock device offers to the kernels that run on it.
#pragma once

#include <functional>
#include <string>

namespace pretend {

// Does something now, or at each replay where work is captured meanwhile.
void doOrRecord(const std::string& kind, const std::function<void()>& work);

// From now on the device runs kernels.
void emulateKernels();

}  // namespace pretend
