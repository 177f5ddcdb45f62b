// The operators that a forward pass written in JavaScript runs, as a list that JavaScript reads.
#pragma once

#include <napi.h>

namespace srrl {

void exportTrace(Napi::Env env, Napi::Object exports);

}  // namespace srrl
