// Records the operators that a forward pass written in JavaScript runs.
#pragma once

#include <napi.h>

namespace srrl {

// Throws if a forward pass is being traced: a value that JavaScript reads would become a constant of the graph.
void refuseReadInTrace();

void exportTrace(Napi::Env env, Napi::Object exports);

}  // namespace srrl
