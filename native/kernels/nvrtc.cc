#include "nvrtc.h"

#include <ATen/Context.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <unordered_map>

#include "../errors.h"

namespace srrl::kernels {

namespace {

// Declarations from cuda.h and nvrtc.h.
using Status = int;
using Program = void*;
using Module = void*;
using Function = void*;
using Context = void*;
constexpr int kMajor = 75, kMinor = 76;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*

void* openFirst(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
  }
  return nullptr;
}

std::string folderOfLibtorch() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<void*>(&at::globalContext), &info)) return {};
  return std::filesystem::path(info.dli_fname).parent_path().string();
}

template <typename Type>
Type* symbol(void* library, const char* name, const char* missing) {
  void* found = library ? dlsym(library, name) : nullptr;
  if (!found) throw Error(kState, missing);
  return reinterpret_cast<Type*>(found);
}

// NVRTC opens its builtins library by name, which fails unless that is loaded already or on the loader's path.
void openBuiltins(void* nvrtc) {
  Dl_info info;
  if (!nvrtc || !dladdr(dlsym(nvrtc, "nvrtcVersion"), &info)) return;
  std::error_code failed;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(info.dli_fname).parent_path(), failed)) {
    if (entry.path().filename().string().starts_with("libnvrtc-builtins.so"))
      dlopen(entry.path().c_str(), RTLD_NOW | RTLD_LOCAL);
  }
}

// libtorch's stub library is linked to the NVRTC that libtorch was built for; SRRL_NVRTC overrides it.
struct Compiler {
  static constexpr const char* kMissing =
      "there is no NVRTC library (libnvrtc.so), which is part of a CUDA build of libtorch";
  void* library;
  explicit Compiler(void* library) : library(library) {}

#define SRRL_NVRTC_FUNCTION(name, ...) \
  Status (*name)(__VA_ARGS__) = symbol<Status(__VA_ARGS__)>(library, "nvrtc" #name, kMissing)
  SRRL_NVRTC_FUNCTION(Version, int*, int*);
  SRRL_NVRTC_FUNCTION(CreateProgram, Program*, const char*, const char*, int, const char* const*, const char* const*);
  SRRL_NVRTC_FUNCTION(CompileProgram, Program, int, const char* const*);
  SRRL_NVRTC_FUNCTION(GetProgramLogSize, Program, size_t*);
  SRRL_NVRTC_FUNCTION(GetProgramLog, Program, char*);
  SRRL_NVRTC_FUNCTION(GetCUBINSize, Program, size_t*);
  SRRL_NVRTC_FUNCTION(GetCUBIN, Program, char*);
  SRRL_NVRTC_FUNCTION(GetPTXSize, Program, size_t*);
  SRRL_NVRTC_FUNCTION(GetPTX, Program, char*);
  SRRL_NVRTC_FUNCTION(GetNumSupportedArchs, int*);
  SRRL_NVRTC_FUNCTION(GetSupportedArchs, int*);
  SRRL_NVRTC_FUNCTION(DestroyProgram, Program*);
#undef SRRL_NVRTC_FUNCTION

  static const Compiler& get() {
    static const Compiler compiler([] {
      const char* given = std::getenv("SRRL_NVRTC");
      void* library = given ? openFirst({given})
                            : openFirst({folderOfLibtorch() + "/libcaffe2_nvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12",
                                         "libnvrtc.so"});
      openBuiltins(library);
      return library;
    }());
    return compiler;
  }
};

struct Driver {
  static constexpr const char* kMissing = "there is no NVIDIA driver (libcuda.so.1)";
  void* library = openFirst({"libcuda.so.1"});

#define SRRL_DRIVER_FUNCTION(name, exported, ...) \
  Status (*name)(__VA_ARGS__) = symbol<Status(__VA_ARGS__)>(library, exported, kMissing)
  SRRL_DRIVER_FUNCTION(init, "cuInit", unsigned);
  SRRL_DRIVER_FUNCTION(deviceGet, "cuDeviceGet", int*, int);
  SRRL_DRIVER_FUNCTION(deviceGetAttribute, "cuDeviceGetAttribute", int*, int, int);
  SRRL_DRIVER_FUNCTION(primaryContextRetain, "cuDevicePrimaryCtxRetain", Context*, int);
  SRRL_DRIVER_FUNCTION(contextGetCurrent, "cuCtxGetCurrent", Context*);
  SRRL_DRIVER_FUNCTION(contextSetCurrent, "cuCtxSetCurrent", Context);
  SRRL_DRIVER_FUNCTION(moduleLoadData, "cuModuleLoadData", Module*, const void*);
  SRRL_DRIVER_FUNCTION(moduleGetFunction, "cuModuleGetFunction", Function*, Module, const char*);
  SRRL_DRIVER_FUNCTION(launchKernel, "cuLaunchKernel", Function, unsigned, unsigned, unsigned, unsigned, unsigned,
                       unsigned, unsigned, void*, void**, void**);
  SRRL_DRIVER_FUNCTION(getErrorString, "cuGetErrorString", Status, const char**);
#undef SRRL_DRIVER_FUNCTION

  void check(Status status, const std::string& what) const {
    if (status == 0) return;
    const char* text = nullptr;
    getErrorString(status, &text);
    throw Error(kTorch, what + ": CUDA error " + std::to_string(status) + (text ? std::string(", ") + text : ""));
  }

