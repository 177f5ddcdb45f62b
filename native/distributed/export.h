// The process group, as JavaScript uses it.
#pragma once

#include <napi.h>

namespace srrl {

void exportDistributed(Napi::Env env, Napi::Object exports);

// The store of a launcher, which belongs to no group.
void exportMeeting(Napi::Env env, Napi::Object exports);

}  // namespace srrl
