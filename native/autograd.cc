#include "autograd.h"

#include <c10/core/AutogradState.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>

#include <sstream>

#include "arguments.h"
#include "plain.h"

namespace srrl {

namespace {

std::vector<at::Tensor> gradientsOf(const Napi::Value& value, size_t count) {
  if (value.IsUndefined() || value.IsNull()) return {};
  std::vector<at::Tensor> gradients = tensorsOf(value);
  if (gradients.size() != count) throw Error(kShape, "there must be one gradient for each output");
  return gradients;
}

std::optional<bool> optionalBool(const Napi::Value& value) {
  if (value.IsUndefined() || value.IsNull()) return std::nullopt;
  return value.ToBoolean().Value();
}

// A graph that may call JavaScript must run on this thread: an engine thread that calls back would deadlock, because
// this thread waits for it.
class EngineOnThisThread {
 public:
  explicit EngineOnThisThread(bool wanted) : before_(c10::AutogradState::get_tls_state().get_multithreading_enabled()) {
    if (wanted) c10::AutogradState::get_tls_state().set_multithreading_enabled(false);
  }
  ~EngineOnThisThread() { c10::AutogradState::get_tls_state().set_multithreading_enabled(before_); }

 private:
  bool before_;
};

// backward(outputs, gradients | undefined, retainGraph | undefined, createGraph, inputs)
Napi::Value backward(const Napi::CallbackInfo& info) {
  const auto outputs = tensorsOf(info[0]);
  const EngineOnThisThread engine(Environment::of(info.Env()).callsBack);
  torch::autograd::backward(outputs, gradientsOf(info[1], outputs.size()), optionalBool(info[2]), info[3].ToBoolean(),
                            tensorsOf(info[4]));
  return info.Env().Undefined();
}

// grad(outputs, inputs, gradients | undefined, retainGraph | undefined, createGraph, allowUnused) => handles, null
// where unused
Napi::Value grad(const Napi::CallbackInfo& info) {
  const auto outputs = tensorsOf(info[0]);
  const EngineOnThisThread engine(Environment::of(info.Env()).callsBack);
  const auto gradients = torch::autograd::grad(outputs, tensorsOf(info[1]), gradientsOf(info[2], outputs.size()),
                                               optionalBool(info[3]), info[4].ToBoolean(), info[5].ToBoolean());
  auto result = Napi::Array::New(info.Env(), gradients.size());
  for (size_t i = 0; i < gradients.size(); i++) result.Set(i, wrap(info.Env(), gradients[i]));
  return result;
}

// Returns the gradient, after giving a ZeroTensor real memory: clipping and scaling change gradients in place, which a
// tensor without memory does not allow.
at::Tensor gradientOf(const at::Tensor& tensor) {
  at::Tensor& gradient = tensor.mutable_grad();
  if (!gradient.defined() || !gradient._is_zerotensor()) return gradient;
  const at::AutoGradMode mode(gradient.requires_grad());
  gradient = gradient.clone();
  return gradient;
}

Napi::Value gradOf(const Napi::CallbackInfo& info) {
  const at::Tensor& tensor = tensorOf(info, 0);
  return tensor.grad().defined() ? wrap(info.Env(), gradientOf(tensor)) : info.Env().Null();
}

// The checks of PyTorch. Kernels that read a parameter and its gradient together rely on them.
void checkGradient(const at::Tensor& tensor, const at::Tensor& gradient) {
  if (gradient.scalar_type() != tensor.scalar_type()) {
    throw Error(kType, std::string("a gradient of ") + c10::toString(gradient.scalar_type()) +
                           " does not fit a tensor of " + c10::toString(tensor.scalar_type()));
  }
  if (gradient.device() != tensor.device())
    throw Error(kType, "a gradient must be on the device of its tensor, " + tensor.device().str());
  if (!tensor.is_nested() && !gradient.is_nested() && gradient.sizes() != tensor.sizes()) {
    std::ostringstream text;
    text << "a gradient of shape " << gradient.sizes() << " does not fit a tensor of shape " << tensor.sizes();
    throw Error(kShape, text.str());
  }
}

Napi::Value setGrad(const Napi::CallbackInfo& info) {
  const at::Tensor& tensor = tensorOf(info, 0);
  if (!info[1].IsNull()) checkGradient(tensor, tensorOf(info, 1));
  tensor.mutable_grad() = info[1].IsNull() ? at::Tensor() : tensorOf(info, 1);
  return info.Env().Undefined();
}

// gradList(list handle, use) => handle of a list of the gradients; throws if one is missing. `use` is 'change' for the
// gradients themselves (the values of sparse ones), 'read' for plain tensors, copied where necessary, 'fused' for plain
// tensors with the strides of their parameters, as fused optimizers require, and 'fused sparse' to also convert sparse
// gradients to dense ones.
Napi::Value gradList(const Napi::CallbackInfo& info) {
  auto& handles = Environment::of(info.Env()).handles;
  const std::string use = info[1].As<Napi::String>();
  c10::List<at::Tensor> gradients;
  for (const at::Tensor& tensor : handles.at(handleOf(info[0])).toTensorVector()) {
    if (!tensor.grad().defined()) throw Error(kState, "a parameter has no gradient");
    if (use == "read")
      gradients.push_back(plainGradient(tensor.grad(), false));
    else if (use != "change")
      gradients.push_back(gradientInOrder(tensor.grad(), tensor, use == "fused sparse"));
    else if (tensor.grad().is_sparse())
      gradients.push_back(tensor.grad()._values());
    else
      gradients.push_back(gradientOf(tensor));
  }
  return Napi::Number::New(info.Env(), static_cast<double>(handles.insert(std::move(gradients))));
}

// clearGrads(list handle): sets every gradient to undefined.
Napi::Value clearGrads(const Napi::CallbackInfo& info) {
  for (const at::Tensor& tensor : Environment::of(info.Env()).handles.at(handleOf(info[0])).toTensorVector())
    tensor.mutable_grad().reset();
  return info.Env().Undefined();
}

// haveGrads(list handle) => [boolean]
Napi::Value haveGrads(const Napi::CallbackInfo& info) {
  const auto tensors = Environment::of(info.Env()).handles.at(handleOf(info[0])).toTensorVector();
  auto result = Napi::Array::New(info.Env(), tensors.size());
  for (size_t i = 0; i < tensors.size(); i++)
    result.Set(i, Napi::Boolean::New(info.Env(), tensors[i].grad().defined()));
  return result;
}

Napi::Value requiresGrad(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), tensorOf(info, 0).requires_grad());
}

