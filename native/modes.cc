#include "modes.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/autocast_mode.h>

#include "arguments.h"
#include "device.h"
#include "plain.h"

namespace srrl {

namespace {

Napi::Value gradEnabled(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), at::GradMode::is_enabled());
}

// setGradEnabled(on) => the previous value
Napi::Value setGradEnabled(const Napi::CallbackInfo& info) {
  const bool before = at::GradMode::is_enabled();
  at::GradMode::set_enabled(info[0].ToBoolean());
  return Napi::Boolean::New(info.Env(), before);
}

Napi::Value pushInferenceMode(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).inferenceModes.push_back(std::make_unique<c10::InferenceMode>(info[0].ToBoolean()));
  return info.Env().Undefined();
}

Napi::Value popInferenceMode(const Napi::CallbackInfo& info) {
  auto& modes = Environment::of(info.Env()).inferenceModes;
  if (modes.empty()) throw Error(kState, "inference mode was not entered");
  modes.pop_back();
  return info.Env().Undefined();
}

// pushAutocast(deviceType, on, dtype, cache): popAutocast() restores the previous state.
Napi::Value pushAutocast(const Napi::CallbackInfo& info) {
  const c10::DeviceType device = c10::Device(info[0].As<Napi::String>().Utf8Value()).type();
  auto& saved = Environment::of(info.Env()).autocasts;
  saved.push_back({device, at::autocast::is_autocast_enabled(device), at::autocast::get_autocast_dtype(device),
                   at::autocast::is_autocast_cache_enabled()});
  at::autocast::set_autocast_enabled(device, info[1].ToBoolean());
  at::autocast::set_autocast_dtype(device, static_cast<at::ScalarType>(info[2].As<Napi::Number>().Int32Value()));
  at::autocast::set_autocast_cache_enabled(info[3].ToBoolean());
  at::autocast::increment_nesting();
  return info.Env().Undefined();
}

Napi::Value popAutocast(const Napi::CallbackInfo& info) {
  auto& saved = Environment::of(info.Env()).autocasts;
  if (saved.empty()) throw Error(kState, "autocast was not entered");
  const AutocastState before = saved.back();
  saved.pop_back();
  // The cache of casted weights must be cleared when the outermost autocast region ends; Python does this as well.
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(before.device, before.enabled);
  at::autocast::set_autocast_dtype(before.device, before.dtype);
  at::autocast::set_autocast_cache_enabled(before.cache);
  return info.Env().Undefined();
}

// manualSeed(seed): seeds the default generators of the CPU and of every accelerator.
Napi::Value manualSeed(const Napi::CallbackInfo& info) {
  bool lossless;
  at::manual_seed(info[0].As<Napi::BigInt>().Uint64Value(&lossless));
  return info.Env().Undefined();
}

// createGenerator(seed) => handle of a new CPU generator
Napi::Value createGenerator(const Napi::CallbackInfo& info) {
  bool lossless;
  at::Generator generator = at::detail::createCPUGenerator(info[0].As<Napi::BigInt>().Uint64Value(&lossless));
  return Napi::Number::New(info.Env(),
                           static_cast<double>(Environment::of(info.Env()).handles.insert(std::move(generator))));
}

// Returns a generator by handle, the default generator of a device by name, or that of the CPU for 0.
at::Generator generatorOf(const Napi::Value& value) {
  if (value.IsString()) return at::globalContext().defaultGenerator(deviceOf(value));
  if (handleOf(value) == 0) return at::globalContext().defaultGenerator(at::kCPU);
  const c10::IValue& held = Environment::of(value.Env()).handles.at(handleOf(value));
  if (!held.isGenerator()) throw Error(kType, "expected a generator");
  return held.toGenerator();
}

// generatorState(generator | device | 0) => uint8 tensor
Napi::Value generatorState(const Napi::CallbackInfo& info) {
  at::Generator generator = generatorOf(info[0]);
  const std::lock_guard<std::mutex> lock(generator.mutex());
  return wrap(info.Env(), generator.get_state());
}

// setGeneratorState(generator | device | 0, state)
Napi::Value setGeneratorState(const Napi::CallbackInfo& info) {
  at::Generator generator = generatorOf(info[0]);
  const at::Tensor state = plain(tensorOf(info, 1));
  const std::lock_guard<std::mutex> lock(generator.mutex());
  generator.set_state(state);
  return info.Env().Undefined();
}

Napi::Value generatorSeed(const Napi::CallbackInfo& info) {
  return Napi::BigInt::New(info.Env(), static_cast<uint64_t>(generatorOf(info[0]).current_seed()));
}

}  // namespace

void exportModes(Napi::Env, Napi::Object exports) {
  define<gradEnabled>(exports, "gradEnabled");
  define<setGradEnabled>(exports, "setGradEnabled");
  define<pushInferenceMode>(exports, "pushInferenceMode");
  define<popInferenceMode>(exports, "popInferenceMode");
  define<pushAutocast>(exports, "pushAutocast");
  define<popAutocast>(exports, "popAutocast");
  define<manualSeed>(exports, "manualSeed");
  define<createGenerator>(exports, "createGenerator");
  define<generatorState>(exports, "generatorState");
  define<setGeneratorState>(exports, "setGeneratorState");
  define<generatorSeed>(exports, "generatorSeed");
}

}  // namespace srrl
