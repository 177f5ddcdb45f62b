#include "distributed/export.h"

#include <ATen/core/ivalue.h>
#include <torch/csrc/distributed/c10d/Types.hpp>

#include <map>

#include "arguments.h"
#include "async.h"
#include "distributed/group.h"
#include "distributed/reducer.h"

namespace srrl {

namespace {

using distributed::currentGroup;
using distributed::Group;
using distributed::Reducer;

napi_value nothing(Napi::Env env) { return env.Undefined(); }

// Runs `work` here, or on another thread and returns a promise.
Napi::Value now(Napi::Env env, bool async, std::function<void()> work,
                std::function<napi_value(Napi::Env)> wrapUp = nothing) {
  if (async) return runAsync(env, std::move(work), std::move(wrapUp));
  work();
  return Napi::Value(env, wrapUp(env));
}

std::string text(const Napi::Object& from, const char* name) {
  const Napi::Value value = from.Get(name);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
}

// distributedInit({ address, port, hostsStore, prefix, rank, size, host, interface, backend, timeout })
Napi::Value init(const Napi::CallbackInfo& info) {
  const auto given = info[0].As<Napi::Object>();
  const auto number = [&](const char* name) { return given.Get(name).ToNumber().Int64Value(); };
  distributed::GroupSetup setup;
  setup.address = text(given, "address");
  setup.port = static_cast<int>(number("port"));
  setup.hostsStore = given.Get("hostsStore").ToBoolean();
  setup.prefix = text(given, "prefix");
  setup.rank = static_cast<int>(number("rank"));
  setup.size = static_cast<int>(number("size"));
  setup.host = text(given, "host");
  setup.interface = text(given, "interface");
  setup.backend = text(given, "backend");
  setup.timeout = distributed::Milliseconds(number("timeout"));
  if (distributed::currentGroupOrNull())
    throw Error(kDistributed, "This process has a process group already: call distributed.destroy() first.");
  return runAsync(info.Env(), [setup] { distributed::setCurrentGroup(std::make_shared<Group>(setup)); }, nothing);
}

// distributedInfo() => { rank, size, backend, host, timeout } | null
Napi::Value groupInfo(const Napi::CallbackInfo& info) {
  const auto group = distributed::currentGroupOrNull();
  if (!group) return info.Env().Null();
  auto result = Napi::Object::New(info.Env());
  result.Set("rank", group->setup.rank);
  result.Set("size", group->setup.size);
  result.Set("backend", group->setup.backend);
  result.Set("host", group->setup.host);
  result.Set("timeout", static_cast<double>(group->setup.timeout.count()));
  return result;
}

c10d::ReduceOp operationOf(const std::string& name) {
  if (name == "sum") return c10d::ReduceOp::SUM;
  if (name == "product") return c10d::ReduceOp::PRODUCT;
  if (name == "min") return c10d::ReduceOp::MIN;
  if (name == "max") return c10d::ReduceOp::MAX;
  throw Error(kType, "tensors are reduced by sum, product, min or max, not by " + name);
}

// Runs one collective for all tensors of a device and dtype, concatenated, because networks have many small buffers and
// each message costs its latency. All collectives start before the first is waited for. Tensors change in place.
void overAll(Group& group, const std::vector<at::Tensor>& tensors, const std::string& what,
             const std::function<c10::intrusive_ptr<c10d::Work>(std::vector<at::Tensor>&)>& collective) {
  struct Message {
    std::vector<at::Tensor> parts;
    at::Tensor joined;
    c10::intrusive_ptr<c10d::Work> work;
  };
  const at::NoGradGuard guard;
  std::map<std::pair<std::string, at::ScalarType>, Message> messages;
  for (const at::Tensor& tensor : tensors)
    messages[{tensor.device().str(), tensor.scalar_type()}].parts.push_back(tensor.detach());
  for (auto& [kind, message] : messages) {
    const bool single = message.parts.size() == 1;
    std::vector<at::Tensor> flat;
    for (const at::Tensor& part : message.parts) flat.push_back(part.reshape({-1}));
    message.joined = single ? message.parts[0].contiguous() : at::cat(flat);
    std::vector<at::Tensor> one{message.joined};
    message.work = collective(one);
  }
  for (auto& [kind, message] : messages) {
    group.wait(message.work, what);
    int64_t begin = 0;
    for (const at::Tensor& part : message.parts) {
      if (part.const_data_ptr() != message.joined.const_data_ptr())
        part.copy_(message.joined.flatten().narrow(0, begin, part.numel()).view(part.sizes()));
      begin += part.numel();
    }
  }
}

// distributedAllReduce(tensors, operation, async)
Napi::Value allReduce(const Napi::CallbackInfo& info) {
  c10d::AllreduceOptions options;
  options.reduceOp = operationOf(info[1].As<Napi::String>());
  return now(info.Env(), info[2].ToBoolean(), [group = currentGroup(), tensors = tensorsOf(info[0]), options] {
    overAll(*group, tensors, "all-reduce",
            [&](std::vector<at::Tensor>& one) { return group->backend().allreduce(one, options); });
  });
}

// distributedBroadcast(tensors, source, async)
Napi::Value broadcast(const Napi::CallbackInfo& info) {
  c10d::BroadcastOptions options;
  options.rootRank = info[1].ToNumber().Int64Value();
  return now(info.Env(), info[2].ToBoolean(), [group = currentGroup(), tensors = tensorsOf(info[0]), options] {
    overAll(*group, tensors, "broadcast",
            [&](std::vector<at::Tensor>& one) { return group->backend().broadcast(one, options); });
  });
}

// distributedAllGather(tensor, async) => tensor [size, ...]
Napi::Value allGather(const Napi::CallbackInfo& info) {
  auto result = std::make_shared<at::Tensor>();
  return now(
      info.Env(), info[1].ToBoolean(),
      [group = currentGroup(), own = tensorOf(info, 0).detach(), result] {
        *result = group->gathered(own, "all-gather");
      },
      [result](Napi::Env env) -> napi_value { return wrap(env, std::move(*result)); });
}

// distributedBarrier(async)
Napi::Value barrier(const Napi::CallbackInfo& info) {
  return now(info.Env(), info[0].ToBoolean(), [group = currentGroup()] {
    std::vector<at::Tensor> one{at::zeros({1})};
    group->wait(group->backend().allreduce(one), "barrier");
  });
}

Napi::Value reached(const Napi::CallbackInfo& info) {
  currentGroup()->reached(info[0].ToNumber().Int64Value());
  return info.Env().Undefined();
}

// distributedFail(message) => promise; it can take some seconds until the other ranks have read the message
Napi::Value fail(const Napi::CallbackInfo& info) {
  const std::string message = info[0].As<Napi::String>();
  return runAsync(
      info.Env(),
      [group = distributed::currentGroupOrNull(), message] {
        if (group) group->fail(message);
      },
      nothing);
}

Napi::Value abortGroup(const Napi::CallbackInfo& info) {
  if (const auto group = distributed::currentGroupOrNull()) group->abort();
  return info.Env().Undefined();
}

Napi::Value destroy(const Napi::CallbackInfo& info) {
  return runAsync(info.Env(), [] { distributed::setCurrentGroup(nullptr); }, nothing);
}

Napi::Value hasGloo(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), distributed::hasGloo()); }

