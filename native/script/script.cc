#include "script/script.h"

#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/freeze_module.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/serialization/import.h>

#include <sstream>

#include "arguments.h"
#include "convert.h"
#include "script/classifier.h"
#include "script/frozen.h"
#include "script/placement.h"

namespace srrl {

namespace {

Napi::Value hold(Napi::Env env, c10::IValue value) {
  return Napi::Number::New(env, static_cast<double>(Environment::of(env).handles.insert(std::move(value))));
}

torch::jit::Module moduleOf(const Napi::CallbackInfo& info) {
  const c10::IValue& held = Environment::of(info.Env()).handles.at(handleOf(info[0]));
  if (!held.isModule()) throw Error(kType, "expected a TorchScript module");
  return torch::jit::Module(held.toObject());
}

// Half precision is slow on the CPU, and many operators do not support it.
bool isNarrow(const torch::jit::Module& module) {
  for (const at::Tensor& parameter : module.parameters()) {
    if (parameter.is_cpu() && (parameter.scalar_type() == at::kHalf || parameter.scalar_type() == at::kBFloat16))
      return true;
  }
  return false;
}

// scriptLoad(path, device, keepHalfPrecision) => handle of a module in evaluation mode. Without keepHalfPrecision,
// half-precision weights on the CPU become float32.
Napi::Value load(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  try {
    torch::jit::Module module = torch::jit::load(path, c10::Device(info[1].As<Napi::String>().Utf8Value()));
    module.eval();
    if (!info[2].ToBoolean() && isNarrow(module)) module.to(at::kFloat);
    return hold(info.Env(), module._ivalue());
  } catch (const c10::Error& error) {
    throw Error(kFile, error.what_without_backtrace());
  } catch (const std::exception& error) {
    throw Error(kFile, error.what());
  }
}

Napi::Value tensorEntry(Napi::Env env, const std::string& name, const at::Tensor& tensor) {
  auto entry = Napi::Object::New(env);
  entry.Set("name", name);
  entry.Set("shape", numbers(env, tensor.sizes()));
  entry.Set("dtype", static_cast<int>(tensor.scalar_type()));
  return entry;
}

// scriptDescribe(module) => {type, modules: [{path, type}], parameters: [{name, shape, dtype}], buffers: [...]}
Napi::Value describe(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const torch::jit::Module module = moduleOf(info);
  const auto typeName = [](const torch::jit::Module& of) {
    const auto name = of.type()->name();
    return name ? name->name() : std::string("Module");
  };
  auto modules = Napi::Array::New(env);
  uint32_t count = 0;
  for (const auto& child : module.named_modules()) {
    if (child.name.empty()) continue;
    auto entry = Napi::Object::New(env);
    entry.Set("path", child.name);
    entry.Set("type", typeName(child.value));
    modules.Set(count++, entry);
  }
  auto parameters = Napi::Array::New(env);
  count = 0;
  for (const auto& parameter : module.named_parameters())
    parameters.Set(count++, tensorEntry(env, parameter.name, parameter.value));
  auto buffers = Napi::Array::New(env);
  count = 0;
  for (const auto& buffer : module.named_buffers()) buffers.Set(count++, tensorEntry(env, buffer.name, buffer.value));
  auto result = Napi::Object::New(env);
  result.Set("type", typeName(module));
  result.Set("modules", modules);
  result.Set("parameters", parameters);
  result.Set("buffers", buffers);
  return result;
}

Napi::Value siteEntry(Napi::Env env, const LinearSite& site) {
  auto entry = Napi::Object::New(env);
  entry.Set("path", site.path);
  entry.Set("classes", static_cast<double>(site.weight.size(0)));
  entry.Set("width", static_cast<double>(site.weight.size(1)));
  entry.Set("convolution", site.convolution);
  entry.Set("nested", site.nested);
  return entry;
}

Napi::Value siteEntries(Napi::Env env, const std::vector<LinearSite>& sites) {
  auto result = Napi::Array::New(env, sites.size());
  for (size_t i = 0; i < sites.size(); i++) result.Set(i, siteEntry(env, sites[i]));
  return result;
}

// Inputs of forward after the image must have defaults.
std::vector<c10::IValue> extraInputs(const torch::jit::Module& module) {
  const auto& arguments = module.get_method("forward").function().getSchema().arguments();
  if (arguments.size() < 2) throw Error(kFile, "its forward takes no input");
  std::vector<c10::IValue> extra;
  for (size_t i = 2; i < arguments.size(); i++) {
    if (!arguments[i].default_value())
      throw Error(kFile, "its forward needs a second input, '" + arguments[i].name() + "'");
    extra.push_back(*arguments[i].default_value());
  }
  return extra;
}

// scriptTap(module, index of a site | -1) => {sites, classifiers, obstacle, training, leadingSizes,
//   tapped: handle | null, weight, bias, site}
// The tapped network returns [logits, feature, map before the pooling | null]. -1 chooses the only classifier; `tapped`
// is null unless there is exactly one.
Napi::Value tap(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  torch::jit::Module original = moduleOf(info);
  const bool single = toSingle(original);
  const torch::jit::Module frozen = torch::jit::freeze_module(original);
  auto graph = frozen.get_method("forward").graph()->copy();
  torch::jit::Inline(*graph);
  const auto tensors = original.parameters();
  place(*graph, tensors.size() > 0 ? (*tensors.begin()).device() : c10::Device(at::kCPU), single);
  // Weights that are computed from parameters, such as the normalized ones of cosine heads, become constants.
  torch::jit::ConstantPropagation(graph);

  const std::vector<LinearSite> sites = linearSites(*graph, original);
  std::string obstacle;
  const std::vector<LinearSite> classifiers = classifierSites(*graph, sites, obstacle);
  const int64_t wanted = info[1].As<Napi::Number>().Int64Value();

  auto result = Napi::Object::New(env);
  result.Set("sites", siteEntries(env, sites));
  result.Set("classifiers", siteEntries(env, classifiers));
  result.Set("obstacle", obstacle);
  auto training = Napi::Array::New(env);
  uint32_t count = 0;
  for (const std::string& name : trainingOperators(*graph)) training.Set(count++, name);
  result.Set("training", training);
  result.Set("leadingSizes", numbers(env, leadingSizes(*graph)));
  result.Set("tapped", env.Null());

  const LinearSite* chosen = nullptr;
  if (wanted >= 0 && wanted < static_cast<int64_t>(sites.size())) chosen = &sites[wanted];
  if (wanted < 0 && classifiers.size() == 1) chosen = &classifiers[0];
  if (!chosen || !returnTap(*graph, sites, *chosen)) return result;

  result.Set("site", siteEntry(env, *chosen));
  const auto scaled = [chosen](const at::Tensor& tensor) {
    return chosen->scale == 1 ? tensor.detach().contiguous() : tensor.detach().mul(chosen->scale);
  };
  result.Set("weight", wrap(env, scaled(chosen->weight)));
  result.Set("bias", wrap(env, chosen->bias.defined() ? scaled(chosen->bias) : at::Tensor()));
  result.Set("tapped",
             holdFrozen(env, c10::make_intrusive<Frozen>(graph, c10::Stack{frozen._ivalue()}, extraInputs(frozen))));
  return result;
}

// scriptForward(module, images...) => the module's result: handles instead of tensors, tuples as arrays
Napi::Value forward(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  torch::jit::Module module = moduleOf(info);
  std::vector<c10::IValue> inputs;
  for (size_t i = 1; i < info.Length(); i++) inputs.emplace_back(tensorOf(info, i));
  return Napi::Value(env, toJs(env, Environment::of(env).handles, module.forward(std::move(inputs))));
}

// scriptBytes(module, {name: text}) => contents of a file that torch.jit.load reads, with the texts as extra files.
// Returned instead of written, because libtorch's writer ends the process if the disk is full.
Napi::Value bytes(const Napi::CallbackInfo& info) {
  const torch::jit::Module module = moduleOf(info);
  torch::jit::ExtraFilesMap extra;
  const auto texts = info[1].As<Napi::Object>();
  const auto names = texts.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); i++) {
    const std::string name = names.Get(i).As<Napi::String>();
    extra[name] = texts.Get(name).As<Napi::String>().Utf8Value();
  }
  std::ostringstream out(std::ios::binary);
  module.save(out, extra);
  const std::string written = std::move(out).str();
  return Napi::Buffer<char>::Copy(info.Env(), written.data(), written.size());
}

}  // namespace

void exportScript(Napi::Env, Napi::Object exports) {
  define<load>(exports, "scriptLoad");
  define<describe>(exports, "scriptDescribe");
  define<tap>(exports, "scriptTap");
  define<forward>(exports, "scriptForward");
  define<bytes>(exports, "scriptBytes");
}

}  // namespace srrl
