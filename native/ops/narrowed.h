#pragma once

#include <ATen/ATen.h>

namespace srrl {

// Returns the copy of a weight, with gradients going to the weight; or the weight itself if autocast would not cast it
// to the dtype of the copy.
at::Tensor narrowed(const at::Tensor& weight, const at::Tensor& copy);

}  // namespace srrl
