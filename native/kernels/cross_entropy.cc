// Mean cross-entropy of logits with labels: by a kernel that also computes the gradient and counts correct predictions,
// or by plain operators.
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "../library.h"
#include "../plain.h"
#include "device/parameters.h"
#include "engine.h"

namespace srrl {

namespace {

using at::Tensor;
using kernels::Engine;

// The most classes whose logits fit into the registers of a warp.
constexpr int64_t kMostClasses = 32 * kernels::kLanes;
// Threads per block; one warp per image.
constexpr int64_t kBlock = 128;

// Labels are class indices, int64 [N], or class probabilities, float32 [N, K].
bool areNumbers(const Tensor& labels) { return labels.dim() == 1; }

std::string typeOf(const Tensor& logits) { return logits.scalar_type() == at::kBFloat16 ? "_bfloat" : "_float"; }

bool fits(const Tensor& logits, const Tensor& labels) {
  const auto isReady = [&](const Tensor& tensor) {
    return isPlain(tensor) && tensor.is_contiguous() && tensor.device() == logits.device();
  };
  const bool hasType = logits.scalar_type() == at::kFloat || logits.scalar_type() == at::kBFloat16;
  if (logits.dim() != 2 || logits.numel() == 0 || logits.size(1) > kMostClasses || !hasType || !isReady(logits) ||
      !isReady(labels))
    return false;
  if (areNumbers(labels)) return labels.scalar_type() == at::kLong && labels.size(0) == logits.size(0);
  return labels.scalar_type() == at::kFloat && labels.sizes() == logits.sizes() && !labels.requires_grad();
}

struct Result {
  Tensor loss, right, gradients;
};

Result losses(Engine& engine, const Tensor& logits, const Tensor& labels, double smoothing) {
  const int64_t images = logits.size(0), classes = logits.size(1), rows = kBlock / kernels::kLanes,
                blocks = (images + rows - 1) / rows;
  const auto options = at::TensorOptions(at::kFloat).device(logits.device());
  const Result made{at::empty({}, options), at::empty({}, options.dtype(at::kLong)),
                    at::empty({images, classes}, options)};
  const Tensor partial = at::empty({blocks, 2}, options), counter = kernels::counters(logits, 1);
  kernels::CrossEntropy p{};
  p.logits = logits.const_data_ptr();
  if (areNumbers(labels))
    p.labels = reinterpret_cast<const long long*>(labels.const_data_ptr<int64_t>());
  else
    p.shares = labels.const_data_ptr<float>();
  p.loss = made.loss.mutable_data_ptr<float>();
  p.gradients = made.gradients.mutable_data_ptr<float>();
  p.right = reinterpret_cast<long long*>(made.right.mutable_data_ptr<int64_t>());
  p.partial = partial.mutable_data_ptr<float>();
  p.counter = reinterpret_cast<unsigned*>(counter.mutable_data_ptr<int>());
  p.images = static_cast<int>(images);
  p.classes = static_cast<int>(classes);
  p.smoothing = static_cast<float>(smoothing);
  const std::string kernel = (classes <= 4 * kernels::kLanes ? "cross_entropy4" : "cross_entropy32") + typeOf(logits);
  kernels::launch(engine, kernel, {static_cast<unsigned>(blocks), 1, 1, static_cast<unsigned>(kBlock)}, p,
                  {logits, labels, made.loss, made.right, made.gradients, partial, counter});
  return made;
}

Tensor gradient(Engine& engine, const Tensor& logits, const Tensor& gradients, const Tensor& toLoss) {
  const Tensor result = at::empty_like(logits), factor = toLoss.to(at::kFloat).contiguous();
  kernels::CrossEntropy p{};
  p.gradients = gradients.mutable_data_ptr<float>();
  p.toLoss = factor.const_data_ptr<float>();
  p.toLogits = result.mutable_data_ptr();
  p.images = static_cast<int>(logits.size(0));
  p.classes = static_cast<int>(logits.size(1));
  const auto blocks = static_cast<unsigned>((logits.numel() + kernels::kThreads - 1) / kernels::kThreads);
  kernels::launch(engine, "cross_entropy_gradient" + typeOf(logits), {blocks, 1, 1, kernels::kThreads}, p,
                  {logits, gradients, factor, result});
  return result;
}

std::tuple<Tensor, Tensor> plainLosses(const Tensor& logits, const Tensor& labels, double smoothing) {
  const Tensor loss = at::cross_entropy_loss(logits, labels, {}, at::Reduction::Mean, -100, smoothing);
  const at::NoGradGuard none;
  return {loss,
          areNumbers(labels) ? logits.argmax(1).eq(labels).sum() : at::zeros({}, labels.options().dtype(at::kLong))};
}

struct CrossEntropyLoss : torch::autograd::Function<CrossEntropyLoss> {
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context, const Tensor& logits,
                                                const Tensor& labels, double smoothing) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const Result made = losses(*kernels::installedFor(logits), logits, labels, smoothing);
    context->save_for_backward({logits, made.gradients});
    context->mark_non_differentiable({made.right});
    return {made.loss, made.right};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& given) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "the fused cross-entropy has no second derivative; use --kernels plain");
    const auto saved = context->get_saved_variables();
    return {gradient(*kernels::installedFor(saved[0]), saved[0], saved[1], given[0]), {}, {}};
  }
};

bool agree(Engine& engine, const Tensor& logits, const Tensor& labels, double smoothing) {
  const Result ours = losses(engine, logits, labels, smoothing);
  const at::AutoGradMode on(true);
  const Tensor exact = logits.detach().to(at::kFloat).requires_grad_(true);
  const auto [loss, right] = plainLosses(exact, labels, smoothing);
  const Tensor expected = torch::autograd::grad({loss}, {exact})[0].to(logits.scalar_type());
  const Tensor made = gradient(engine, logits.detach(), ours.gradients, at::ones({}, ours.loss.options()));
  return kernels::agrees(ours.loss, loss.detach()) && kernels::agrees(made, expected) && at::equal(ours.right, right);
}

std::tuple<Tensor, Tensor> crossEntropy(const Tensor& logits, const Tensor& labels, double smoothing) {
  Engine* engine = kernels::engineFor(logits);
  const auto trusted = [&] {
    const std::string kind = "cross_entropy" + typeOf(logits) + (areNumbers(labels) ? " [" : " of shares [") +
                             std::to_string(logits.size(1)) + "]";
    return kernels::trusted(logits, kind, [&] { return agree(*engine, logits, labels, smoothing); });
  };
  if (!engine || !fits(logits, labels) || !trusted()) return plainLosses(logits, labels, smoothing);
  const auto made = CrossEntropyLoss::apply(logits, labels, smoothing);
  return {made[0], made[1]};
}

}  // namespace

// => mean loss over images, and the number of images whose largest logit is that of the label: int64 [], 0 for
// probabilities.
void defineCrossEntropy(torch::Library& library) {
  library.def("cross_entropy(Tensor logits, Tensor labels, float label_smoothing) -> (Tensor, Tensor)", crossEntropy);
}

}  // namespace srrl
