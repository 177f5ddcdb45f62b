#include "streams.h"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <map>
#include <mutex>
#include <set>
#include <tuple>

namespace srrl {

namespace {

// Streams are identified by device type, device index, role and number.
enum class Role { kLane, kBackground, kSide };
using Key = std::tuple<c10::DeviceType, c10::DeviceIndex, Role, int64_t>;

c10::Stream streamOf(const Key& key, c10::Device device) {
  static std::mutex mutex;
  static std::map<Key, c10::Stream> streams;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = streams.find(key);
  if (found != streams.end()) return found->second;
  const bool isUrgent = std::get<Role>(key) == Role::kLane;
  const c10::impl::VirtualGuardImpl guard(device.type());
  return streams.emplace(key, guard.getStreamFromGlobalPool(device, isUrgent)).first->second;
}

// The first use of a library creates its handle and workspace, which is not allowed during a capture. These operators
// create them for every dtype that networks train in. A workspace belongs to a stream (32 MiB on an H100), so all
// captures share streams instead of leaving a workspace behind each time. Handles belong to a thread, and the autograd
// engine has threads of its own, so the warm-up also computes gradients.
void warmUp(c10::Device device) {
  const c10::InferenceMode outside(false);
  const c10::impl::ExcludeDispatchKeyGuard uncast(c10::autocast_dispatch_keyset);
  const at::AutoGradMode withGradients(true);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf}) {
    const auto options = at::TensorOptions().dtype(type).device(device);
    try {
      const auto ones = [&](at::IntArrayRef sizes) { return at::ones(sizes, options).requires_grad_(true); };
      const at::Tensor bias = ones({16}), square = ones({16, 16}), images = ones({2, 16, 8, 8}),
                       kernels = ones({16, 16, 3, 3});
      const at::Tensor product = at::addmm(bias, at::mm(square, square), square);
      const at::Tensor maps = at::convolution(images, kernels, {}, {1, 1}, {1, 1}, {1, 1}, false, {0, 0}, 1);
      torch::autograd::grad({product.sum(), maps.sum()}, {bias, square, images, kernels});
    } catch (const c10::Error&) {
      // A card without this dtype: an operator that needs it reports the error.
    }
  }
}

c10::Stream warmStreamOf(const Key& key, c10::Device device) {
  const c10::Stream stream = streamOf(key, device);
  // Per thread, as the handles of libraries are.
  static thread_local std::set<Key> warm;
  if (!warm.insert(key).second) return stream;
  const c10::impl::VirtualGuardImpl guard(device.type());
  const c10::Stream before = guard.exchangeStream(stream);
  warmUp(device);
  guard.exchangeStream(before);
  guard.synchronizeDevice(device.index());
  return stream;
}

}  // namespace

c10::Stream laneOf(c10::Device device, size_t number) {
  return warmStreamOf({device.type(), device.index(), Role::kLane, static_cast<int64_t>(number)}, device);
}

c10::Stream backgroundOf(c10::Device device) {
  return warmStreamOf({device.type(), device.index(), Role::kBackground, 0}, device);
}

// Not warmed up: the weight gradients of convolutions need no workspace of the stream.
c10::Stream sideOf(const c10::Stream& stream) {
  const c10::Device device = stream.device();
  return streamOf({device.type(), device.index(), Role::kSide, stream.id()}, device);
}

void wait(const c10::Stream& earlier, const c10::Stream& later) {
  if (earlier == later) return;
  c10::Event event(earlier.device_type());
  event.record(earlier);
  event.block(later);
}

}  // namespace srrl
