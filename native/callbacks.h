// JavaScript functions that libtorch calls: gradient hooks, and the backward pass of functions written in TypeScript.
#pragma once

#include <napi.h>

#include "environment.h"

namespace srrl {

// A JavaScript function that an autograd graph holds. The graph can be destroyed on any thread; the reference is then
// queued and deleted on the function's own thread.
class JsCallback {
 public:
  explicit JsCallback(const Napi::Function& function);
  ~JsCallback();
  JsCallback(const JsCallback&) = delete;

  // Whether the environment of the function has ended.
  bool gone() const { return life_->ended(); }
  // Throws Error(kState) on any thread but that of the environment, where Node-API must not be used, and where the
  // environment has ended.
  void requireThread() const;
  // Throws Napi::Error if the function throws.
  Napi::Value call(const std::vector<napi_value>& arguments) const;
  Napi::Env env() const { return env_; }

 private:
  napi_env env_;
  napi_ref reference_;
  std::shared_ptr<const Life> life_;
  std::shared_ptr<BufferReaper> reaper_;
};

void exportCallbacks(Napi::Env env, Napi::Object exports);

}  // namespace srrl
