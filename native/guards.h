// Checks for operators of libtorch that crash the process on invalid arguments. Only calls from JavaScript are checked,
// not libtorch's own.
#pragma once

#include "operators.h"

namespace srrl {

using Guard = void (*)(const Operator& op, const c10::Stack& stack);

// Returns the check of an operator; null for most, which validate their arguments themselves.
Guard guardOf(const Operator& op);

// Throws Error if a dense tensor is followed by one of mkldnn layout, whose memory other kernels cannot read.
void refuseStrayMkldnn(const c10::Stack& stack);

// Runs the operator. If it fails, restores the shape and storage of the tensors it writes to: libtorch sets a new shape
// before it finds that the memory cannot grow.
void runWhole(const Operator& op, c10::Stack& stack);

}  // namespace srrl
