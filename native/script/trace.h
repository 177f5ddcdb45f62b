// The operators that a forward pass written in JavaScript runs, as a list that JavaScript reads.
#pragma once

#include <napi.h>

namespace srrl {

// Throws where a forward pass is traced: a value that JavaScript reads would become a constant of it.
void refuseReadInTrace();

void exportTrace(Napi::Env env, Napi::Object exports);

}  // namespace srrl
