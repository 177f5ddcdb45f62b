// Files that are mapped into memory and become shorter while they are read.
#pragma once

#include <napi.h>

namespace srrl {

void exportMapped(Napi::Env env, Napi::Object exports);

}  // namespace srrl
