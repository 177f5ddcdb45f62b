// Copies from the CPU's memory to a device next to the device's own work: neither the host waits for it, nor does the
// copy wait for what the device was asked to do before.
#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/library.h>

#include <deque>
#include <map>
#include <mutex>
#include <optional>

#include "library.h"

namespace srrl {

namespace {

// Bytes of copies that the device has not used yet, beyond which the host waits: it must not fill the memory of a
// device that is slower than itself.
constexpr size_t kMostUnused = size_t{256} << 20;

// The copies to a device.
struct Uploads {
  explicit Uploads(c10::Stream stream) : stream(stream) {}

  // Before the next copy: what the device was asked for by now uses the last one. Waits where too much is unused.
  void makeRoom(size_t bytes, const c10::Stream& work) {
    if (!unused.empty() && !unused.back().used) {
      unused.back().used.emplace(work.device_type());
      unused.back().used->record(work);
    }
    while (!unused.empty() && (sum + bytes > kMostUnused || unused.front().used->query())) {
      unused.front().used->synchronize();
      sum -= unused.front().bytes;
      unused.pop_front();
    }
    unused.push_back({bytes, std::nullopt});
    sum += bytes;
  }

  struct Copy {
    size_t bytes;
    std::optional<c10::Event> used;
  };
  c10::Stream stream;  // all copies go there, so that they come in their order
  std::deque<Copy> unused;
  size_t sum = 0;
};

// On CUDA: from pinned memory, on a stream of its own. libtorch uses that memory again when the copy was done, and the
// result's when the device's work on it was done.
at::Tensor uploadAside(const at::Tensor& tensor, c10::Device named) {
  const c10::impl::VirtualGuardImpl guard(named.type());
  const c10::Device device = named.has_index() ? named : guard.getDevice();
  const c10::Stream work = guard.getStream(device);
  static std::mutex mutex;
  // Never freed: when a process ends, its device's events may be gone before.
  static auto& devices = *new std::map<c10::DeviceIndex, Uploads>();
  const std::lock_guard<std::mutex> lock(mutex);
  Uploads& uploads = devices.try_emplace(device.index(), guard.getStreamFromGlobalPool(device)).first->second;
  uploads.makeRoom(tensor.nbytes(), work);
  const at::Tensor pinned = tensor.pin_memory();
  guard.exchangeStream(uploads.stream);
  at::Tensor made;
  try {
    made = pinned.to(device, tensor.scalar_type(), /*non_blocking=*/true, /*copy=*/true);
  } catch (...) {
    guard.exchangeStream(work);
    throw;
  }
  guard.exchangeStream(work);
  c10::Event copied(device.type());
  copied.record(uploads.stream);
  copied.block(work);
  guard.recordDataPtrOnStream(made.storage().data_ptr(), work);
  return made;
}

// A copy of a tensor of the CPU. Work that the device is asked for from now on comes after it.
at::Tensor upload(const at::Tensor& tensor, c10::Device device) {
  TORCH_CHECK(tensor.device().is_cpu(), "upload: expected a tensor on the CPU, got one on ", tensor.device());
  if (device.is_cuda()) return uploadAside(tensor, device);
  // Metal reads the memory later, when the tensor may be gone.
  const bool waits = device.is_mps();
  return tensor.to(device, tensor.scalar_type(), /*non_blocking=*/!waits, /*copy=*/true);
}

}  // namespace

void defineUpload(torch::Library& library) { library.def("upload(Tensor tensor, Device device) -> Tensor", upload); }

}  // namespace srrl
