#pragma once

#include <napi.h>

namespace srrl {

void exportKernels(Napi::Env env, Napi::Object exports);

}  // namespace srrl
