#include "script/program.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/schema_matching.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/runtime/operator.h>

#include <cmath>
#include <limits>
#include <unordered_map>

#include "arguments.h"

namespace srrl {

using torch::jit::Graph;
using torch::jit::NamedValue;
using torch::jit::Node;
using torch::jit::Value;

namespace {

std::string text(const Napi::Value& value) {
  if (!value.IsString()) throw Error(kFile, "expected a string");
  return value.As<Napi::String>();
}

double number(const Napi::Value& value) {
  if (!value.IsNumber()) throw Error(kFile, "expected a number");
  return value.As<Napi::Number>();
}

// Programs use the largest int64 for "to the end"; as a JavaScript number it is 2^63.
int64_t integer(const Napi::Value& value) {
  const double wide = number(value);
  if (std::isnan(wide)) throw Error(kFile, "expected an integer");
  if (wide >= 0x1p63) return std::numeric_limits<int64_t>::max();
  if (wide <= -0x1p63) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(wide);
}

Napi::Array list(const Napi::Value& value) {
  if (!value.IsArray()) throw Error(kFile, "expected a list");
  return value.As<Napi::Array>();
}

// Whether an operator is no part of a network's arithmetic, or accesses files or memory outside of its tensors.
bool isForbidden(const std::string& name) {
  return name.rfind("aten::", 0) != 0 || name == "aten::from_file" || name.rfind("aten::set_", 0) == 0 ||
         name.rfind("aten::resize", 0) == 0 || name.rfind("aten::_resize", 0) == 0;
}

c10::TypePtr elementOf(c10::TypePtr type) {
  if (const auto optional = type->cast<c10::OptionalType>()) type = optional->getElementType();
  const auto of = type->cast<c10::ListType>();
  return of ? of->getElementType() : nullptr;
}

bool takesTensor(const c10::Argument& argument) {
  auto type = argument.type();
  if (const auto optional = type->cast<c10::OptionalType>()) type = optional->getElementType();
  return type->kind() == c10::TypeKind::TensorType;
}

class Builder {
 public:
  explicit Builder(const Napi::Object& program)
      : program_(program), graph_(std::make_shared<Graph>()), unit_(std::make_shared<torch::jit::CompilationUnit>()) {}

  torch::jit::Module module() {
    makeModules();
    readAttributes();
    values_[text(program_.Get("input"))] = graph_->addInput("images");
    const auto nodes = list(program_.Get("nodes"));
    for (uint32_t i = 0; i < nodes.Length(); i++) {
      const Napi::HandleScope scope(program_.Env());
      Node* before = graph_->return_node()->prev();
      try {
        const auto node = nodes.Get(i).As<Napi::Object>();
        call(node);
        if (node.Get("source").IsString()) nameSource(before, text(node.Get("source")));
      } catch (const Napi::Error&) {
        throw;
      } catch (const c10::Error& error) {
        throw Error(kFile, "#" + std::to_string(i) + ": " + error.what_without_backtrace());
      } catch (const std::exception& error) {
        throw Error(kFile, "#" + std::to_string(i) + ": " + error.what());
      }
    }
    returnOutputs();
    // Removes sizes that only checks used.
    torch::jit::EliminateDeadCode(graph_);
    graph_->lint();
    torch::jit::Module& root = modules_.at("");
    root.type()->addMethod(unit_->create_function(c10::QualifiedName(*root.type()->name(), "forward"), graph_));
    return root;
  }

 private:
  // Parents come before their children.
  void makeModules() {
    const auto modules = list(program_.Get("modules"));
    for (uint32_t i = 0; i < modules.Length(); i++) {
      const auto entry = modules.Get(i).As<Napi::Object>();
      const std::string path = text(entry.Get("path"));
      torch::jit::Module made(c10::QualifiedName("__torch__." + text(entry.Get("type"))), unit_, true);
      if (!path.empty()) {
        const auto dot = path.rfind('.');
        parentOf(path).register_module(dot == std::string::npos ? path : path.substr(dot + 1), made);
      }
      // eval() of a Python module sets this attribute, so it must exist.
      made.register_attribute("training", c10::BoolType::get(), false);
      modules_.emplace(path, made);
    }
    self_ = graph_->addInput("self");
    self_->setType(modules_.at("").type());
  }

