// Plain tensors: elements that lie in memory as the strides say. Code that reads memory may be given no others; here is
// how they become plain.
#pragma once

#include <ATen/ATen.h>

namespace srrl {

// Strided, with memory of its own, and neither zeros without memory (ZeroTensor), nor conjugated or negated when read,
// nor quantized or nested.
bool isPlain(const at::Tensor& tensor);

// The tensor, or a plain one with its values. Throws Error(kType) that names the remedy where there is none.
at::Tensor plain(const at::Tensor& tensor);

// Throws Error(kType): this kind of tensor has no such property.
[[noreturn]] void refuse(const at::Tensor& tensor, const char* property);

// The tensors whose memory a tensor consists of: itself, or the indices and values of a sparse one.
std::vector<at::Tensor> partsOf(const at::Tensor& tensor);

// A gradient as optimizers read it, plain and dense.
at::Tensor plainGradient(const at::Tensor& gradient, bool sparseToo);

// A gradient as the fused optimizers read it, straight through memory: plain, dense, in the memory order of its
// parameter.
at::Tensor gradientInOrder(const at::Tensor& gradient, const at::Tensor& parameter, bool sparseToo);

}  // namespace srrl
