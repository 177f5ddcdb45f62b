#include "operators.h"

#include <ATen/core/jit_type.h>

#include <algorithm>
#include <unordered_set>

#include "errors.h"
#include "guards.h"
#include "library.h"

namespace srrl {

namespace {

Kind kindOf(c10::TypeKind kind) {
  switch (kind) {
    case c10::TypeKind::TensorType: return Kind::Tensor;
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType: return Kind::Int;
    case c10::TypeKind::FloatType: return Kind::Float;
    case c10::TypeKind::BoolType: return Kind::Bool;
    case c10::TypeKind::NumberType: return Kind::Scalar;
    case c10::TypeKind::StringType: return Kind::String;
    case c10::TypeKind::ScalarTypeType: return Kind::DType;
    case c10::TypeKind::LayoutType: return Kind::Layout;
    case c10::TypeKind::MemoryFormatType: return Kind::MemoryFormat;
    case c10::TypeKind::DeviceObjType: return Kind::Device;
    case c10::TypeKind::GeneratorType: return Kind::Generator;
    default: return Kind::Unsupported;
  }
}

// real_type() distinguishes dtype, layout and memory format from int; type() does not.
Type typeOf(const c10::Argument& argument) {
  Type type;
  c10::TypePtr inner = argument.real_type();
  if (auto optional = inner->cast<c10::OptionalType>()) {
    type.optional = true;
    inner = optional->getElementType();
  }
  if (auto list = inner->cast<c10::ListType>()) {
    type.list = true;
    type.size = argument.N().value_or(0);
    inner = list->getElementType();
    if (auto optional = inner->cast<c10::OptionalType>()) {
      type.elementOptional = true;
      inner = optional->getElementType();
    }
  }
  type.kind = kindOf(inner->kind());
  return type;
}

}  // namespace

std::string Type::text() const {
  static const char* names[] = {"Tensor",     "int",    "float",        "bool",   "Scalar",    "str",
                                "ScalarType", "Layout", "MemoryFormat", "Device", "Generator", "unsupported"};
  std::string text = names[static_cast<size_t>(kind)];
  if (elementOptional) text += "?";
  if (list) text.append("[").append(size ? std::to_string(size) : "").append("]");
  if (optional) text += "?";
  return text;
}

// Composites whose results never share memory with their arguments, which a schema does not say.
static const std::unordered_set<std::string> pureComposites{"aten::conv1d", "aten::conv2d", "aten::conv3d",
                                                            "aten::convolution", "aten::linear"};

Operator::Operator(c10::OperatorHandle found) : handle(found) {
  const c10::FunctionSchema& schema = handle.schema();
  name = schema.name();
  if (!schema.overload_name().empty()) name += "." + schema.overload_name();
  for (const c10::Argument& given : schema.arguments()) {
    Argument argument;
    argument.name = given.name();
    argument.type = typeOf(given);
    argument.keywordOnly = given.kwarg_only();
    argument.out = given.is_out();
    argument.written = given.alias_info() && given.alias_info()->isWrite();
    argument.initial = given.default_value();
    arguments.push_back(std::move(argument));
  }
  for (const c10::Argument& result : schema.returns()) {
    results.push_back(typeOf(result));
    resultNames.push_back(result.name());
  }
  const bool aliases = std::any_of(schema.returns().begin(), schema.returns().end(),
                                   [](const auto& result) { return result.alias_info(); });
  const bool writes =
      std::any_of(arguments.begin(), arguments.end(), [](const auto& argument) { return argument.written; });
  const bool lists = std::any_of(arguments.begin(), arguments.end(), [](const auto& argument) {
    return argument.type.kind == Kind::Tensor && argument.type.list;
  });
  const bool makes = handle.hasKernelForDispatchKey(c10::DispatchKey::CPU) || pureComposites.contains(name);
  pureOnCpu = !aliases && !writes && !lists && makes;
  guard = guardOf(*this);
}

size_t OperatorTable::resolve(const std::string& name, const std::string& overload) {
  const std::string key = name + "." + overload;
  const auto known = numbers_.find(key);
  if (known != numbers_.end()) return known->second;
  const auto handle = c10::Dispatcher::singleton().findSchema({ownName(name), overload});
  if (!handle) {
    throw Error(kType, "this libtorch has no operator " + name + (overload.empty() ? "" : "." + overload));
  }
  operators_.emplace_back(*handle);
  numbers_.emplace(key, operators_.size() - 1);
  return operators_.size() - 1;
}

const Operator& OperatorTable::at(size_t number) const {
  if (number >= operators_.size()) throw Error(kType, "no operator has the number " + std::to_string(number));
  return operators_[number];
}

std::vector<c10::OperatorName> operatorNames() { return c10::Dispatcher::singleton().getAllOpNames(); }

}  // namespace srrl
