#pragma once

#include <napi.h>

namespace srrl {

void exportFlops(Napi::Env env, Napi::Object exports);

}  // namespace srrl
