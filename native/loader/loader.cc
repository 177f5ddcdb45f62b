// Loads the libraries of libtorch by absolute path, so that the addon needs no rpath: its references to libc10 and
// libtorch_cpu resolve to the copies that are loaded already.
#include <dlfcn.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#else
#include <link.h>
#endif
#include <napi.h>

#include <cstdlib>
#include <string>
#include <utility>

namespace {

// preload(path): throws an Error with the message of the dynamic linker.
void preload(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  // Never closed: libtorch cannot be unloaded safely.
  if (!dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    const char* reason = dlerror();
    throw Napi::Error::New(info.Env(), reason ? reason : "dlopen failed without a reason");
  }
}

// Returns the path of the loaded library with that file name; empty if there is none.
std::string loadedPath(const std::string& file) {
  const auto fits = [&](const std::string& path) { return path.ends_with("/" + file); };
#ifdef __APPLE__
  for (uint32_t i = 0; i < _dyld_image_count(); i++) {
    if (const char* path = _dyld_get_image_name(i); path && fits(path)) return path;
  }
  return {};
#else
  std::pair<decltype(fits), std::string> search{fits, {}};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        auto& [fits, found] = *static_cast<decltype(search)*>(data);
        if (info->dlpi_name && fits(info->dlpi_name)) found = info->dlpi_name;
        return found.empty() ? 0 : 1;
      },
      &search);
  return search.second;
#endif
}

Napi::Value loaded(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), loadedPath(info[0].As<Napi::String>()));
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  // Kineto, libtorch's profiler, reads this when libtorch is loaded; without it, Kineto prints its progress to the
  // terminal.
  setenv("KINETO_LOG_LEVEL", "6", 0);
  exports.Set("preload", Napi::Function::New<preload>(env, "preload"));
  exports.Set("loadedPath", Napi::Function::New<loaded>(env, "loadedPath"));
  return exports;
}

}  // namespace

NODE_API_MODULE(srrl_loader, initialize)
