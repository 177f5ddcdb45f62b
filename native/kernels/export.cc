// The exported functions with which src/tensor/kernels.ts installs the package's kernels.
#include "export.h"

#include <torch/library.h>

#include <future>

#include "../arguments.h"
#include "../device.h"
#include "../library.h"
#include "engine.h"
#include "kernel_sources.h"
#include "nvrtc.h"

namespace srrl {

namespace {

using Launcher = void(at::TensorList, c10::string_view, at::IntArrayRef, int64_t, int64_t);

// A device other than CUDA runs kernels through an operator, srrl::launch_kernel, that its backend implements.
std::optional<c10::OperatorHandle> launcherOf(c10::Device device) {
  const auto found = c10::Dispatcher::singleton().findSchema({ownName("srrl::launch_kernel"), ""});
  const bool has = found && found->hasKernelForDispatchKey(c10::computeDispatchKey(std::nullopt, std::nullopt, device));
  return has ? found : std::nullopt;
}

class ForeignEngine final : public kernels::Engine {
 public:
  explicit ForeignEngine(const c10::OperatorHandle& launcher) : launcher_(launcher.typed<Launcher>()) {}

  void launch(const std::string& kernel, const kernels::Shape& shape, const void* parameters, size_t size,
              at::TensorList tensors) override {
    const at::AutoDispatchBelowADInplaceOrView below;
    const std::array<int64_t, 4> sizes = {shape.gridX, shape.gridY, shape.blockX, shape.blockY};
    launcher_.call(tensors, kernel, sizes, reinterpret_cast<int64_t>(parameters), static_cast<int64_t>(size));
  }

 private:
  c10::TypedOperatorHandle<Launcher> launcher_;
};

// kernelSources() => {file: text}
Napi::Value kernelSources(const Napi::CallbackInfo& info) {
  auto result = Napi::Object::New(info.Env());
  for (const auto& [file, text] : kernels::kSources) result.Set(file, text);
  return result;
}

// kernelTarget(device) => {compiler, capability}; `compiler` is null if the device brings compiled kernels; null if
// there are no kernels for this kind of device
Napi::Value kernelTarget(const Napi::CallbackInfo& info) {
  const c10::Device device = deviceOf(info[0]);
  auto result = Napi::Object::New(info.Env());
  if (device.is_cuda()) {
    result.Set("compiler", kernels::compilerVersion());
    result.Set("capability", kernels::capabilityOf(device));
    return result;
  }
  if (!launcherOf(device)) return info.Env().Null();
  result.Set("compiler", info.Env().Null());
  result.Set("capability", "");
  return result;
}

// kernelCompile(files, capability) => machine code of each; all files are compiled at once, a thread each
Napi::Value kernelCompile(const Napi::CallbackInfo& info) {
  const std::map<std::string, std::string> sources(kernels::kSources.begin(), kernels::kSources.end());
  const auto files = info[0].As<Napi::Array>();
  const std::string capability = info[1].As<Napi::String>();
  std::vector<std::future<std::string>> codes;
  for (uint32_t i = 0; i < files.Length(); i++) {
    const std::string file = files.Get(i).As<Napi::String>();
    const auto source = sources.find(file);
    if (source == sources.end()) throw Error(kType, "there is no kernel source " + file);
    codes.push_back(std::async(std::launch::async, [&sources, &capability, &source = *source] {
      return kernels::compile(source.first, source.second, sources, capability);
    }));
  }
  auto result = Napi::Array::New(info.Env(), codes.size());
  for (uint32_t i = 0; i < codes.size(); i++) {
    const std::string code = codes[i].get();
    result.Set(i, Napi::Buffer<char>::Copy(info.Env(), code.data(), code.size()));
  }
  return result;
}

// kernelInstall(device, codes)
Napi::Value kernelInstall(const Napi::CallbackInfo& info) {
  const c10::Device device = deviceOf(info[0]);
  if (const auto launcher = launcherOf(device)) {
    kernels::install(device, std::make_unique<ForeignEngine>(*launcher));
    return info.Env().Undefined();
  }
  const auto given = info[1].As<Napi::Array>();
  std::vector<std::string> codes;
  for (uint32_t i = 0; i < given.Length(); i++) {
    const auto code = given.Get(i).As<Napi::Buffer<char>>();
    codes.emplace_back(code.Data(), code.Length());
  }
  kernels::install(device, kernels::cudaEngine(device, codes));
  return info.Env().Undefined();
}

// kernelsEnable(on) => the previous value; affects this thread
Napi::Value kernelsEnable(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), kernels::enable(info[0].ToBoolean()));
}

// kernelVerdicts() => [{device, kind, obstacle}]
Napi::Value kernelVerdicts(const Napi::CallbackInfo& info) {
  const auto all = kernels::verdicts();
  auto result = Napi::Array::New(info.Env(), all.size());
  for (uint32_t i = 0; i < all.size(); i++) {
    auto verdict = Napi::Object::New(info.Env());
    verdict.Set("device", all[i].device);
    verdict.Set("kind", all[i].kind);
    verdict.Set("obstacle", all[i].obstacle);
    result.Set(i, verdict);
  }
  return result;
}

}  // namespace

void defineKernels(torch::Library& library) {
  library.def("launch_kernel(Tensor[] tensors, str name, int[] shape, int parameters, int size) -> ()");
}

void exportKernels(Napi::Env, Napi::Object exports) {
  define<kernelSources>(exports, "kernelSources");
  define<kernelTarget>(exports, "kernelTarget");
  define<kernelCompile>(exports, "kernelCompile");
  define<kernelInstall>(exports, "kernelInstall");
  define<kernelsEnable>(exports, "kernelsEnable");
  define<kernelVerdicts>(exports, "kernelVerdicts");
}

}  // namespace srrl
