#include "guards.h"

#include <unordered_map>

#include "errors.h"

namespace srrl {

namespace {

// A lazy clone takes the memory from under an array that viewTypedArray() has given to JavaScript.
void refuseLazyClone(const Operator&, const c10::Stack&) { throw Error(kType, "copies on write are not supported; use clone()"); }

const std::unordered_map<std::string, Guard> kGuards = {
    {"aten::_lazy_clone", refuseLazyClone},
};

}  // namespace

Guard guardOf(const Operator& op) {
  const auto found = kGuards.find(op.name.substr(0, op.name.find('.')));
  return found == kGuards.end() ? nullptr : found->second;
}

}  // namespace srrl
