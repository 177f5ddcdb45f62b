#include "device.h"

#include <ATen/DeviceAccelerator.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <c10/core/CachingDeviceAllocator.h>

#include "arguments.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

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
  if (accelerator && at::accelerator::deviceCount() > 0)
    at::accelerator::synchronizeDevice(at::accelerator::getDeviceIndex());
  return info.Env().Undefined();
}

// keepFreedMemory(): makes malloc reuse freed memory instead of returning it to the system, which would cost page
// faults at the next allocation. Affects the whole process.
Napi::Value keepFreedMemory(const Napi::CallbackInfo& info) {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the largest that glibc accepts
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#endif
  return info.Env().Undefined();
}

// deviceMemory(device) => {allocated, reserved, peakAllocated, peakReserved} in bytes, of this process
Napi::Value deviceMemory(const Napi::CallbackInfo& info) {
  const c10::Device device = deviceOf(info[0]);
  const auto stats = c10::getDeviceAllocator(device.type())->getDeviceStats(device.index());
  const auto all = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  const auto &allocated = stats.allocated_bytes[all], &reserved = stats.reserved_bytes[all];
  auto result = Napi::Object::New(info.Env());
  result.Set("allocated", static_cast<double>(allocated.current));
  result.Set("reserved", static_cast<double>(reserved.current));
  result.Set("peakAllocated", static_cast<double>(allocated.peak));
  result.Set("peakReserved", static_cast<double>(reserved.peak));
  return result;
}

// Returns nothing in versions of libtorch without getMemoryInfo().
template <typename Allocator>
std::optional<size_t> freeBytes(Allocator* allocator, c10::DeviceIndex index) {
  if constexpr (requires { allocator->getMemoryInfo(index); })
    return allocator->getMemoryInfo(index).first;
  else
    return std::nullopt;
}

// freeMemory(device) => bytes that are free on the device, or undefined if unknown
Napi::Value freeMemory(const Napi::CallbackInfo& info) {
  const c10::Device device = deviceOf(info[0]);
  try {
    const auto bytes = freeBytes(c10::getDeviceAllocator(device.type()), device.index());
    if (bytes) return Napi::Number::New(info.Env(), static_cast<double>(*bytes));
  } catch (const c10::Error&) {
    // This kind of device does not report it.
  }
  return info.Env().Undefined();
}

// resetPeakMemory(device)
Napi::Value resetPeakMemory(const Napi::CallbackInfo& info) {
  const c10::Device device = deviceOf(info[0]);
  c10::getDeviceAllocator(device.type())->resetPeakStats(device.index());
  return info.Env().Undefined();
}

// emptyCache(device): frees the unused memory that the allocator caches.
Napi::Value emptyCache(const Napi::CallbackInfo& info) {
  c10::getDeviceAllocator(deviceOf(info[0]).type())->emptyCache();
  return info.Env().Undefined();
}

Napi::Value cudnnFlags(const Napi::CallbackInfo& info) {
  const at::Context& context = at::globalContext();
  auto result = Napi::Object::New(info.Env());
  result.Set("benchmark", context.benchmarkCuDNN());
  result.Set("deterministic", context.deterministicCuDNN());
  result.Set("allowTf32", context.allowTF32CuDNN());
  return result;
}

// setCudnnFlags(benchmark, deterministic, allowTf32)
Napi::Value setCudnnFlags(const Napi::CallbackInfo& info) {
  at::globalContext().setBenchmarkCuDNN(info[0].ToBoolean());
  at::globalContext().setDeterministicCuDNN(info[1].ToBoolean());
  at::globalContext().setAllowTF32CuDNN(info[2].ToBoolean());
  return info.Env().Undefined();
}

Napi::Value matmulAllowsTf32(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), at::globalContext().allowTF32CuBLAS());
}

// allowMatmulTf32(on)
Napi::Value allowMatmulTf32(const Napi::CallbackInfo& info) {
  at::globalContext().setAllowTF32CuBLAS(info[0].ToBoolean());
  return info.Env().Undefined();
}

// setDeterministicAlgorithms(on, warnOnly)
Napi::Value setDeterministicAlgorithms(const Napi::CallbackInfo& info) {
  at::globalContext().setDeterministicAlgorithms(info[0].ToBoolean(), info[1].ToBoolean());
  return info.Env().Undefined();
}

Napi::Value buildInformation(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), at::show_config());
}

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
  define<keepFreedMemory>(exports, "keepFreedMemory");
  define<deviceMemory>(exports, "deviceMemory");
  define<freeMemory>(exports, "freeMemory");
  define<resetPeakMemory>(exports, "resetPeakMemory");
  define<emptyCache>(exports, "emptyCache");
  define<cudnnFlags>(exports, "cudnnFlags");
  define<setCudnnFlags>(exports, "setCudnnFlags");
  define<matmulAllowsTf32>(exports, "matmulAllowsTf32");
  define<allowMatmulTf32>(exports, "allowMatmulTf32");
  define<setDeterministicAlgorithms>(exports, "setDeterministicAlgorithms");
  define<numThreads>(exports, "numThreads");
  define<setNumThreads>(exports, "setNumThreads");
}

}  // namespace srrl
