// TorchScript files: what is in them, and a frozen classifier whose penultimate feature is handed out.
#pragma once

#include <napi.h>

namespace srrl {

void exportScript(Napi::Env env, Napi::Object exports);

}  // namespace srrl
