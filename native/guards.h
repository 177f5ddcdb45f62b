// Operators of libtorch that trust their arguments, and end the process where these are wrong. What JavaScript gives
// them is checked here first; libtorch's own calls of them are not.
#pragma once

#include "operators.h"

namespace srrl {

using Guard = void (*)(const Operator& op, const c10::Stack& stack);

// The check of an operator; null for most, which check their arguments themselves.
Guard guardOf(const Operator& op);

// Throws Error where a tensor of mkldnn's layout, which has no memory that others could look at, is given next to a
// dense one that comes first.
void refuseStrayMkldnn(const c10::Stack& stack);

// Runs the operator. Where it fails, tensors that it was to change have the memory and the shape that they had:
// libtorch sets a new shape before it finds out that the memory cannot grow.
void runWhole(const Operator& op, c10::Stack& stack);

}  // namespace srrl
