// Devices, their memory and flags, and the number of threads.
#pragma once

#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <napi.h>

namespace srrl {

// Returns the device of a name. Allocators, events and streams need an index: a name without one means the current
// device.
inline c10::Device deviceOf(const Napi::Value& value) {
  const c10::Device device(value.As<Napi::String>().Utf8Value());
  if (device.is_cpu() || device.has_index() || !c10::impl::hasDeviceGuardImpl(device.type())) return device;
  const auto* guard = c10::impl::getDeviceGuardImpl(device.type());
  return guard->deviceCount() > 0 ? guard->getDevice() : device;
}

void exportDevice(Napi::Env env, Napi::Object exports);

}  // namespace srrl
