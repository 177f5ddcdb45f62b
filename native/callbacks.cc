#include "callbacks.h"

#include <torch/csrc/autograd/anomaly_mode.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include "arguments.h"

namespace srrl {

using torch::autograd::Node;
using torch::autograd::variable_list;

JsCallback::JsCallback(const Napi::Function& function)
    : env_(function.Env()), life_(Environment::of(env_).life), reaper_(Environment::of(env_).buffers) {
  napi_create_reference(env_, function, 1, &reference_);
  // From now on every backward pass must run on this thread, also for work on an accelerator.
  Environment::of(env_).callsBack = true;
}

JsCallback::~JsCallback() { reaper_->retire(reference_); }

void JsCallback::requireThread() const {
  if (life_->isHere()) return;
  if (gone())
    throw Error(
        kState,
        "this graph contains a function written in JavaScript, and the worker thread that made it has ended; build the "
        "graph again");
  throw Error(
      kState,
      "this graph contains a function written in JavaScript, so its backward pass must run on the thread that made it; "
      "use backward()");
}

Napi::Value JsCallback::call(const std::vector<napi_value>& arguments) const {
  napi_value function;
  napi_get_reference_value(env_, reference_, &function);
  return Napi::Function(env_, function).Call(arguments);
}

namespace {

napi_value handlesOrNull(Napi::Env env, const variable_list& tensors) {
  auto array = Napi::Array::New(env, tensors.size());
  for (size_t i = 0; i < tensors.size(); i++) array.Set(i, wrap(env, tensors[i]));
  return array;
}

at::Tensor tensorOrUndefined(Napi::Env env, const Napi::Value& value) {
  if (value.IsNull() || value.IsUndefined()) return {};
  return Environment::of(env).handles.tensor(handleOf(value));
}

// Nodes are intrusive_ptr in newer versions of libtorch and shared_ptr in older ones.
using NodePointer = decltype(torch::autograd::Edge::function);
constexpr bool kNodesAreShared = std::is_same_v<NodePointer, std::shared_ptr<Node>>;

template <typename T>
auto makeNode() {
  if constexpr (kNodesAreShared) {
    return std::shared_ptr<T>(new T, [](T* node) { deleteNode(node); });
  } else {
    return c10::make_intrusive<T>();
  }
}

template <typename T>
NodePointer pointerTo(T* node) {
  if constexpr (kNodesAreShared) {
    return node->shared_from_this();
  } else {
    return c10::intrusive_ptr<T>::reclaim_copy(node);
  }
}

// backward(gradients of the outputs, saved tensors) => gradients of the inputs, null where there is none
struct JsNode : Node {
  std::shared_ptr<JsCallback> backward;
  std::vector<torch::autograd::SavedVariable> saved;
  size_t inputs = 0;

  std::string name() const override { return "JavaScriptBackward"; }

  variable_list apply(variable_list&& gradients) override {
    backward->requireThread();
    const Napi::Env env = backward->env();
    const Napi::HandleScope scope(env);
    variable_list unpacked;
    for (const auto& variable : saved) unpacked.push_back(variable.unpack(pointerTo(this)));
    const Napi::Value result = backward->call({handlesOrNull(env, gradients), handlesOrNull(env, unpacked)});
    const auto array = result.As<Napi::Array>();
    if (array.Length() != inputs) {
      throw Error(kShape, "backward returned " + std::to_string(array.Length()) + " gradients for " +
                              std::to_string(inputs) + " inputs");
    }
    variable_list answer(inputs);
    for (size_t i = 0; i < inputs; i++) answer[i] = tensorOrUndefined(env, array.Get(i));
    return answer;
  }

  void release_variables() override { saved.clear(); }
};

// attachBackward(inputs, outputs, saved, backward): makes the outputs results of a node whose backward pass is the
// JavaScript function.
Napi::Value attachBackward(const Napi::CallbackInfo& info) {
  const variable_list inputs = tensorsOf(info[0]);
  const variable_list outputs = tensorsOf(info[1]);
  auto node = makeNode<JsNode>();
  node->backward = std::make_shared<JsCallback>(info[3].As<Napi::Function>());
  node->inputs = inputs.size();
  node->set_next_edges(torch::autograd::collect_next_edges(inputs));
  for (const at::Tensor& output : outputs) torch::autograd::set_history(output, node);
  for (const at::Tensor& tensor : tensorsOf(info[2])) {
    const bool own =
        std::any_of(outputs.begin(), outputs.end(), [&](const at::Tensor& output) { return output.is_same(tensor); });
    node->saved.emplace_back(tensor, own);
  }
  return info.Env().Undefined();
}

// registerHook(tensor, hook) => number for removeHook(). hook(gradient) => its replacement, or undefined
Napi::Value registerHook(const Napi::CallbackInfo& info) {
  const at::Tensor& tensor = tensorOf(info, 0);
  if (!tensor.requires_grad()) throw Error(kState, "a hook needs a tensor that requires a gradient");
  const auto callback = std::make_shared<JsCallback>(info[1].As<Napi::Function>());
  const unsigned number = tensor.register_hook([callback](const at::Tensor& gradient) -> at::Tensor {
    // A hook of an environment that has ended can no longer be removed by anyone, so it is ignored.
    if (callback->gone()) return gradient;
    callback->requireThread();
    const Napi::Env env = callback->env();
    const Napi::HandleScope scope(env);
    const at::Tensor replacement = tensorOrUndefined(env, callback->call({wrap(env, gradient)}));
    return replacement.defined() ? replacement : gradient;
  });
  return Napi::Number::New(info.Env(), number);
}

Napi::Value removeHook(const Napi::CallbackInfo& info) {
  tensorOf(info, 0).remove_hook(info[1].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

// setAnomalyMode(on, checkNan) => whether it was on
Napi::Value setAnomalyMode(const Napi::CallbackInfo& info) {
  const bool before = torch::autograd::AnomalyMode::is_enabled();
  torch::autograd::AnomalyMode::set_enabled(info[0].ToBoolean(), info[1].ToBoolean());
  return Napi::Boolean::New(info.Env(), before);
}

}  // namespace

void exportCallbacks(Napi::Env, Napi::Object exports) {
  define<attachBackward>(exports, "attachBackward");
  define<registerHook>(exports, "registerHook");
  define<removeHook>(exports, "removeHook");
  define<setAnomalyMode>(exports, "setAnomalyMode");
}

}  // namespace srrl
