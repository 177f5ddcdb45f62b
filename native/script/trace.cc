#include "script/trace.h"

#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include <unordered_map>
#include <unordered_set>

#include "arguments.h"
#include "script/graph.h"

namespace srrl {

namespace tracer = torch::jit::tracer;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

namespace {

// Where in the model each operator was called, as a number that JavaScript assigns. Null unless this thread is tracing.
struct Places {
  Napi::Function ask;
  std::unordered_map<const Node*, double> of;
};
thread_local Places* places = nullptr;

void recordPlace(Node* node) {
  if (!places || node->kind() == torch::jit::prim::Constant) return;
  places->of[node] = places->ask.Call({}).ToNumber().DoubleValue();
}

// Ends the trace even if the forward pass throws, because libtorch's tracing state belongs to the thread.
struct Tracing {
  Tracing(std::shared_ptr<tracer::TracingState> state, Places* of) {
    if (tracer::isTracing()) throw Error(kState, "a forward pass is being traced already");
    places = of;
    tracer::setRecordSourceLocation(recordPlace);
    tracer::setTracingState(std::move(state));
  }
  ~Tracing() {
    tracer::setTracingState(nullptr);
    places = nullptr;
  }
};

template <typename Items>
Napi::Array arrayOf(Napi::Env env, const Items& items) {
  auto result = Napi::Array::New(env, items.size());
  for (uint32_t i = 0; i < items.size(); i++) result.Set(i, items[i]);
  return result;
}

class Writer {
 public:
  Writer(Napi::Env env, const Places& places) : env_(env), places_(places) {}

  void name(const Value* value, const std::string& name) {
    names_[value] = name;
    used_.insert(name);
  }

  Napi::Value write(Graph& graph) {
    for (Node* node : graph.nodes()) {
      const Napi::HandleScope scope(env_);
      if (node->kind() == torch::jit::prim::Constant || node->kind() == torch::jit::prim::ListConstruct ||
          node->kind() == torch::jit::prim::ListUnpack)
        continue;
      nodes_.Set(nodes_.Length(), call(node));
    }
    auto outputs = Napi::Array::New(env_);
    for (const Value* output : graph.outputs()) outputs.Set(outputs.Length(), nameOf(output));
    auto result = Napi::Object::New(env_);
    result.Set("nodes", nodes_);
    result.Set("values", values_);
    result.Set("constants", constants_);
    result.Set("outputs", outputs);
    return result;
  }

 private:
  Napi::Object call(Node* node) {
    auto entry = Napi::Object::New(env_);
    const torch::jit::Operator* op = node->maybeOperator();
    const std::string name = node->kind().toQualString();
    entry.Set("op", name);
    entry.Set("overload", op ? op->schema().overload_name() : std::string());
    auto inputs = Napi::Array::New(env_);
    for (size_t i = 0; i < node->inputs().size(); i++) {
      auto input = Napi::Object::New(env_);
      input.Set("name",
                op && i < op->schema().arguments().size() ? op->schema().arguments()[i].name() : std::to_string(i));
      input.Set("value", operand(node->input(i)));
      inputs.Set(inputs.Length(), input);
    }
    entry.Set("inputs", inputs);
    const auto place = places_.of.find(node);
    entry.Set("place", place == places_.of.end() ? -1.0 : place->second);
    auto outputs = Napi::Array::New(env_);
    for (Value* output : node->outputs()) outputs.Set(outputs.Length(), result(output, baseOf(node)));
    entry.Set("outputs", outputs);
    return entry;
  }

  // Without leading underscores: the tracer turns every convolution into `_convolution`.
  static std::string baseOf(const Node* node) {
    const std::string name = node->kind().toUnqualString();
    return name.substr(name.find_first_not_of('_'));
  }

