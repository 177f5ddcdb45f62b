// Profiles operators and kernels with libtorch's profiler, Kineto.
#pragma once

#include <napi.h>

namespace srrl {

void exportProfile(Napi::Env env, Napi::Object exports);

}  // namespace srrl
