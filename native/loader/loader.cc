// Loads the libraries of libtorch by absolute path, so that the addon itself needs no rpath: whatever asks for
// libc10 or libtorch_cpu afterwards is given the copy that is already in the process.
#include <dlfcn.h>
#include <napi.h>

#include <cstdlib>
#include <string>

namespace {

// preload(path): throws an Error with the dynamic linker's own words.
void preload(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  // Never closed: libtorch's static state cannot be unloaded safely.
  if (!dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    const char* reason = dlerror();
    throw Napi::Error::New(info.Env(), reason ? reason : "dlopen failed without a reason");
  }
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  // Kineto, libtorch's profiler, reads this once, when libtorch is loaded, and otherwise prints its progress on the user's terminal.
  setenv("KINETO_LOG_LEVEL", "6", 0);
  exports.Set("preload", Napi::Function::New<preload>(env, "preload"));
  return exports;
}

}  // namespace

NODE_API_MODULE(srrl_loader, initialize)
