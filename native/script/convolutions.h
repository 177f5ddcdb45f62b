// Replaces convolutions and normalizations in frozen graphs by faster operators.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace srrl {

// For the CPU. Normalizations that could not be folded become one operator with their ReLU. 3x3 convolutions use
// Winograd's algorithm, together with an addition and a ReLU that follow. The kernels of other convolutions get the
// memory format of the maps, so that nothing has to be transposed.
void hasten(std::shared_ptr<torch::jit::Graph>& graph);

// For other devices. A convolution includes the addition and the ReLU that follow it, if the device has a kernel for
// that; its input channels are padded to a multiple of `multiple`. Normalizations that could not be folded and max
// pooling use the package's kernels.
void joinRelus(std::shared_ptr<torch::jit::Graph>& graph, int64_t multiple);

}  // namespace srrl
