// Backward passes, gradients and the flags of tensors that autograd reads.
#pragma once

#include <napi.h>

namespace srrl {

void exportAutograd(Napi::Env env, Napi::Object exports);

}  // namespace srrl
