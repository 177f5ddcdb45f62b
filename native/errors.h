// Native errors reach JavaScript as one Error with a kind and never contain a C++ backtrace.
#pragma once

#include <napi.h>

#include <stdexcept>
#include <string>

#include "messages.h"

namespace srrl {

// The kinds that src/native.ts maps to classes.
inline constexpr char kType[] = "type";                // a value of the wrong kind
inline constexpr char kShape[] = "shape";              // incompatible sizes
inline constexpr char kIndex[] = "index";              // an index that is out of range
inline constexpr char kDisposed[] = "disposed";        // used after dispose() or outside its scope
inline constexpr char kState[] = "state";              // a call at the wrong time
inline constexpr char kFile[] = "file";                // a file that is not what it should be
inline constexpr char kMemory[] = "memory";            // out of memory
inline constexpr char kDistributed[] = "distributed";  // a rank that failed, or ranks that cannot connect
inline constexpr char kTorch[] = "torch";              // any other error of libtorch

class Error : public std::runtime_error {
 public:
  Error(const char* kind, const std::string& message) : std::runtime_error(message), kind(kind) {}
  const char* kind;
};

// Turns the exception that is being handled into a pending JavaScript exception. Call it only inside a catch block.
// `context` is the name of the operator or function; it is prefixed to the message.
void throwCurrent(Napi::Env env, const char* context) noexcept;

// Wraps a function for export, so that C++ exceptions do not cross Node-API.
template <Napi::Value (*function)(const Napi::CallbackInfo&)>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  try {
    return function(info);
  } catch (...) {
    throwCurrent(info.Env(), nullptr);
    return Napi::Value();
  }
}

}  // namespace srrl