  torch::jit::Module& parentOf(const std::string& path) {
    const auto dot = path.rfind('.');
    return modules_.at(dot == std::string::npos ? "" : path.substr(0, dot));
  }

  // Reads all attributes at the start of the graph; unused ones are removed later.
  void readAttributes() {
    const auto attributes = list(program_.Get("attributes"));
    std::unordered_map<std::string, Value*> owners;
    owners[""] = self_;
    const std::function<Value*(const std::string&)> owner = [&](const std::string& path) -> Value* {
      if (const auto known = owners.find(path); known != owners.end()) return known->second;
      const auto dot = path.rfind('.');
      Value* outer = owner(dot == std::string::npos ? "" : path.substr(0, dot));
      return owners[path] = graph_->insertGetAttr(outer, dot == std::string::npos ? path : path.substr(dot + 1));
    };
    auto& handles = Environment::of(program_.Env()).handles;
    // The module's type must be complete before its attributes are read.
    for (uint32_t i = 0; i < attributes.Length(); i++) {
      const auto entry = attributes.Get(i).As<Napi::Object>();
      const std::string path = text(entry.Get("path"));
      const auto dot = path.rfind('.');
      const bool isParameter = entry.Get("parameter").ToBoolean();
      const at::Tensor tensor = handles.tensor(handleOf(entry.Get("tensor")));
      const std::string name = dot == std::string::npos ? path : path.substr(dot + 1);
      if (parentOf(path).hasattr(name)) throw Error(kFile, "'" + path + "' is the path of two attributes");
      parentOf(path).register_parameter(name, tensor, !isParameter);
    }
    for (uint32_t i = 0; i < attributes.Length(); i++) {
      const auto entry = attributes.Get(i).As<Napi::Object>();
      const std::string path = text(entry.Get("path"));
      const auto dot = path.rfind('.');
      Value* from = owner(dot == std::string::npos ? "" : path.substr(0, dot));
      bindOnce(text(entry.Get("value")),
               graph_->insertGetAttr(from, dot == std::string::npos ? path : path.substr(dot + 1)));
    }
  }

  void bindOnce(const std::string& name, Value* value) {
    if (!values_.emplace(name, value).second) throw Error(kFile, "'" + name + "' is defined twice");
  }

  Value* valueOf(const std::string& name) {
    const auto found = values_.find(name);
    if (found == values_.end()) throw Error(kFile, "'" + name + "' is used before it is defined");
    return found->second;
  }

  void call(const Napi::Object& node) {
    const std::string name = text(node.Get("operator"));
    const auto inputs = list(node.Get("inputs"));
    const auto overload = node.Get("overload");
    std::vector<Value*> results;
    if (overload.IsNull())
      results = {arithmetic(name, inputs)};
    else
      results = overloaded(name, text(overload), inputs);
    const auto outputs = list(node.Get("outputs"));
    if (outputs.Length() > results.size())
      throw Error(kFile, "it has " + std::to_string(outputs.Length()) + " results in the program, and " +
                             std::to_string(results.size()) + " in PyTorch");
    for (uint32_t i = 0; i < outputs.Length(); i++) {
      const auto output = outputs.Get(i);
      if (output.IsArray())
        unpack(results[i], output.As<Napi::Array>());
      else if (!output.IsNull())
        bindResult(text(output), results[i]);
    }
  }

  // Errors of the interpreter show this source.
  void nameSource(Node* before, const std::string& source) {
    const torch::jit::SourceRange range(std::make_shared<torch::jit::Source>(source), 0, source.size());
    for (Node* made = before->next(); made != graph_->return_node(); made = made->next()) made->setSourceRange(range);
  }

  void bindResult(const std::string& name, Value* value) {
    const auto kind = value->type()->kind();
    if (kind != c10::TypeKind::TensorType && kind != c10::TypeKind::IntType && kind != c10::TypeKind::FloatType &&
        kind != c10::TypeKind::BoolType)
      throw Error(kFile, "its result '" + name + "' is " + value->type()->str() +
                             " in PyTorch, and one tensor or number in the program");
    bindOnce(name, value);
  }