  static const Driver& get() {
    static const Driver driver;
    return driver;
  }
};

class CudaEngine final : public Engine {
 public:
  // Modules are never unloaded: captured graphs that use them may outlive the engine.
  CudaEngine(c10::Device device, const std::vector<std::string>& codes) : device_(device), guard_(device.type()) {
    const Driver& driver = Driver::get();
    driver.check(driver.init(0), "the NVIDIA driver does not start");
    int number = 0;
    driver.check(driver.deviceGet(&number, device.index()), "there is no " + device.str());
    driver.check(driver.primaryContextRetain(&context_, number), device.str() + " cannot be used");
    const c10::DeviceGuard current(device);
    enterContext();
    for (const std::string& code : codes) {
      Module module;
      Driver::get().check(Driver::get().moduleLoadData(&module, code.data()), "the kernels cannot be loaded");
      modules_.push_back(module);
    }
  }

  void launch(const std::string& kernel, const Shape& shape, const void* parameters, size_t, at::TensorList) override {
    const c10::DeviceGuard current(device_);
    enterContext();
    void* arguments[] = {const_cast<void*>(parameters)};
    void* stream = guard_.getStream(device_).native_handle();
    const Status status = Driver::get().launchKernel(functionOf(kernel), shape.gridX, shape.gridY, 1, shape.blockX,
                                                     shape.blockY, 1, 0, stream, arguments, nullptr);
    Driver::get().check(status, "the kernel " + kernel + " cannot be launched");
  }

 private:
  // The primary context of the device, in which libtorch works. A thread that has not used the device yet has no
  // current context.
  void enterContext() {
    const Driver& driver = Driver::get();
    Context now = nullptr;
    driver.check(driver.contextGetCurrent(&now), device_.str());
    if (now != context_) driver.check(driver.contextSetCurrent(context_), device_.str());
  }

  Function functionOf(const std::string& kernel) {
    const std::lock_guard lock(mutex_);
    const auto known = functions_.find(kernel);
    if (known != functions_.end()) return known->second;
    for (const Module module : modules_) {
      Function function;
      if (Driver::get().moduleGetFunction(&function, module, kernel.c_str()) == 0) return functions_[kernel] = function;
    }
    throw Error(kState, "there is no kernel " + kernel);
  }

  c10::Device device_;
  c10::impl::VirtualGuardImpl guard_;
  Context context_ = nullptr;
  std::vector<Module> modules_;
  std::mutex mutex_;
  std::unordered_map<std::string, Function> functions_;
};

}  // namespace

std::string compilerVersion() {
  int major = 0, minor = 0;
  Compiler::get().Version(&major, &minor);
  return std::to_string(major) + "." + std::to_string(minor);
}

std::string capabilityOf(c10::Device device) {
  const Driver& driver = Driver::get();
  driver.check(driver.init(0), "the NVIDIA driver does not start");
  int number = 0, major = 0, minor = 0;
  driver.check(driver.deviceGet(&number, std::max<int>(0, device.index())), "there is no " + device.str());
  driver.check(driver.deviceGetAttribute(&major, kMajor, number), device.str());
  driver.check(driver.deviceGetAttribute(&minor, kMinor, number), device.str());
  return std::to_string(major * 10 + minor);
}

std::string compile(const std::string& name, const std::string& source,
                    const std::map<std::string, std::string>& headers, const std::string& capability) {
  const Compiler& compiler = Compiler::get();
  int count = 0;
  compiler.GetNumSupportedArchs(&count);
  std::vector<int> known(count);
  compiler.GetSupportedArchs(known.data());
  std::sort(known.begin(), known.end());
  const int wanted = std::stoi(capability);
  const auto above = std::upper_bound(known.begin(), known.end(), wanted);
  if (above == known.begin())
    throw Error(kState, "NVRTC " + compilerVersion() + " cannot compile for cards of capability " + capability);
  const bool exact = *(above - 1) == wanted;
  const std::string target =
      (exact ? "--gpu-architecture=sm_" : "--gpu-architecture=compute_") + std::to_string(*(above - 1));
  std::vector<const char*> names, texts, options = {target.c_str(), "--std=c++17"};
  for (const auto& [header, text] : headers) {
    names.push_back(header.c_str());
    texts.push_back(text.c_str());
  }
  Program program = nullptr;
  if (compiler.CreateProgram(&program, source.c_str(), name.c_str(), static_cast<int>(names.size()), texts.data(),
                             names.data()) != 0)
    throw Error(kState, "NVRTC cannot read " + name);
  const auto read = [&](auto sizeOf, auto get) {
    size_t size = 0;
    sizeOf(program, &size);
    std::string text(size, '\0');
    get(program, text.data());
    return text;
  };
  const Status status = compiler.CompileProgram(program, static_cast<int>(options.size()), options.data());
  const std::string made = status != 0 ? read(compiler.GetProgramLogSize, compiler.GetProgramLog)
                           : exact     ? read(compiler.GetCUBINSize, compiler.GetCUBIN)
                                       : read(compiler.GetPTXSize, compiler.GetPTX);
  compiler.DestroyProgram(&program);
  if (status != 0) throw Error(kState, name + " does not compile: " + made);
  return made;
}

std::unique_ptr<Engine> cudaEngine(c10::Device device, const std::vector<std::string>& codes) {
  return std::make_unique<CudaEngine>(device, codes);
}

}  // namespace srrl::kernels
