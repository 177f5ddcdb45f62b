// What the dispatcher does not cover: lifetime and properties of tensors, and conversion from and to bytes.
#pragma once

#include <ATen/core/Tensor.h>
#include <napi.h>

namespace srrl {

// Whether the tensor uses the memory of a JavaScript buffer, which is freed with the environment that made the tensor.
bool usesBuffer(const at::Tensor& tensor);

void exportTensors(Napi::Env env, Napi::Object exports);

}  // namespace srrl
