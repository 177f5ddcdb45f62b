// Calls of libtorch's operators by number, with arguments in the flat form of convert.h.
#pragma once

#include <napi.h>

namespace srrl {

void exportDispatch(Napi::Env env, Napi::Object exports);

}  // namespace srrl
