// Promise forms of slow calls, which run off the JavaScript thread, and the transfer of tensors between threads.
#pragma once

#include <napi.h>

#include <functional>

namespace srrl {

// Runs `work` on another thread under the caller's modes, and resolves the promise with the result of `wrapUp`.
Napi::Value runAsync(Napi::Env env, std::function<void()> work, std::function<napi_value(Napi::Env)> wrapUp);

void exportAsync(Napi::Env env, Napi::Object exports);

}  // namespace srrl
