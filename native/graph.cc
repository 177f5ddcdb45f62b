// Work on a device that is recorded once and replayed in one call. libtorch 2.13 has this for every kind of device;
// before that, CUDA's has to be asked for by name, which needs the headers of the CUDA toolkit.
#include "graph.h"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <map>
#include <mutex>
#include <set>

#if __has_include(<ATen/core/GraphImplInterface.h>)
#include <ATen/core/GraphImplInterface.h>
#elif defined(SRRL_CUDA_GRAPHS)
#include <ATen/cuda/CUDAGraph.h>
#endif

#include "arguments.h"
#include "kernels/engine.h"

namespace srrl {

namespace {

#if __has_include(<ATen/core/GraphImplInterface.h>)
using Recording = at::GraphImplInterface;
bool available(c10::DeviceType type) { return at::has_graph_impl(type); }
std::unique_ptr<Recording> makeRecording(c10::DeviceType type) { return at::create_graph_impl(type); }
#elif defined(SRRL_CUDA_GRAPHS)
using Recording = at::cuda::CUDAGraph;
bool available(c10::DeviceType type) { return type == c10::DeviceType::CUDA; }
std::unique_ptr<Recording> makeRecording(c10::DeviceType) { return std::make_unique<Recording>(); }
#else
struct Recording {
  void capture_begin(c10::MempoolId_t) {}
  void capture_end() {}
  void replay() {}
  c10::MempoolId_t pool() const { return {0, 0}; }
};
bool available(c10::DeviceType) { return false; }
std::unique_ptr<Recording> makeRecording(c10::DeviceType) { return nullptr; }
#endif

struct Graph : torch::CustomClassHolder {
  Graph(std::unique_ptr<Recording> recording, c10::Device device, c10::Stream before)
      : recording(std::move(recording)), device(device), before(before) {}
  std::unique_ptr<Recording> recording;
  c10::Device device;
  c10::Stream before;  // the device's stream while nothing is recorded
};

// The first use of a library creates its handle and its workspace, which a recording does not allow. Operators of every
// type that a network is trained in make those of the stream on which all recordings happen: a workspace belongs to a
// stream, and another stream for each recording would leave one behind each time (32 MiB on an H100).
void warmUp(c10::Device device) {
  const at::AutoDispatchBelowADInplaceOrView plain;
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf}) {
    const auto options = at::TensorOptions().dtype(type).device(device);
    try {
      const at::Tensor square = at::ones({16, 16}, options);
      at::addmm(square.select(0, 0), at::mm(square, square), square);
      at::convolution(at::ones({2, 16, 8, 8}, options), at::ones({16, 16, 3, 3}, options), {}, {1, 1}, {1, 1}, {1, 1}, false, {0, 0}, 1);
    } catch (const c10::Error&) {
      // A card without this type; who asks for it hears of it.
    }
  }
}

// The two streams of a device on which all of its recordings happen; its default stream cannot be recorded.
enum class Lane { kMain, kAside };

c10::Stream recordingStream(c10::Device device, const c10::impl::VirtualGuardImpl& guard, Lane lane) {
  static std::mutex mutex;
  static std::map<std::tuple<c10::DeviceType, c10::DeviceIndex, Lane>, c10::Stream> streams;
  const std::lock_guard<std::mutex> lock(mutex);
  const std::tuple key(device.type(), device.index(), lane);
  const c10::Stream stream = streams.try_emplace(key, guard.getStreamFromGlobalPool(device)).first->second;
  // The libraries' handles are each thread's own.
  static thread_local std::set<std::tuple<c10::DeviceType, c10::DeviceIndex, Lane>> warm;
  if (!warm.insert(key).second) return stream;
  const c10::Stream before = guard.exchangeStream(stream);
  warmUp(device);
  guard.exchangeStream(before);
  guard.synchronizeDevice(device.index());
  return stream;
}

c10::Device deviceOf(const Napi::Value& value) { return c10::Device(value.As<Napi::String>().Utf8Value()); }

c10::intrusive_ptr<Graph> graphOf(const Napi::CallbackInfo& info) {
  const c10::IValue& held = Environment::of(info.Env()).handles.at(handleOf(info[0]));
  if (!held.isCapsule()) throw Error(kType, "expected a recorded graph");
  return c10::static_intrusive_pointer_cast<Graph>(held.toCapsule());
}