  void unpack(Value* value, const Napi::Array& names) {
    const auto of = value->type()->cast<c10::ListType>();
    if (!of || of->getElementType()->kind() != c10::TypeKind::TensorType)
      throw Error(kFile, "its result is a list of tensors in the program, and " + value->type()->str() + " in PyTorch");
    Node* unpacked = graph_->insertNode(graph_->createListUnpack(value, names.Length()));
    for (uint32_t i = 0; i < names.Length(); i++) {
      if (!names.Get(i).IsNull()) bindOnce(text(names.Get(i)), unpacked->outputs()[i]);
    }
  }

  // Arithmetic on sizes; the operands determine the overload.
  Value* arithmetic(const std::string& name, const Napi::Array& inputs) {
    std::vector<NamedValue> operands;
    for (uint32_t i = 0; i < inputs.Length(); i++)
      operands.push_back(argument("", inputs.Get(i).As<Napi::Object>().Get("value").As<Napi::Object>(), nullptr));
    return graph_->insert(c10::Symbol::fromQualString(name), operands);
  }

  static const torch::jit::Operator* find(const std::string& name, const std::string& overload) {
    if (isForbidden(name)) return nullptr;
    for (const auto& candidate : torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString(name))) {
      if (candidate->schema().overload_name() == overload) return candidate.get();
    }
    return nullptr;
  }

  std::vector<Value*> overloaded(const std::string& name, std::string overload, const Napi::Array& inputs) {
    const torch::jit::Operator* op = find(name, overload);
    if (!op) throw Error(kFile, "libtorch has no such operator, or a network may not use it");
    if (hasNumberForTensor(*op, inputs)) {
      const auto place = overload.find("Tensor");
      std::string scalar = overload;
      if (place != std::string::npos) scalar.replace(place, 6, "Scalar");
      if (const auto* other = find(name, scalar);
          other && place != std::string::npos && !hasNumberForTensor(*other, inputs))
        op = other;
    }
    const auto& schema = op->schema();
    std::vector<NamedValue> arguments;
    for (uint32_t i = 0; i < inputs.Length(); i++) {
      const auto input = inputs.Get(i).As<Napi::Object>();
      const std::string of = text(input.Get("name"));
      const auto position = schema.argumentIndexWithName(of);
      if (!position) throw Error(kFile, "it has no argument '" + of + "'");
      arguments.push_back(argument(of, input.Get("value").As<Napi::Object>(), &schema.arguments()[*position]));
    }
    const auto matched = torch::jit::matchSchema(schema, torch::jit::SourceRange(), *graph_, {}, arguments);
    Node* node = graph_->insertNode(graph_->create(c10::Symbol::fromQualString(name), matched.inputs, 0));
    // By the schema, because elsewhere a single result can be a tuple.
    for (const auto& result : schema.returns()) node->addOutput()->setType(result.type());
    const torch::jit::Operator* run = node->maybeOperator();
    if (!run || run->schema().overload_name() != schema.overload_name())
      throw Error(kFile, "TorchScript chooses another overload, '" +
                             (run ? run->schema().overload_name() : std::string("none")) + "'");
    return {node->outputs().begin(), node->outputs().end()};
  }

  static bool hasNumberForTensor(const torch::jit::Operator& op, const Napi::Array& inputs) {
    for (uint32_t i = 0; i < inputs.Length(); i++) {
      const auto input = inputs.Get(i).As<Napi::Object>();
      const auto position = op.schema().argumentIndexWithName(text(input.Get("name")));
      const std::string kind = text(input.Get("value").As<Napi::Object>().Get("kind"));
      if (position && takesTensor(op.schema().arguments()[*position]) &&
          (kind == "int" || kind == "float" || kind == "bool" || kind == "number"))
        return true;
    }
    return false;
  }

  // A value of the graph or a constant. `wanted` is the schema's argument; null in arithmetic.
  NamedValue argument(const std::string& name, const Napi::Object& value, const c10::Argument* wanted) {
    const std::string kind = text(value.Get("kind"));
    const auto content = value.Get("value");
    if (kind == "name" || kind == "number") return {name, valueOf(text(content))};
    if (kind == "names") return {name, listOf(content, wanted)};
    return {name, constant(kind, content, wanted && takesTensor(*wanted))};
  }

