// Copies from the CPU to a device in parallel with the device's work: the host does not wait for the copy, and the copy
// does not wait for work queued earlier.
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

// Limit for copies that the device has not used yet. Beyond it the host waits, so that it cannot fill the memory of a
// slower device.
constexpr size_t kMostUnused = size_t{256} << 20;

// The pending copies to one device.
struct Uploads {
  explicit Uploads(c10::Stream stream) : stream(stream) {}

  // Called before a copy. The previous copy counts as used once the work queued so far is done. Waits while too many
  // bytes are unused.
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
  c10::Stream stream;  // all copies run here, in order
  std::deque<Copy> unused;
  size_t sum = 0;
};

// On CUDA: copies from pinned memory on a separate stream. libtorch reuses the pinned memory after the copy, and the
// result's memory after the work on it.
at::Tensor uploadAside(const at::Tensor& tensor, c10::Device named) {
  const c10::impl::VirtualGuardImpl guard(named.type());
  const c10::Device device = named.has_index() ? named : guard.getDevice();
  const c10::Stream work = guard.getStream(device);
  static std::mutex mutex;
  // Never freed: the device's events may be destroyed before static objects.
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

// Copies a CPU tensor to a device. Work queued on the device from now on runs after the copy.
at::Tensor upload(const at::Tensor& tensor, c10::Device device) {
  TORCH_CHECK(tensor.device().is_cpu(), "upload: expected a tensor on the CPU, got one on ", tensor.device());
  if (device.is_cuda()) return uploadAside(tensor, device);
  // Metal reads the host memory later, when the tensor may be freed already.
  const bool waits = device.is_mps();
  return tensor.to(device, tensor.scalar_type(), /*non_blocking=*/!waits, /*copy=*/true);
}

}  // namespace

void defineUpload(torch::Library& library) { library.def("upload(Tensor tensor, Device device) -> Tensor", upload); }

}  // namespace srrl
