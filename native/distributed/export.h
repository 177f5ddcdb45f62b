// What JavaScript can ask of the process group.
#pragma once

#include <napi.h>

namespace srrl {

void exportDistributed(Napi::Env env, Napi::Object exports);

}  // namespace srrl
