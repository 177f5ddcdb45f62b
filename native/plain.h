// Plain tensors: elements lie in memory as the strides say. Code that reads memory directly accepts only these.
#pragma once

#include <ATen/ATen.h>

namespace srrl {

// Whether the tensor is strided and has storage, and is not a ZeroTensor, lazily conjugated or negated, quantized,
// nested or meta.
bool isPlain(const at::Tensor& tensor);

// Returns the tensor, or a plain copy of it. Throws Error(kType) with the fix if there is no plain form.
at::Tensor plain(const at::Tensor& tensor);

// Throws Error(kType): tensors of this kind lack the property.
[[noreturn]] void refuse(const at::Tensor& tensor, const char* property);

// Returns the tensors that hold the data: itself, or the indices and values of a sparse tensor.
std::vector<at::Tensor> partsOf(const at::Tensor& tensor);

// Returns a gradient in the form that optimizers read: plain and dense. `sparseToo` converts sparse gradients.
at::Tensor plainGradient(const at::Tensor& gradient, bool sparseToo);

// Returns a gradient in the form that fused optimizers read: plain, dense, and with the strides of its parameter.
at::Tensor gradientInOrder(const at::Tensor& gradient, const at::Tensor& parameter, bool sparseToo);

}  // namespace srrl