  // Returns the name of a result; for a list of tensors, the names of its items. null means unused.
  Napi::Value result(Value* output, const std::string& base) {
    if (output->uses().empty()) return env_.Null();
    if (output->type()->kind() != c10::TypeKind::ListType) return Napi::String::New(env_, named(output, base));
    auto list = Napi::Array::New(env_);
    Node* user = output->uses()[0].user;
    if (output->uses().size() != 1 || user->kind() != torch::jit::prim::ListUnpack)
      throw Error(kState, "a list of tensors is used as a whole");
    for (Value* item : user->outputs())
      list.Set(list.Length(),
               item->uses().empty() ? env_.Null() : Napi::Value(Napi::String::New(env_, named(item, base))));
    return list;
  }

  std::string named(Value* value, const std::string& base) {
    const std::string fresh = unused(base);
    name(value, fresh);
    auto entry = Napi::Object::New(env_);
    entry.Set("name", fresh);
    const auto type = value->type()->cast<c10::TensorType>();
    const auto sizes = type ? type->sizes().concrete_sizes() : std::nullopt;
    entry.Set("shape", sizes ? numbers(env_, *sizes) : env_.Null());
    entry.Set("dtype", type && type->scalarType()
                           ? Napi::Value(Napi::Number::New(env_, static_cast<int>(*type->scalarType())))
                           : env_.Null());
    values_.Set(values_.Length(), entry);
    return fresh;
  }

  // Returns conv2d_1, conv2d_2, ...: the same model gives the same names and so the same file.
  std::string unused(const std::string& base) {
    std::string candidate;
    do candidate = base + "_" + std::to_string(++counts_[base]);
    while (used_.contains(candidate));
    return candidate;
  }

  Napi::String nameOf(const Value* value) {
    const auto found = names_.find(value);
    if (found == names_.end()) throw Error(kState, "a value is used before it is made");
    return Napi::String::New(env_, found->second);
  }

  Napi::Object of(const char* kind, Napi::Value value) {
    auto entry = Napi::Object::New(env_);
    entry.Set("kind", kind);
    entry.Set("value", value);
    return entry;
  }

  Napi::Object operand(const Value* value) {
    if (names_.contains(value)) return of("name", nameOf(value));
    if (const auto constant = torch::jit::toIValue(value)) return this->constant(value, *constant);
    if (value->node()->kind() != torch::jit::prim::ListConstruct)
      throw Error(kState, std::string("a value of ") + value->node()->kind().toQualString() + " cannot be written");
    return list(value);
  }

  // A list of constants if all items are; otherwise of names and integers.
  Napi::Object list(const Value* value) {
    auto items = Napi::Array::New(env_);
    bool constant = true;
    for (const Value* item : value->node()->inputs()) {
      const Napi::Object entry = operand(item);
      constant = constant && !isAnyOf(entry, {"name", "none"});
      items.Set(items.Length(), entry.Get("value"));
    }
    const auto element = value->type()->expectRef<c10::ListType>().getElementType()->kind();
    if (!constant || element == c10::TypeKind::TensorType) return of("names", items);
    return of(element == c10::TypeKind::FloatType  ? "floats"
              : element == c10::TypeKind::BoolType ? "bools"
                                                   : "ints",
              items);
  }

  static bool isAnyOf(const Napi::Object& entry, std::initializer_list<const char*> kinds) {
    const std::string kind = entry.Get("kind").As<Napi::String>();
    return std::any_of(kinds.begin(), kinds.end(), [&](const char* candidate) { return kind == candidate; });
  }

  Napi::Object constant(const Value* value, const c10::IValue& held) {
    if (held.isNone()) return of("none", env_.Null());
    if (held.isBool()) return of("bool", Napi::Boolean::New(env_, held.toBool()));
    if (held.isInt()) return of("int", Napi::Number::New(env_, static_cast<double>(held.toInt())));
    if (held.isDouble()) return of("float", Napi::Number::New(env_, held.toDouble()));
    if (held.isString()) return of("string", Napi::String::New(env_, held.toStringRef()));
    if (held.isDevice()) return of("device", Napi::String::New(env_, held.toDevice().str()));
    if (held.isIntList()) return of("ints", numbers(env_, held.toIntVector()));
    if (held.isDoubleList()) return of("floats", numbers(env_, held.toDoubleVector()));
    if (held.isBoolList()) {
      std::vector<Napi::Value> items;
      for (const bool item : held.toBoolList()) items.push_back(Napi::Boolean::New(env_, item));
      return of("bools", arrayOf(env_, items));
    }
    if (held.isTensor()) return tensor(value, held.toTensor());
    throw Error(kState, "a constant of type " + held.tagKind() + " cannot be written");
  }

