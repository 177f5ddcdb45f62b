// What the dispatcher does not know of tensors: their life, their properties, and the bytes that go in and out.
#pragma once

#include <napi.h>

namespace srrl {

void exportTensors(Napi::Env env, Napi::Object exports);

}  // namespace srrl