// A reducer is a value in the handle table, so that it is freed like a tensor.
struct ReducerHolder : torch::CustomClassHolder {
  explicit ReducerHolder(std::unique_ptr<Reducer> reducer) : reducer(std::move(reducer)) {}
  std::unique_ptr<Reducer> reducer;
};

Reducer& reducerOf(const Napi::CallbackInfo& info) { return *capsuleOf<ReducerHolder>(info, 0, "a reducer")->reducer; }

// makeReducer(parameters, { bucketBytes, firstBucketBytes, findUnused }) => handle
Napi::Value makeReducer(const Napi::CallbackInfo& info) {
  const auto given = info[1].As<Napi::Object>();
  distributed::ReducerOptions options;
  options.bucketBytes = given.Get("bucketBytes").ToNumber().Int64Value();
  options.firstBucketBytes = given.Get("firstBucketBytes").ToNumber().Int64Value();
  options.findUnused = given.Get("findUnused").ToBoolean();
  auto holder =
      c10::make_intrusive<ReducerHolder>(std::make_unique<Reducer>(currentGroup(), tensorsOf(info[0]), options));
  auto& handles = Environment::of(info.Env()).handles;
  const Handle handle = handles.insert(c10::IValue::make_capsule(std::move(holder)));
  handles.keep(handle);
  return Napi::Number::New(info.Env(), static_cast<double>(handle));
}

Napi::Value armReducer(const Napi::CallbackInfo& info) {
  reducerOf(info).arm();
  return info.Env().Undefined();
}

Napi::Value finishReducer(const Napi::CallbackInfo& info) {
  reducerOf(info).finish();
  return info.Env().Undefined();
}

// reducerTimes(reducer) => { buckets, communicated, waited }, seconds since the last call
Napi::Value reducerTimes(const Napi::CallbackInfo& info) {
  auto& reducer = reducerOf(info);
  const auto times = reducer.takeTimes();
  auto result = Napi::Object::New(info.Env());
  result.Set("buckets", static_cast<double>(reducer.bucketCount()));
  result.Set("communicated", times.communicated);
  result.Set("waited", times.waited);
  return result;
}

}  // namespace

void exportDistributed(Napi::Env, Napi::Object exports) {
  define<init>(exports, "distributedInit");
  define<groupInfo>(exports, "distributedInfo");
  define<allReduce>(exports, "distributedAllReduce");
  define<broadcast>(exports, "distributedBroadcast");
  define<allGather>(exports, "distributedAllGather");
  define<barrier>(exports, "distributedBarrier");
  define<reached>(exports, "distributedReached");
  define<fail>(exports, "distributedFail");
  define<abortGroup>(exports, "distributedAbort");
  define<destroy>(exports, "distributedDestroy");
  define<hasGloo>(exports, "hasGloo");
  define<makeReducer>(exports, "makeReducer");
  define<armReducer>(exports, "armReducer");
  define<finishReducer>(exports, "finishReducer");
  define<reducerTimes>(exports, "reducerTimes");
}

}  // namespace srrl
