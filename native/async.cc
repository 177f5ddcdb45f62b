#include "async.h"

#include <ATen/ThreadLocalState.h>
#include <torch/csrc/autograd/autograd.h>

#include <atomic>
#include <exception>
#include <unordered_map>

#include "arguments.h"
#include "convert.h"
#include "guards.h"
#include "tensors.h"

namespace srrl {

namespace {

class Job : public Napi::AsyncWorker {
 public:
  Job(Napi::Env env, std::function<void()> work, std::function<napi_value(Napi::Env)> wrapUp)
      : AsyncWorker(env),
        work_(std::move(work)),
        wrapUp_(std::move(wrapUp)),
        promise_(Napi::Promise::Deferred::New(env)) {}

  Napi::Promise promise() const { return promise_.Promise(); }

  void Execute() override {
    const at::ThreadLocalStateGuard guard(modes_);
    try {
      work_();
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  void OnOK() override {
    const Napi::Env env = Env();
    const Napi::HandleScope scope(env);
    try {
      if (failure_) std::rethrow_exception(failure_);
      promise_.Resolve(wrapUp_(env));
    } catch (...) {
      throwCurrent(env, nullptr);
      promise_.Reject(env.GetAndClearPendingException().Value());
    }
  }

 private:
  std::function<void()> work_;
  std::function<napi_value(Napi::Env)> wrapUp_;
  at::ThreadLocalState modes_;
  std::exception_ptr failure_;
  Napi::Promise::Deferred promise_;
};

}  // namespace

Napi::Value runAsync(Napi::Env env, std::function<void()> work, std::function<napi_value(Napi::Env)> wrapUp) {
  auto* job = new Job(env, std::move(work), std::move(wrapUp));
  const Napi::Promise promise = job->promise();
  job->Queue();
  return promise;
}

namespace {

// callAsync(number, ...flat arguments) => promise of the result of call(); [] for an operator without results
Napi::Value callAsync(const Napi::CallbackInfo& info) {
  auto& environment = Environment::of(info.Env());
  const Operator& op = environment.operators.at(info[0].As<Napi::Number>().Uint32Value());
  std::vector<napi_value> values;
  for (size_t i = 1; i < info.Length(); i++) values.push_back(info[i]);
  ArgumentReader reader(info.Env(), environment.handles, values.data(), values.size());
  auto stack = std::make_shared<c10::Stack>();
  for (const Argument& argument : op.arguments) stack->push_back(reader.read(argument));
  if (!reader.done()) throw Error(kType, "too many arguments");
  refuseStrayMkldnn(*stack);
  return runAsync(
      info.Env(), [&op, stack] { runWhole(op, *stack); },
      [stack](Napi::Env env) -> napi_value {
        auto& handles = Environment::of(env).handles;
        if (stack->size() == 1) return toJs(env, handles, std::move((*stack)[0]));
        auto array = Napi::Array::New(env, stack->size());
        for (size_t i = 0; i < stack->size(); i++)
          array.Set(i, Napi::Value(env, toJs(env, handles, std::move((*stack)[i]))));
        return array;
      });
}

// backwardAsync(outputs, gradients, retainGraph, createGraph)
Napi::Value backwardAsync(const Napi::CallbackInfo& info) {
  const auto outputs = tensorsOf(info[0]);
  const auto gradients = info[1].IsArray() ? tensorsOf(info[1]) : std::vector<at::Tensor>();
  std::optional<bool> retain;
  if (!info[2].IsUndefined()) retain = info[2].ToBoolean();
  const bool create = info[3].ToBoolean();
  return runAsync(
      info.Env(), [=] { torch::autograd::backward(outputs, gradients, retain, create); },
      [](Napi::Env env) -> napi_value { return env.Undefined(); });
}

// Tensors in transit between threads of this process, by number.
struct Transfers {
  std::mutex mutex;
  std::unordered_map<uint64_t, at::Tensor> tensors;
  // Each copy of this addon in the process starts at another number, so that none accepts a number of another.
  uint64_t next = ((reinterpret_cast<uintptr_t>(this) >> 4) & 0xffffffff) << 20;
};

Transfers& transfers() {
  static auto* all = new Transfers();  // leaked on purpose: worker threads can outlive static destruction
  return *all;
}

// sendTensor(tensor) => number that receiveTensor() accepts once, on any thread
Napi::Value sendTensor(const Napi::CallbackInfo& info) {
  const at::Tensor& tensor = tensorOf(info, 0);
  if (tensor.grad_fn())
    throw Error(kState, "a tensor that is part of a graph cannot be sent to another thread; detach() it first");
  if (usesBuffer(tensor) || (tensor.grad().defined() && usesBuffer(tensor.grad()))) {
    throw Error(
        kState,
        "the tensor uses the memory of a SharedArrayBuffer, which is released when this thread ends; send a clone(), "
        "or post the buffer and call fromArray(..., { share: true }) on the other thread");
  }
  auto& all = transfers();
  const std::lock_guard<std::mutex> lock(all.mutex);
  all.tensors.emplace(all.next, tensor);
  return Napi::Number::New(info.Env(), static_cast<double>(all.next++));
}

Napi::Value receiveTensor(const Napi::CallbackInfo& info) {
  auto& all = transfers();
  at::Tensor tensor;
  {
    const std::lock_guard<std::mutex> lock(all.mutex);
    const auto found = all.tensors.find(toHandle(info[0].ToNumber().DoubleValue()));
    if (found == all.tensors.end())
      throw Error(kState, "this tensor was received already, or never sent by this copy of srrl");
    tensor = std::move(found->second);
    all.tensors.erase(found);
  }
  return wrap(info.Env(), tensor);
}

}  // namespace

void exportAsync(Napi::Env, Napi::Object exports) {
  define<callAsync>(exports, "callAsync");
  define<backwardAsync>(exports, "backwardAsync");
  define<sendTensor>(exports, "sendTensor");
  define<receiveTensor>(exports, "receiveTensor");
}

}  // namespace srrl
