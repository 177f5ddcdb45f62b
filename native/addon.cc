// Entry of the addon: registers what JavaScript can call. Each environment has its own Environment.
#include <napi.h>

#include "arguments.h"
#include "async.h"
#include "autograd.h"
#include "callbacks.h"
#include "device.h"
#include "dispatch.h"
#include "distributed/export.h"
#include "environment.h"
#include "event.h"
#include "flops.h"
#include "gradients.h"
#include "graph.h"
#include "kernels/export.h"
#include "library.h"
#include "limit.h"
#include "mapped.h"
#include "modes.h"
#include "profile.h"
#include "script/frozen.h"
#include "script/package.h"
#include "script/program.h"
#include "script/script.h"
#include "script/trace.h"
#include "tensors.h"

namespace srrl {

namespace {

// setErrorFactory((kind, message) => Error), called once by src/native.ts
void setErrorFactory(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).makeError = Napi::Persistent(info[0].As<Napi::Function>());
}

// cleanMessage(text) => a message of libtorch without backtraces and advice
Napi::Value cleanMessage(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), withoutAdvice(info[0].As<Napi::String>().Utf8Value()));
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  try {
    registerOperators();
  } catch (const std::exception& error) {
    throw Napi::Error::New(env, std::string("its operators cannot be registered: ") + error.what());
  }
  heedMemoryLimit();
  env.SetInstanceData(new Environment());
  exports.Set("libtorchVersion", SRRL_LIBTORCH_VERSION);
  exports.Set("setErrorFactory", Napi::Function::New<setErrorFactory>(env, "setErrorFactory"));
  define<cleanMessage>(exports, "cleanMessage");
  exportDispatch(env, exports);
  exportTensors(env, exports);
  exportAutograd(env, exports);
  exportCallbacks(env, exports);
  exportModes(env, exports);
  exportAsync(env, exports);
  exportDevice(env, exports);
  exportDistributed(env, exports);
  exportMeeting(env, exports);
  exportEvent(env, exports);
  exportFlops(env, exports);
  exportGradients(env, exports);
  exportGraph(env, exports);
  exportKernels(env, exports);
  exportMapped(env, exports);
  exportProfile(env, exports);
  exportScript(env, exports);
  exportFrozen(env, exports);
  exportPackage(env, exports);
  exportProgram(env, exports);
  exportTrace(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(srrl_torch, initialize)

}  // namespace srrl
