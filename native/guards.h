// Operators of libtorch that trust their arguments, and end the process where these are wrong. What JavaScript gives them
// is checked here first; libtorch's own calls of them are not.
#pragma once

#include "operators.h"

namespace srrl {

using Guard = void (*)(const Operator& op, const c10::Stack& stack);

// The check of an operator; null for most, which check their arguments themselves.
Guard guardOf(const Operator& op);

}  // namespace srrl
