// Gradients of weights in a captured step. They are computed on a side stream, in parallel with the gradients of
// activations (the chain), and are written to the weights together at the end.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <napi.h>
#include <torch/custom_class.h>

#include <deque>
#include <functional>
#include <unordered_map>
#include <vector>

namespace srrl {

class Gradients : public torch::CustomClassHolder {
 public:
  // The chain is on the current stream of `device`.
  explicit Gradients(c10::Device device);

  // Returns the object of this thread's captured step if it handles the gradient of `weight`, else null.
  static c10::intrusive_ptr<Gradients> forWeight(const at::Tensor& weight);

  // For use in a backward pass: whether the pass accumulates gradients of leaves and is not itself differentiated.
  bool areWanted() const;

  // Returns an event at the current point of the chain.
  c10::Event here() const;

  // Runs `work` on the side stream, after what was queued on the chain before `begin`. `used` lists the tensors of the
  // chain that it reads. The chain waits for the work in finish(), or earlier when these tensors hold too much memory.
  void beside(c10::Event begin, std::vector<at::Tensor> used, const std::function<void()>& work);

  // Adds to the gradient of a weight. Called from within the work of beside().
  void add(const at::Tensor& weight, const at::Tensor& gradient);

  // Adds a gradient that was computed on the chain.
  void addOfChain(const at::Tensor& weight, const at::Tensor& gradient);

  // Makes the chain wait for all work and assigns the gradients to the weights. They have the dtype of their weight;
  // with `narrow`, those computed in bfloat16 stay so where this thread uses the package's kernels, which read
  // bfloat16.
  void finish(bool narrow);

  // Makes the chain wait for all work and drops the gradients; for cleanup after an error.
  void drop();

 private:
  struct Work {
    std::vector<at::Tensor> used;
    c10::Event end;
    size_t bytes;
  };
  struct Gradient {
    at::Tensor weight, sum;
  };
  void awaitFirst();
  void awaitAll();

  c10::Device device_;
  c10::Stream side_;
  std::deque<Work> works_;
  size_t bytes_ = 0;
  bool isOpen_ = true;
  std::vector<Gradient> gradients_;
  std::unordered_map<const c10::TensorImpl*, size_t> places_;
};

void exportGradients(Napi::Env env, Napi::Object exports);

}  // namespace srrl
