// Modes of the calling thread (gradients, inference, autocast) and the state of random generators.
#pragma once

#include <napi.h>

namespace srrl {

void exportModes(Napi::Env env, Napi::Object exports);

}  // namespace srrl
