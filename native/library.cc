#include "library.h"

#include <dlfcn.h>
#include <torch/library.h>

#include <mutex>

namespace srrl {

namespace {

constexpr int kMostCopies = 100;

std::string& ownNamespace() {
  static std::string name;
  return name;
}

// Node.js unloads an addon with the last worker that used it, but libtorch's tables keep pointers into it.
void stayLoaded() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&registerOperators), &info))
    dlopen(info.dli_fname, RTLD_NOW | RTLD_NODELETE | RTLD_NOLOAD);
}

// Each copy uses its own kernels, so that copies of different versions do not mix.
torch::Library* claimNamespace() {
  for (int copy = 1;; copy++) {
    const std::string name = copy == 1 ? "srrl" : "srrl_" + std::to_string(copy);
    // Early versions of this package add their operators without claiming the namespace.
    if (c10::Dispatcher::singleton().findSchema({name + "::epoch_order", ""})) continue;
    try {
      auto* library = new torch::Library(torch::Library::DEF, name, std::nullopt, __FILE__, __LINE__);
      ownNamespace() = name;
      return library;
    } catch (const c10::Error&) {
      if (copy == kMostCopies) throw;
    }
  }
}

}  // namespace

void registerOperators() {
  static std::once_flag once;
  std::call_once(once, [] {
    stayLoaded();
    // Never freed: libtorch's tables outlive everything.
    static torch::Library& library = *claimNamespace();
    for (const auto define :
         {defineAdam,        defineCollectives, defineConv3x3,    defineConvRelu, defineConvolution, defineCrossEntropy,
          defineDeviceViews, defineHead,        defineJpeg,       defineJudge,    defineKernels,     defineLanes,
          defineMaxPool,     defineNarrowed,    defineNormFrozen, defineNormRelu, defineSgd,         defineSums,
          defineSyncNorm,    defineUpload,      defineViews})
      define(library);
  });
}

std::string ownName(const std::string& name) {
  constexpr std::string_view kPrefix = "srrl::";
  return name.starts_with(kPrefix) ? ownNamespace() + "::" + name.substr(kPrefix.size()) : name;
}

}  // namespace srrl
