// NVRTC and the CUDA driver, loaded at run time: every CUDA libtorch brings NVRTC, and building needs neither CUDA
// headers nor a toolkit.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine.h"

namespace srrl::kernels {

// The version of NVRTC, such as "13.0", and the compute capability of a card, such as "90".
std::string compilerVersion();
std::string capabilityOf(c10::Device device);

// Compiles a source for a capability. `headers` maps names to texts. Throws Error with the compiler's log. If the
// compiler does not know the capability, returns PTX, which the driver compiles.
std::string compile(const std::string& name, const std::string& source,
                    const std::map<std::string, std::string>& headers, const std::string& capability);

// An engine that launches the kernels of compiled modules.
std::unique_ptr<Engine> cudaEngine(c10::Device device, const std::vector<std::string>& codes);

}  // namespace srrl::kernels
