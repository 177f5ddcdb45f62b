// What operators and kernels cost, by libtorch's own profiler (Kineto).
#pragma once

#include <napi.h>

namespace srrl {

void exportProfile(Napi::Env env, Napi::Object exports);

}  // namespace srrl
