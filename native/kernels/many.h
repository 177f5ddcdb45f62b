// Launches over many tensors. One launch has room for a limited number of them.
#pragma once

#include <ATen/ATen.h>

#include <limits>

#include "../plain.h"
#include "device/parameters.h"
#include "engine.h"

namespace srrl::kernels {

// A kernel's parameters are limited to 4 KiB before CUDA 12.1.
constexpr size_t kMostParameters = 4000;

constexpr Shape kRow = {1, 1, 1, kThreads};

template <typename Parameters>
class Launches {
 public:
  static_assert(sizeof(Parameters) <= kMostParameters);

  // `tensors` are all that any of the launches reads and writes. `parameters` must outlive this object.
  Launches(Engine& engine, const char* kernel, Parameters& parameters, at::TensorList tensors)
      : engine_(engine), kernel_(kernel), parameters_(parameters), tensors_(tensors) {}

  // Index, within its launch, of the tensor that is added next. Valid unless the launch is full().
  int next() const { return parameters_.all.count; }

  // Whether the launch has no room for another tensor.
  bool full() const { return parameters_.all.count == Parameters::Members::kMost; }

  // Adds a tensor, which must not be empty, as the work of `blocks` blocks.
  void add(const typename Parameters::Members::Member& member, int64_t size, int64_t blocks) {
    auto& all = parameters_.all;
    all.members[all.count] = member;
    all.sizes[all.count] = static_cast<int>(size);
    all.firsts[all.count++] = static_cast<int>(blocks_);
    blocks_ += blocks;
  }

  void run() {
    if (parameters_.all.count == 0) return;
    Shape shape = kRow;
    shape.gridX = static_cast<unsigned>(blocks_);
    launch(engine_, kernel_, shape, parameters_, tensors_);
    parameters_.all.count = 0;
    blocks_ = 0;
  }

 private:
  Engine& engine_;
  const char* kernel_;
  Parameters& parameters_;
  at::TensorList tensors_;
  int64_t blocks_ = 0;
};

inline int64_t chunksOf(int64_t size, int64_t chunk) { return (size + chunk - 1) / chunk; }

// Whether elements lie in memory without gaps, with the dtype and on the device of `like`, and few enough for int
// indices.
inline bool isDense(const at::Tensor& tensor, at::ScalarType type, const at::Tensor& like) {
  return isPlain(tensor) && tensor.scalar_type() == type && tensor.device() == like.device() &&
         tensor.is_non_overlapping_and_dense() &&
         tensor.nbytes() < static_cast<size_t>(std::numeric_limits<int>::max());
}

// As isDense(), for one of the dtypes in which kernels read gradients.
inline bool isDenseGradient(const at::Tensor& gradient, const at::Tensor& like) {
  return isDense(gradient, gradient.scalar_type() == at::kBFloat16 ? at::kBFloat16 : at::kFloat, like);
}

// Returns gradients in float32, for operators that accept no other dtype. Others are copied by one operator.
inline std::vector<at::Tensor> widened(at::TensorList gradients) {
  std::vector<at::Tensor> result = gradients.vec(), narrow, wide;
  for (at::Tensor& gradient : result) {
    if (gradient.scalar_type() != at::kBFloat16) continue;
    narrow.push_back(gradient);
    wide.push_back(gradient = at::empty_like(gradient, gradient.options().dtype(at::kFloat)));
  }
  if (!wide.empty()) at::_foreach_copy_(wide, narrow);
  return result;
}

// Whether both have the same shape and the same order of elements in memory.
inline bool liesAs(const at::Tensor& tensor, const at::Tensor& other) {
  if (tensor.sizes() != other.sizes()) return false;
  for (int64_t i = 0; i < tensor.dim(); i++)
    if (tensor.size(i) > 1 && tensor.stride(i) != other.stride(i)) return false;
  return true;
}

inline bool isNumber(const at::Tensor& tensor, at::ScalarType type, const at::Tensor& like) {
  return isPlain(tensor) && tensor.numel() == 1 && tensor.scalar_type() == type && tensor.device() == like.device();
}

// Deterministic values for comparisons.
inline at::Tensor sample(const at::Tensor& like, at::IntArrayRef sizes, double seed) {
  const auto options = at::TensorOptions(at::kFloat).device(like.device());
  return at::arange(c10::multiply_integers(sizes), options).mul(0.7).add(seed).sin().view(sizes);
}

}  // namespace srrl::kernels
