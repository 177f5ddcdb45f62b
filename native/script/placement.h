// Converts a module that was exported for another precision or device.
#pragma once

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

namespace srrl {

// Converts float64 parameters and buffers to float32, the dtype of images. Returns whether there were any.
bool toSingle(torch::jit::Module& module);

// Makes the code of a frozen graph agree with its weights: constant devices become `device`. With `single`, or if a
// constant is float64, float64 constants and casts become float32; on the CPU, half precision becomes float32 as well.
void place(torch::jit::Graph& graph, c10::Device device, bool single);

}  // namespace srrl
