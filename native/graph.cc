// Device graphs: work that is captured once and replayed in one call. libtorch 2.13 has an interface for every kind of
// device; in older versions CUDA graphs need the headers of the CUDA toolkit.
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
  c10::Stream before;                // the current stream of the device before the capture
  std::vector<c10::Stream> streams;  // of the main part, followed by those of branches
  c10::Stream background;            // for branches that nothing waits for before the end
  // Branches since the last join, and whether one of them is in the background.
  size_t branches = 0;
  bool isBehind = false;
};

// Makes the main part wait for all branches.
void join(Graph& graph) {
  const size_t used = std::min(graph.branches, graph.streams.size() - 1);
  for (size_t i = 1; i <= used; i++) wait(graph.streams[i], graph.streams[0]);
  if (graph.isBehind) wait(graph.background, graph.streams[0]);
  graph.branches = 0;
  graph.isBehind = false;
}

c10::intrusive_ptr<Graph> graphOf(const Napi::CallbackInfo& info) {
  return capsuleOf<Graph>(info, 0, "a captured graph");
}

// The memory pool of a capture: a new one if the value is not an array.
c10::MempoolId_t poolOf(const Napi::Value& value) {
  if (!value.IsArray()) return {0, 0};
  const auto id = value.As<Napi::Array>();
  const auto part = [&](uint32_t i) { return static_cast<c10::CaptureId_t>(id.Get(i).ToNumber().Int64Value()); };
  return {part(0), part(1)};
}

// graphAvailable(device) => whether its work can be captured
Napi::Value graphAvailable(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), available(deviceOf(info[0]).type()));
}

// graphBegin(device, branches, pool?) => handle. Starts a capture: work queued from now on is captured instead of run.
// `branches` is the number of parallel branches, started by graphAside(), without those in the background. `pool` is
// the result of graphPool() of a living graph, whose memory the capture reuses.
Napi::Value graphBegin(const Napi::CallbackInfo& info) {
  const c10::Device device = deviceOf(info[0]);
  if (!available(device.type())) throw Error(kState, "work on " + device.str() + " cannot be captured in a graph");
  const c10::impl::VirtualGuardImpl guard(device.type());
  guard.synchronizeDevice(device.index());
  // Streams must exist, and their libraries be initialized, before the capture begins.
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
    // An error may have left branches that were not joined, with which a capture cannot end.
    join(*graph);
  } catch (const c10::Error&) {
    // capture_end() reports what is wrong.
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

// graphAside(graph, inBackground): captures from now on on a parallel branch, after what was captured so far. Each call
// starts a branch of its own, but all background work shares one.
Napi::Value graphAside(const Napi::CallbackInfo& info) {
  const auto graph = graphOf(info);
  const bool behind = info[1].ToBoolean();
  if (!behind && graph->streams.size() < 2) throw Error(kState, "this capture was started without branches");
  const c10::impl::VirtualGuardImpl guard(graph->device.type());
  graph->isBehind = graph->isBehind || behind;
  const c10::Stream& branch =
      behind ? graph->background : graph->streams[1 + graph->branches++ % (graph->streams.size() - 1)];
  wait(graph->streams[0], branch);
  guard.exchangeStream(branch);
  return info.Env().Undefined();
}

// graphBack(graph): captures on the main part again.
Napi::Value graphBack(const Napi::CallbackInfo& info) {
  const auto graph = graphOf(info);
  const c10::impl::VirtualGuardImpl guard(graph->device.type());
  guard.exchangeStream(graph->streams[0]);
  return info.Env().Undefined();
}

// graphJoin(graph): makes the main part wait for all branches, as graphEnd() does.
Napi::Value graphJoin(const Napi::CallbackInfo& info) {
  join(*graphOf(info));
  return info.Env().Undefined();
}

// graphPool(graph) => its memory pool, for the next graph: two numbers
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
