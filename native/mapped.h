// Guards memory-mapped files against truncation by another process while they are read.
#pragma once

#include <napi.h>

namespace srrl {

void exportMapped(Napi::Env env, Napi::Object exports);

}  // namespace srrl
