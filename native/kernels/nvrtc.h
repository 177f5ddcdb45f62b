// NVRTC and CUDA's driver, as every CUDA libtorch brings them: found when the package runs, without headers or a
// toolkit when it is built.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine.h"

namespace srrl::kernels {

// NVRTC's version and the compute capability of a card, as in "13.0" and "90".
std::string compilerVersion();
std::string capabilityOf(c10::Device device);

// Machine code of a source for a capability; `headers` by name. Throws Error with the compiler's log. A capability that
// the compiler does not know gets code that the driver translates.
std::string compile(const std::string& name, const std::string& source,
                    const std::map<std::string, std::string>& headers, const std::string& capability);

// An engine with the kernels of some machine codes.
std::unique_ptr<Engine> cudaEngine(c10::Device device, const std::vector<std::string>& codes);

}  // namespace srrl::kernels
