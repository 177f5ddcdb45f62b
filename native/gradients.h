// The gradients of weights in a step that is captured: computed next to the chain of the other gradients, on a stream
// of their own, and put together at the end in one go.
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
  // Of a device whose current stream has the chain.
  explicit Gradients(c10::Device device);

  // The one of this thread's captured step, where it takes the gradient of such a weight; else null.
  static c10::intrusive_ptr<Gradients> forWeight(const at::Tensor& weight);

  // To be asked in a backward: whether it is one that adds up gradients of leaves, and is not itself differentiated.
  bool areWanted() const;

  // Where the chain is now.
  c10::Event here() const;

  // Does `work` on the side stream, behind what the chain was asked for up to `begin`. `used`: tensors of the chain
  // that it reads. The chain waits for it at the end, or before that where much memory is kept for it.
  void beside(c10::Event begin, std::vector<at::Tensor> used, const std::function<void()>& work);

  // Adds a gradient to the weight's; called in the work beside.
  void add(const at::Tensor& weight, const at::Tensor& gradient);

  // The same where the chain has computed it.
  void addOfChain(const at::Tensor& weight, const at::Tensor& gradient);

  // The chain waits for all, and the weights get their gradients, in their own type unless this thread has kernels,
  // which read them in bfloat16, and `narrow` asks for it.
  void finish(bool narrow);

  // The same without gradients, after an error.
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
