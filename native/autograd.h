// Gradients and the modes that switch them.
#pragma once

#include <napi.h>

namespace srrl {

void exportAutograd(Napi::Env env, Napi::Object exports);

}  // namespace srrl
