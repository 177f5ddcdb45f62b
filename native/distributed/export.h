// What JavaScript can ask of the process group.
#pragma once

#include <napi.h>

namespace srrl {

void exportDistributed(Napi::Env env, Napi::Object exports);

// Of the launcher, whose store is in no group.
void exportMeeting(Napi::Env env, Napi::Object exports);

}  // namespace srrl
