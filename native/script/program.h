// TorchScript modules from lists of operator calls, as the exported programs of torch.export hold them.
#pragma once

#include <napi.h>

namespace srrl {

void exportProgram(Napi::Env env, Napi::Object exports);

}  // namespace srrl
