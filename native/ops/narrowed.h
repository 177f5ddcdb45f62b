#pragma once

#include <ATen/ATen.h>

namespace srrl {

// The copy of a weight, with the gradient going to the weight; the weight itself where autocast would not cast it to
// the copy's type.
at::Tensor narrowed(const at::Tensor& weight, const at::Tensor& copy);

}  // namespace srrl
