// Precision and device of a module that was exported for others than those it is run with.
#pragma once

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

namespace srrl {

// Converts float64 parameters and buffers to float32, in which images come. Whether there were any.
bool toSingle(torch::jit::Module& module);

// Makes the code of a frozen graph agree with its weights: devices that are constants become `device`; where `single`
// or a constant is float64, constants and casts to it are float32; on the CPU half precision is float32 as well.
void place(torch::jit::Graph& graph, c10::Device device, bool single);

}  // namespace srrl
