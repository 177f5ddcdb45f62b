// Work on a device that is recorded once and replayed in one call. libtorch 2.13 has this for every kind of device;
// before that, CUDA's has to be asked for by name, which needs the headers of the CUDA toolkit.
#include "graph.h"

#include <ATen/ATen.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#if __has_include(<ATen/core/GraphImplInterface.h>)
#include <ATen/core/GraphImplInterface.h>
#elif defined(SRRL_CUDA_GRAPHS)
#include <ATen/cuda/CUDAGraph.h>
#endif

#include "arguments.h"
#include "device.h"
#include "kernels/engine.h"
#include "streams.h"

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
  Graph(std::unique_ptr<Recording> recording, c10::Device device, c10::Stream before, std::vector<c10::Stream> streams)
      : recording(std::move(recording)),
        device(device),
        before(before),
        streams(std::move(streams)),
        background(backgroundOf(device)) {}
  std::unique_ptr<Recording> recording;
  c10::Device device;
  c10::Stream before;                // the device's stream while nothing is recorded
  std::vector<c10::Stream> streams;  // that of the main part, and behind it those of branches
  c10::Stream background;            // of branches for which nothing waits before the end
  // How many have begun since the last join, and whether one of them is in the background.
  size_t branches = 0;
  bool isBehind = false;
};

// What the main part is asked from now on waits for all branches.
void join(Graph& graph) {
  const size_t used = std::min(graph.branches, graph.streams.size() - 1);
  for (size_t i = 1; i <= used; i++) wait(graph.streams[i], graph.streams[0]);
  if (graph.isBehind) wait(graph.background, graph.streams[0]);
  graph.branches = 0;
  graph.isBehind = false;
}

c10::intrusive_ptr<Graph> graphOf(const Napi::CallbackInfo& info) {
  return capsuleOf<Graph>(info, 0, "a recorded graph");
}

// The memory that a recording takes from: of its own, where none is named.
c10::MempoolId_t poolOf(const Napi::Value& value) {
  if (!value.IsArray()) return {0, 0};
  const auto id = value.As<Napi::Array>();
  const auto part = [&](uint32_t i) { return static_cast<c10::CaptureId_t>(id.Get(i).ToNumber().Int64Value()); };
  return {part(0), part(1)};
}

// graphAvailable(device) => whether its work can be recorded
Napi::Value graphAvailable(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), available(deviceOf(info[0]).type()));
}

// graphBegin(device, branches, pool?) => handle. What the device is asked to do from now on is recorded, and not done.
// `branches`: the most parts that will go next to each other, with graphAside(), apart from those in the background.
// `pool` is graphPool's, of a graph that still lives: its memory is used again.
Napi::Value graphBegin(const Napi::CallbackInfo& info) {
  const c10::Device device = deviceOf(info[0]);
  if (!available(device.type())) throw Error(kState, "work on " + device.str() + " cannot be recorded");
  const c10::impl::VirtualGuardImpl guard(device.type());
  guard.synchronizeDevice(device.index());
  // Made, and warmed up, while nothing is recorded.
  std::vector<c10::Stream> streams;
  const size_t wanted = std::min<size_t>(1 + info[1].As<Napi::Number>().Uint32Value(), kMostLanes);
  while (streams.size() < wanted) streams.push_back(laneOf(device, streams.size()));
  for (const c10::Stream& lane : streams) sideOf(lane);
  const c10::Stream before = guard.exchangeStream(streams[0]);
  auto graph = c10::make_intrusive<Graph>(makeRecording(device.type()), device, before, std::move(streams));
  try {
    graph->recording->capture_begin(poolOf(info[2]));
  } catch (...) {
    guard.exchangeStream(before);
    throw;
  }
  kernels::capturing(true);
  auto& handles = Environment::of(info.Env()).handles;
  return Napi::Number::New(info.Env(),
                           static_cast<double>(handles.insert(c10::IValue::make_capsule(std::move(graph)))));
}

// graphEnd(graph)
Napi::Value graphEnd(const Napi::CallbackInfo& info) {
  const auto graph = graphOf(info);
  const c10::impl::VirtualGuardImpl guard(graph->device.type());
  kernels::capturing(false);
  try {
    // An error in between may have left branches behind, with which a recording cannot end.
    join(*graph);
  } catch (const c10::Error&) {
    // The end says what is wrong.
  }
  try {
    graph->recording->capture_end();
  } catch (...) {
    guard.exchangeStream(graph->before);
    throw;
  }
  guard.exchangeStream(graph->before);
  return info.Env().Undefined();
}

// graphAside(graph, in background): what is recorded from now on goes next to the rest, after what was recorded before;
// on a branch of its own each time, but in the background on one for all.
Napi::Value graphAside(const Napi::CallbackInfo& info) {
  const auto graph = graphOf(info);
  const bool behind = info[1].ToBoolean();
  if (!behind && graph->streams.size() < 2) throw Error(kState, "this recording was begun without branches");
  const c10::impl::VirtualGuardImpl guard(graph->device.type());
  graph->isBehind = graph->isBehind || behind;
  const c10::Stream& branch =
      behind ? graph->background : graph->streams[1 + graph->branches++ % (graph->streams.size() - 1)];
  wait(graph->streams[0], branch);
  guard.exchangeStream(branch);
  return info.Env().Undefined();
}

// graphBack(graph): what is recorded from now on is the rest again.
Napi::Value graphBack(const Napi::CallbackInfo& info) {
  const auto graph = graphOf(info);
  const c10::impl::VirtualGuardImpl guard(graph->device.type());
  guard.exchangeStream(graph->streams[0]);
  return info.Env().Undefined();
}

// graphJoin(graph): what is recorded from now on comes after all branches; before the end, something has to.
Napi::Value graphJoin(const Napi::CallbackInfo& info) {
  join(*graphOf(info));
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