  // A list with values of the graph: tensors, None, or sizes mixed with constants.
  Value* listOf(const Napi::Value& content, const c10::Argument* wanted) {
    const auto type = wanted ? elementOf(wanted->type()) : nullptr;
    if (!type) throw Error(kFile, "a list is passed where PyTorch accepts none");
    std::vector<Value*> items;
    const auto names = list(content);
    for (uint32_t i = 0; i < names.Length(); i++) {
      const auto item = names.Get(i);
      if (item.IsNull())
        items.push_back(graph_->insertConstant(c10::IValue()));
      else if (item.IsNumber())
        items.push_back(graph_->insertConstant(integer(item)));
      else
        items.push_back(valueOf(text(item)));
      if (!items.back()->type()->isSubtypeOf(*type))
        throw Error(kFile, "a list holds " + items.back()->type()->str() + " where PyTorch expects " + type->str());
    }
    return graph_->insertNode(graph_->createList(type, items))->output();
  }

  static c10::IValue constant(const std::string& kind, const Napi::Value& content, bool asTensor) {
    if (kind == "none") return {};
    if (kind == "int") return asTensor ? wrapped(integer(content)) : c10::IValue(integer(content));
    if (kind == "float") return asTensor ? wrapped(number(content)) : c10::IValue(number(content));
    if (kind == "bool")
      return asTensor ? wrapped(static_cast<bool>(content.ToBoolean()))
                      : c10::IValue(static_cast<bool>(content.ToBoolean()));
    if (kind == "string") return text(content);
    if (kind == "device") return c10::Device(text(content));
    if (kind == "ints") return items<int64_t>(content, integer);
    if (kind == "floats") return items<double>(content, number);
    if (kind == "bools")
      return items<bool>(content, [](const Napi::Value& item) { return static_cast<bool>(item.ToBoolean()); });
    throw Error(kFile, "it has an argument of an unknown kind: " + kind);
  }

  // A number passed as a tensor does not take part in dtype promotion, as in Python.
  static c10::IValue wrapped(const at::Scalar& value) {
    at::Tensor tensor = at::scalar_tensor(value, at::device(at::kCPU).dtype(value.isFloatingPoint() ? at::kDouble
                                                                            : value.isBoolean()     ? at::kBool
                                                                                                    : at::kLong));
    tensor.unsafeGetTensorImpl()->set_wrapped_number(true);
    return tensor;
  }

  template <typename Item, typename Read>
  static c10::IValue items(const Napi::Value& content, Read read) {
    c10::List<Item> result;
    const auto from = list(content);
    for (uint32_t i = 0; i < from.Length(); i++) result.push_back(read(from.Get(i)));
    return result;
  }

  // One tensor is returned directly, several as a tuple.
  void returnOutputs() {
    const auto names = list(program_.Get("outputs"));
    std::vector<Value*> outputs;
    for (uint32_t i = 0; i < names.Length(); i++) outputs.push_back(valueOf(text(names.Get(i))));
    if (outputs.empty()) throw Error(kFile, "it returns no tensor");
    Value* result = outputs.size() == 1 ? outputs[0] : graph_->insertNode(graph_->createTuple(outputs))->output();
    graph_->registerOutput(result);
  }

  Napi::Object program_;
  std::shared_ptr<Graph> graph_;
  std::shared_ptr<torch::jit::CompilationUnit> unit_;
  std::unordered_map<std::string, torch::jit::Module> modules_;
  std::unordered_map<std::string, Value*> values_;
  Value* self_ = nullptr;
};

// scriptBuild({modules, attributes, input, nodes, outputs}) => handle of a module; see ScriptProgram in
// src/native-types.ts
Napi::Value build(const Napi::CallbackInfo& info) {
  try {
    const torch::jit::Module module = Builder(info[0].As<Napi::Object>()).module();
    return Napi::Number::New(info.Env(),
                             static_cast<double>(Environment::of(info.Env()).handles.insert(module._ivalue())));
  } catch (const c10::Error& error) {
    throw Error(kFile, error.what_without_backtrace());
  } catch (const std::out_of_range& error) {
    throw Error(kFile, "a module or an attribute is in a module that the program lacks");
  }
}

}  // namespace

void exportProgram(Napi::Env, Napi::Object exports) { define<build>(exports, "scriptBuild"); }

}  // namespace srrl
