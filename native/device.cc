#include "device.h"

#include <ATen/DeviceAccelerator.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>

#include "arguments.h"

namespace srrl {

namespace {

// devices() => ["cpu", "cuda:0", ...]
Napi::Value devices(const Napi::CallbackInfo& info) {
  auto result = Napi::Array::New(info.Env());
  result.Set(0u, "cpu");
  const auto accelerator = at::getAccelerator(false);
  if (!accelerator) return result;
  const auto count = at::accelerator::deviceCount();
  for (uint32_t i = 0; i < static_cast<uint32_t>(count); i++) {
    result.Set(i + 1, c10::Device(*accelerator, static_cast<c10::DeviceIndex>(i)).str());
  }
  return result;
}

Napi::Value synchronize(const Napi::CallbackInfo& info) {
  const auto accelerator = at::getAccelerator(false);
  if (accelerator && at::accelerator::deviceCount() > 0) at::accelerator::synchronizeDevice(at::accelerator::getDeviceIndex());
  return info.Env().Undefined();
}

Napi::Value buildInformation(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), at::show_config()); }

Napi::Value numThreads(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), at::get_num_threads()); }

Napi::Value setNumThreads(const Napi::CallbackInfo& info) {
  const double count = info[0].ToNumber().DoubleValue();
  if (!(count >= 1 && count <= 4096)) throw Error(kType, "the number of threads must be between 1 and 4096");
  at::set_num_threads(static_cast<int>(count));
  return info.Env().Undefined();
}

}  // namespace

void exportDevice(Napi::Env, Napi::Object exports) {
  define<devices>(exports, "devices");
  define<synchronize>(exports, "synchronize");
  define<buildInformation>(exports, "buildInformation");
  define<numThreads>(exports, "numThreads");
  define<setNumThreads>(exports, "setNumThreads");
}

}  // namespace srrl
