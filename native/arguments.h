// Helpers that read the arguments of exported functions and wrap their results. The hot path is in dispatch.cc.
#pragma once

#include <napi.h>

#include "environment.h"
#include "errors.h"

namespace srrl {

inline Handle handleOf(const Napi::Value& value) {
  if (!value.IsNumber()) throw Error(kType, "expected a handle");
  return toHandle(value.As<Napi::Number>().DoubleValue());
}

inline const at::Tensor& tensorOf(const Napi::CallbackInfo& info, size_t index) {
  return Environment::of(info.Env()).handles.tensor(handleOf(info[index]));
}

inline std::vector<Handle> handlesOf(const Napi::Value& value) {
  if (!value.IsArray()) throw Error(kType, "expected an array of handles");
  const auto array = value.As<Napi::Array>();
  std::vector<Handle> handles(array.Length());
  for (size_t i = 0; i < handles.size(); i++) handles[i] = handleOf(array.Get(i));
  return handles;
}

inline std::vector<at::Tensor> tensorsOf(const Napi::Value& value) {
  auto& table = Environment::of(value.Env()).handles;
  std::vector<at::Tensor> tensors;
  for (Handle handle : handlesOf(value)) tensors.push_back(table.tensor(handle));
  return tensors;
}

// Returns a native object, such as a graph, that JavaScript holds by handle. `what` names its type for the error
// message.
template <typename Held>
c10::intrusive_ptr<Held> capsuleOf(const Napi::CallbackInfo& info, size_t index, const char* what) {
  const c10::IValue& value = Environment::of(info.Env()).handles.at(handleOf(info[index]));
  auto* held = value.isCapsule() ? dynamic_cast<Held*>(value.toCapsule().get()) : nullptr;
  if (!held) throw Error(kType, std::string("expected ") + what);
  return c10::intrusive_ptr<Held>::reclaim_copy(held);
}

inline Napi::Value wrap(Napi::Env env, at::Tensor tensor) {
  if (!tensor.defined()) return env.Null();
  return Napi::Number::New(env, static_cast<double>(Environment::of(env).handles.insert(std::move(tensor))));
}

template <typename Items>
Napi::Value numbers(Napi::Env env, const Items& items) {
  auto result = Napi::Array::New(env, items.size());
  for (size_t i = 0; i < items.size(); i++) result.Set(i, static_cast<double>(items[i]));
  return result;
}

template <Napi::Value (*function)(const Napi::CallbackInfo&)>
void define(Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<guarded<function>>(exports.Env(), name));
}

}  // namespace srrl
