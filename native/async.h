// Promise forms of heavy calls, off JavaScript's thread, and tensors that go from one thread to another.
#pragma once

#include <napi.h>

namespace srrl {

void exportAsync(Napi::Env env, Napi::Object exports);

}  // namespace srrl