  // A number that was passed as a tensor stays a number and does not take part in dtype promotion.
  Napi::Object tensor(const Value* value, const at::Tensor& tensor) {
    if (tensor.unsafeGetTensorImpl()->is_wrapped_number()) {
      const at::Scalar number = tensor.item();
      if (number.isBoolean()) return of("bool", Napi::Boolean::New(env_, number.toBool()));
      return of(number.isFloatingPoint() ? "float" : "int", Napi::Number::New(env_, number.toDouble()));
    }
    const std::string fresh = unused("constant");
    name(value, fresh);
    auto entry = Napi::Object::New(env_);
    entry.Set("name", fresh);
    entry.Set("tensor", wrap(env_, tensor));
    constants_.Set(constants_.Length(), entry);
    return of("name", Napi::String::New(env_, fresh));
  }

  Napi::Env env_;
  const Places& places_;
  std::unordered_map<const Value*, std::string> names_;
  std::unordered_set<std::string> used_;
  std::unordered_map<std::string, int> counts_;
  Napi::Array nodes_ = Napi::Array::New(env_);
  Napi::Array values_ = Napi::Array::New(env_);
  Napi::Array constants_ = Napi::Array::New(env_);
};

// A value that JavaScript reads would become a constant of the graph, independent of the images.
void refuseReadValues(Graph& graph, Napi::Env env, const Places& places, const Napi::Function& refuse) {
  for (Node* node : graph.nodes()) {
    if (!isAny(node, {"aten::item", "aten::_local_scalar_dense", "aten::is_nonzero", "aten::equal", "aten::allclose"}))
      continue;
    const auto place = places.of.find(node);
    refuse.Call({Napi::String::New(env, node->kind().toQualString()),
                 Napi::Number::New(env, place == places.of.end() ? -1 : place->second)});
  }
}

// graphTrace(images, [{path, tensor}], forward: handle => handle, place: () => number,
//   refuse: (operator, place) => never) => RawGraph of src/native-types.ts
// In-place operators are recorded as those that return a new tensor.
Napi::Value trace(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const at::Tensor images = tensorOf(info, 0);
  const auto attributes = info[1].As<Napi::Array>();
  const at::NoGradGuard noGrad;
  Places recorded{info[3].As<Napi::Function>(), {}};
  auto state = std::make_shared<tracer::TracingState>();
  state->graph = std::make_shared<Graph>();
  state->force_outplace = true;
  state->warn = false;
  state->enterFrame();
  Writer writer(env, recorded);
  const auto bind = [&](const at::Tensor& tensor, const std::string& name) {
    Value* value = state->graph->addInput();
    value->inferTypeFrom(tensor);
    state->setValue(tensor, value);
    writer.name(value, name);
  };
  for (uint32_t i = 0; i < attributes.Length(); i++) {
    const auto entry = attributes.Get(i).As<Napi::Object>();
    bind(Environment::of(env).handles.tensor(handleOf(entry.Get("tensor"))), entry.Get("path").As<Napi::String>());
  }
  bind(images, "images");
  {
    const Tracing tracing(state, &recorded);
    const Napi::Value output = info[2].As<Napi::Function>().Call({info[0]});
    const at::Tensor result = Environment::of(env).handles.tensor(handleOf(output));
    state->graph->registerOutput(state->getOutput(result, 0));
  }
  refuseReadValues(*state->graph, env, recorded, info[4].As<Napi::Function>());
  torch::jit::EliminateDeadCode(state->graph);
  return writer.write(*state->graph);
}

}  // namespace

void refuseReadInTrace() {
  if (places) throw Error(kState, "the values of a tensor are read in JavaScript");
}

void exportTrace(Napi::Env, Napi::Object exports) { define<trace>(exports, "graphTrace"); }

}  // namespace srrl