// The memory that a recording takes from: of its own, where none is named.
c10::MempoolId_t poolOf(const Napi::Value& value) {
  if (!value.IsArray()) return {0, 0};
  const auto id = value.As<Napi::Array>();
  const auto part = [&](uint32_t i) { return static_cast<c10::CaptureId_t>(id.Get(i).ToNumber().Int64Value()); };
  return {part(0), part(1)};
}

// graphAvailable(device) => whether its work can be recorded
Napi::Value graphAvailable(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), available(deviceOf(info[0]).type())); }

// graphBegin(device, pool?) => handle. What the device is asked to do from now on is recorded, and not done. `pool` is
// graphPool's, of a graph that still lives: its memory is used again.
Napi::Value graphBegin(const Napi::CallbackInfo& info) {
  const c10::Device device = deviceOf(info[0]);
  if (!available(device.type())) throw Error(kState, "work on " + device.str() + " cannot be recorded");
  const c10::impl::VirtualGuardImpl guard(device.type());
  guard.synchronizeDevice(device.index());
  // Made, and warmed up, while nothing is recorded.
  recordingStream(device, guard, Lane::kAside);
  const c10::Stream before = guard.exchangeStream(recordingStream(device, guard, Lane::kMain));
  auto graph = c10::make_intrusive<Graph>(makeRecording(device.type()), device, before);
  try {
    graph->recording->capture_begin(poolOf(info[1]));
  } catch (...) {
    guard.exchangeStream(before);
    throw;
  }
  kernels::capturing(true);
  auto& handles = Environment::of(info.Env()).handles;
  return Napi::Number::New(info.Env(), static_cast<double>(handles.insert(c10::IValue::make_capsule(std::move(graph)))));
}

// graphEnd(graph)
Napi::Value graphEnd(const Napi::CallbackInfo& info) {
  const auto graph = graphOf(info);
  const c10::impl::VirtualGuardImpl guard(graph->device.type());
  kernels::capturing(false);
  try {
    graph->recording->capture_end();
  } catch (...) {
    guard.exchangeStream(graph->before);
    throw;
  }
  guard.exchangeStream(graph->before);
  return info.Env().Undefined();
}

// What is asked of `later` from now on waits for all that was asked of `earlier`.
void wait(const c10::Stream& earlier, const c10::Stream& later) {
  if (earlier == later) return;
  c10::Event event(earlier.device_type());
  event.record(earlier);
  event.block(later);
}

// graphAside(graph): what is recorded from now on goes beside the rest, after what was recorded before.
Napi::Value graphAside(const Napi::CallbackInfo& info) {
  const auto graph = graphOf(info);
  const c10::impl::VirtualGuardImpl guard(graph->device.type());
  const c10::Stream aside = recordingStream(graph->device, guard, Lane::kAside);
  wait(guard.exchangeStream(aside), aside);
  return info.Env().Undefined();
}

// graphBack(graph): what is recorded from now on is the rest again.
Napi::Value graphBack(const Napi::CallbackInfo& info) {
  const auto graph = graphOf(info);
  const c10::impl::VirtualGuardImpl guard(graph->device.type());
  guard.exchangeStream(recordingStream(graph->device, guard, Lane::kMain));
  return info.Env().Undefined();
}

// graphJoin(graph): what is recorded from now on comes after what went beside; before the end, something has to.
Napi::Value graphJoin(const Napi::CallbackInfo& info) {
  const auto graph = graphOf(info);
  const c10::impl::VirtualGuardImpl guard(graph->device.type());
  wait(recordingStream(graph->device, guard, Lane::kAside), guard.getStream(graph->device));
  return info.Env().Undefined();
}

// graphPool(graph) => the memory that it took, for the next graph: two numbers
Napi::Value graphPool(const Napi::CallbackInfo& info) {
  const auto [first, second] = graphOf(info)->recording->pool();
  auto result = Napi::Array::New(info.Env(), 2);
  result.Set(0u, static_cast<double>(first));
  result.Set(1u, static_cast<double>(second));
  return result;
}

// graphReplay(graph)
Napi::Value graphReplay(const Napi::CallbackInfo& info) {
  graphOf(info)->recording->replay();
  return info.Env().Undefined();
}

}  // namespace

void exportGraph(Napi::Env, Napi::Object exports) {
  define<graphAvailable>(exports, "graphAvailable");
  define<graphBegin>(exports, "graphBegin");
  define<graphEnd>(exports, "graphEnd");
  define<graphAside>(exports, "graphAside");
  define<graphBack>(exports, "graphBack");
  define<graphJoin>(exports, "graphJoin");
  define<graphPool>(exports, "graphPool");
  define<graphReplay>(exports, "graphReplay");
}

}  // namespace srrl
