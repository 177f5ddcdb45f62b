#pragma once

#include <napi.h>

namespace srrl {

void exportGraph(Napi::Env env, Napi::Object exports);

}  // namespace srrl
