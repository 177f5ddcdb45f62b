// AOTInductor packages (.pt2): networks compiled by torch.export and Inductor. They contain machine code, which is
// executed.
#pragma once

#include <napi.h>

namespace srrl {

void exportPackage(Napi::Env env, Napi::Object exports);

}  // namespace srrl
