// Devices and threads.
#pragma once

#include <napi.h>

namespace srrl {

void exportDevice(Napi::Env env, Napi::Object exports);

}  // namespace srrl
