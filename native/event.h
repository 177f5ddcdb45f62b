#pragma once

#include <napi.h>

namespace srrl {

void exportEvent(Napi::Env env, Napi::Object exports);

}  // namespace srrl
