// JavaScript functions that libtorch calls: hooks on gradients, and the backward pass of functions written in
// TypeScript.
#pragma once

#include <napi.h>

#include "environment.h"

namespace srrl {

// A JavaScript function that a graph holds. The graph can die on any thread; the reference is given back on its own.
class JsCallback {
 public:
  explicit JsCallback(const Napi::Function& function);
  ~JsCallback();
  JsCallback(const JsCallback&) = delete;

  // Whether its environment has ended, and the function with it.
  bool gone() const { return life_->ended(); }
  // Throws Error(kState) on any thread but its environment's, where not even a handle scope may be opened, and where
  // that environment has ended.
  void requireThread() const;
  // Throws Napi::Error where the function throws.
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
