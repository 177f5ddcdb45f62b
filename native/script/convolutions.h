// Faster convolutions in frozen graphs.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace srrl {

// Normalizations that stay become one pass with their ReLU. Convolutions of 3x3 use Winograd's algorithm, together with
// an addition and a ReLU that follow; the kernels of all others get the layout of the maps, so that no pass has to turn
// them.
void hasten(std::shared_ptr<torch::jit::Graph>& graph);

// On devices other than the CPU: a convolution takes the addition and the ReLU that follow it along, where there is a
// kernel for that, with input channels up to a multiple of `multiple`; and normalizations that stay, and max pooling,
// use the package's kernels.
void joinRelus(std::shared_ptr<torch::jit::Graph>& graph, int64_t multiple);

}  // namespace srrl
