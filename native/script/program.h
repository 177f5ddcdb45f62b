// Builds TorchScript modules from the operator calls of programs that torch.export wrote.
#pragma once

#include <napi.h>

namespace srrl {

void exportProgram(Napi::Env env, Napi::Object exports);

}  // namespace srrl
