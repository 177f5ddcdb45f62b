// AOTInductor packages (.pt2): networks that torch.export and Inductor have compiled. They hold machine code, which is
// run.
#pragma once

#include <napi.h>

namespace srrl {

void exportPackage(Napi::Env env, Napi::Object exports);

}  // namespace srrl
