// Promise forms of heavy calls, off JavaScript's thread, and tensors that go from one thread to another.
#pragma once

#include <napi.h>

#include <functional>

namespace srrl {

// Runs `work` on another thread under the caller's modes, and settles the promise with what `wrapUp` makes.
Napi::Value runAsync(Napi::Env env, std::function<void()> work, std::function<napi_value(Napi::Env)> wrapUp);

void exportAsync(Napi::Env env, Napi::Object exports);

}  // namespace srrl
