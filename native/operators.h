// The operators of libtorch, by number. Each schema is read once and stored in the form that calls need.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace srrl {

enum class Kind : uint8_t {
  Tensor,
  Int,
  Float,
  Bool,
  Scalar,
  String,
  DType,
  Layout,
  MemoryFormat,
  Device,
  Generator,
  Unsupported,
};

// One argument or result of a schema. `Tensor?[]` is {Tensor, list, elementOptional}; `int[2]?` is {Int, list,
// optional, size 2}.
struct Type {
  Kind kind = Kind::Unsupported;
  bool optional = false;
  bool list = false;
  bool elementOptional = false;
  int32_t size = 0;  // of a list that one value can be broadcast to, as in int[2]; 0: none

  std::string text() const;
};

struct Argument {
  std::string name;
  Type type;
  bool keywordOnly = false;
  bool out = false;
  bool written = false;  // modified in place
  std::optional<c10::IValue> initial;
};

struct Operator {
  explicit Operator(c10::OperatorHandle handle);
  c10::OperatorHandle handle;
  std::string name;  // "aten::add.Tensor"
  std::vector<Argument> arguments;
  std::vector<Type> results;
  std::vector<std::string> resultNames;
  // Whether it creates new tensors from plain CPU tensors, by a CPU kernel or as a composite known to do so: no views
  // and no in-place changes.
  bool pureOnCpu = false;

  // Throws Error for arguments that would crash the process; see guards.h.
  void run(c10::Stack& stack) const {
    if (guard) guard(*this, stack);
    handle.callBoxed(stack);
  }
  void (*guard)(const Operator& op, const c10::Stack& stack) = nullptr;
};

class OperatorTable {
 public:
  // Returns the number of an operator. Throws Error(kType) if libtorch has none of that name.
  size_t resolve(const std::string& name, const std::string& overload);
  const Operator& at(size_t number) const;

 private:
  std::deque<Operator> operators_;
  std::unordered_map<std::string, size_t> numbers_;
};

// Returns every overload of every operator in the dispatcher, as (name with namespace, overload).
std::vector<c10::OperatorName> operatorNames();

}  // namespace srrl
