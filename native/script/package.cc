#include "script/package.h"

#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include "arguments.h"
#include "plain.h"

namespace srrl {

namespace {

struct Package : torch::CustomClassHolder {
  explicit Package(const std::string& path) : loader(path) {}
  torch::inductor::AOTIModelPackageLoader loader;
};

c10::intrusive_ptr<Package> packageOf(const Napi::CallbackInfo& info) {
  return capsuleOf<Package>(info, 0, "an AOTInductor package");
}

// packageLoad(path) => handle
Napi::Value load(const Napi::CallbackInfo& info) {
  try {
    auto package = c10::make_intrusive<Package>(info[0].As<Napi::String>().Utf8Value());
    auto& handles = Environment::of(info.Env()).handles;
    return Napi::Number::New(info.Env(),
                             static_cast<double>(handles.insert(c10::IValue::make_capsule(std::move(package)))));
  } catch (const c10::Error& error) {
    throw Error(kFile, error.what_without_backtrace());
  } catch (const std::exception& error) {
    throw Error(kFile, error.what());
  }
}

// packageConstants(package) => [{name, tensor: handle}], the weights by their names in the module
Napi::Value constants(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto package = packageOf(info);
  auto result = Napi::Array::New(env);
  uint32_t count = 0;
  for (const auto& [name, tensor] : package->loader.get_runner()->extract_constants_map(false)) {
    auto entry = Napi::Object::New(env);
    entry.Set("name", name);
    entry.Set("tensor", wrap(env, tensor.clone()));
    result.Set(count++, entry);
  }
  return result;
}

// packageRun(package, images) => handles of its results. No gradient.
Napi::Value run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const at::NoGradGuard noGrad;
  const auto outputs = packageOf(info)->loader.run({plain(tensorOf(info, 1))});
  auto result = Napi::Array::New(env, outputs.size());
  for (size_t i = 0; i < outputs.size(); i++) result.Set(i, wrap(env, outputs[i]));
  return result;
}

}  // namespace

void exportPackage(Napi::Env, Napi::Object exports) {
  define<load>(exports, "packageLoad");
  define<constants>(exports, "packageConstants");
  define<run>(exports, "packageRun");
}

}  // namespace srrl