Napi::Value setRequiresGrad(const Napi::CallbackInfo& info) {
  const at::Tensor& tensor = tensorOf(info, 0);
  const bool wanted = info[1].ToBoolean();
  if (!tensor.is_leaf() && !wanted) throw Error(kState, "only a leaf can stop requiring a gradient; use detach()");
  if (wanted && !torch::autograd::isDifferentiableType(tensor.scalar_type())) {
    throw Error(kType, "only floating-point and complex tensors can require a gradient");
  }
  tensor.set_requires_grad(wanted);
  return info.Env().Undefined();
}

Napi::Value isLeaf(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), tensorOf(info, 0).is_leaf());
}

// gradFn(tensor) => the name of its autograd node, or null
Napi::Value gradFn(const Napi::CallbackInfo& info) {
  const auto& node = tensorOf(info, 0).grad_fn();
  return node ? Napi::String::New(info.Env(), node->name()) : info.Env().Null();
}

Napi::Value retainGrad(const Napi::CallbackInfo& info) {
  tensorOf(info, 0).retain_grad();
  return info.Env().Undefined();
}

}  // namespace

void exportAutograd(Napi::Env, Napi::Object exports) {
  define<backward>(exports, "backward");
  define<grad>(exports, "grad");
  define<gradOf>(exports, "gradOf");
  define<setGrad>(exports, "setGrad");
  define<gradList>(exports, "gradList");
  define<clearGrads>(exports, "clearGrads");
  define<haveGrads>(exports, "haveGrads");
  define<requiresGrad>(exports, "requiresGrad");
  define<setRequiresGrad>(exports, "setRequiresGrad");
  define<isLeaf>(exports, "isLeaf");
  define<gradFn>(exports, "gradFn");
  define<retainGrad>(exports, "retainGrad");
}

}  // namespace srrl
