// TorchScript files: their contents, and a frozen classifier that also returns its penultimate feature.
#pragma once

#include <napi.h>

namespace srrl {

void exportScript(Napi::Env env, Napi::Object exports);

}  // namespace srrl
