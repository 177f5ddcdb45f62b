// What the dispatcher does not know of tensors: their life, their properties, and the bytes that go in and out.
#pragma once

#include <ATen/core/Tensor.h>
#include <napi.h>

namespace srrl {

// Whether its memory is a buffer of JavaScript's, which ends with the environment that the tensor was made in.
bool usesBuffer(const at::Tensor& tensor);

void exportTensors(Napi::Env env, Napi::Object exports);

}  // namespace srrl
