// Copies from the CPU's memory to a device next to the device's own work: neither the host waits for it, nor does the
// copy wait for what the device was asked to do before.
#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/library.h>

#include <map>
#include <mutex>

#include "library.h"

namespace srrl {

namespace {

// The stream of a device on which all copies go, so that they come in their order.
c10::Stream copyingStream(c10::Device device, const c10::impl::VirtualGuardImpl& guard) {
  static std::mutex mutex;
  static std::map<std::pair<c10::DeviceType, c10::DeviceIndex>, c10::Stream> streams;
  const std::lock_guard<std::mutex> lock(mutex);
  return streams.try_emplace({device.type(), device.index()}, guard.getStreamFromGlobalPool(device)).first->second;
}

// A copy of a tensor of the CPU. Work that the device is asked for from now on comes after it. The memory that it is
// read from is pinned where that device is CUDA's; libtorch uses it again when the copy was done, as it does with the
// result's when the device's work on it was done.
at::Tensor upload(const at::Tensor& tensor, c10::Device named) {
  TORCH_CHECK(tensor.device().is_cpu(), "upload: expected a tensor on the CPU, got one on ", tensor.device());
  if (named.is_cpu()) return tensor.clone();
  const c10::impl::VirtualGuardImpl guard(named.type());
  const c10::Device device = named.has_index() ? named : guard.getDevice();
  const at::Tensor pinned = device.is_cuda() ? tensor.pin_memory() : tensor;
  const c10::Stream work = guard.getStream(device);
  const c10::Stream copying = copyingStream(device, guard);
  guard.exchangeStream(copying);
  at::Tensor made;
  try {
    made = pinned.to(device, tensor.scalar_type(), /*non_blocking=*/true, /*copy=*/true);
  } catch (...) {
    guard.exchangeStream(work);
    throw;
  }
  guard.exchangeStream(work);
  if (copying == work) return made;
  c10::Event copied(device.type());
  copied.record(copying);
  copied.block(work);
  guard.recordDataPtrOnStream(made.storage().data_ptr(), work);
  return made;
}

}  // namespace

void defineUpload(torch::Library& library) { library.def("upload(Tensor tensor, Device device) -> Tensor", upload); }

}  // namespace srrl
