// SRRL's feature matching loss and softmax regression loss (squared error of logits): by kernels that also compute the
// gradients, or by plain operators.
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
using kernels::Shape;
using OptionalTensor = std::optional<Tensor>;

// Inputs of the kernel: r(h_S) [N, C], h_T [N, C], z_T [N, K], W_T [K, C], b_T [K].
struct Setting {
  Tensor feature, target, logits, weight;
  OptionalTensor bias;
};

// L_FM and L_SR, float32 [], and the gradients of both with respect to the feature, float32 [2, N, C].
struct Result {
  Tensor matching, regression, gradients;
};

bool isHalf(const Tensor& tensor) { return tensor.scalar_type() == at::kBFloat16; }

bool fits(const Setting& s) {
  const auto isReady = [&](const Tensor& tensor, bool halfToo) {
    return isPlain(tensor) && tensor.is_contiguous() && tensor.device() == s.feature.device() &&
           (tensor.scalar_type() == at::kFloat || (halfToo && isHalf(tensor)));
  };
  if (s.feature.dim() != 2 || s.weight.dim() != 2 || s.feature.numel() == 0) return false;
  const int64_t images = s.feature.size(0), width = s.feature.size(1), classes = s.weight.size(0);
  return isReady(s.feature, true) && isReady(s.target, true) && isReady(s.logits, true) && isReady(s.weight, false) &&
         (!s.bias || isReady(*s.bias, false)) && isHalf(s.target) == isHalf(s.logits) &&
         s.target.sizes() == s.feature.sizes() && s.logits.sizes() == c10::IntArrayRef({images, classes}) &&
         s.weight.size(1) == width && (!s.bias || s.bias->numel() == classes) && !s.weight.requires_grad() &&
         !(s.bias && s.bias->requires_grad());
}

std::string typeOf(const Tensor& tensor) { return isHalf(tensor) ? "_bfloat" : "_float"; }

kernels::Head parametersOf(const Setting& s, const Tensor& gradients) {
  kernels::Head p{};
  p.feature = s.feature.const_data_ptr();
  p.target = s.target.const_data_ptr();
  p.logits = s.logits.const_data_ptr();
  p.weight = s.weight.const_data_ptr<float>();
  p.bias = s.bias ? s.bias->const_data_ptr<float>() : nullptr;
  p.gradients = gradients.mutable_data_ptr<float>();
  p.images = static_cast<int>(s.feature.size(0));
  p.width = static_cast<int>(s.feature.size(1));
  p.classes = static_cast<int>(s.weight.size(0));
  return p;
}

// Returns how many numbers of a classifier row each lane holds in the single-launch kernel, where each image reads the
// whole classifier. 0 if the classifier is too large, so that two matrix products are faster.
int64_t piecesOf(const Setting& s) {
  const int64_t width = s.weight.size(1);
  if (s.feature.size(0) * s.weight.numel() > (int64_t{1} << 24)) return 0;
  for (const int64_t pieces : {4, 8, 16})
    if (width <= pieces * kernels::kLanes) return pieces;
  return 0;
}

Result losses(Engine& engine, const Setting& s) {
  const auto options = s.weight.options().requires_grad(false);
  const Tensor matching = at::empty({}, options), regression = at::empty({}, options),
               gradients = at::empty({2, s.feature.size(0), s.feature.size(1)}, options);
  const Tensor partial = at::empty({s.feature.size(0), 2}, options), counter = kernels::counters(s.feature, 1);
  kernels::Head p = parametersOf(s, gradients);
  p.matching = matching.mutable_data_ptr<float>();
  p.regression = regression.mutable_data_ptr<float>();
  p.partial = partial.mutable_data_ptr<float>();
  p.counter = reinterpret_cast<unsigned*>(counter.mutable_data_ptr<int>());
  std::vector<Tensor> used = {s.feature,  s.target,  s.logits, s.weight, matching,
                              regression, gradients, partial,  counter};
  if (s.bias) used.push_back(*s.bias);
  const Shape shape = {static_cast<unsigned>(p.images), 1, 1, kernels::kThreads};
  const std::string types = typeOf(s.feature) + typeOf(s.target);
  if (const int64_t pieces = piecesOf(s)) {
    kernels::launch(engine, "head_losses" + std::to_string(pieces) + types, shape, p, used);
    return {matching, regression, gradients};
  }
  const Tensor features = s.feature.to(at::kFloat), transposed = s.weight.t();
  const Tensor products = s.bias ? at::addmm(*s.bias, features, transposed) : at::mm(features, transposed);
  p.products = products.mutable_data_ptr<float>();
  used.push_back(products);
  kernels::launch(engine, "head_differences" + types, shape, p, used);
  Tensor toFeature = gradients.select(0, 1);
  at::mm_out(toFeature, products, s.weight);
  return {matching, regression, gradients};
}

Tensor gradient(Engine& engine, const Tensor& feature, const Tensor& gradients, const Tensor& toMatching,
                const Tensor& toRegression) {
  const Tensor result = at::empty_like(feature), matching = toMatching.to(at::kFloat),
               regression = toRegression.to(at::kFloat);
  kernels::Head p{};
  p.gradients = gradients.mutable_data_ptr<float>();
  p.toMatching = matching.const_data_ptr<float>();
  p.toRegression = regression.const_data_ptr<float>();
  p.toFeature = result.mutable_data_ptr();
  p.images = static_cast<int>(feature.size(0));
  p.width = static_cast<int>(feature.size(1));
  const auto blocks = static_cast<unsigned>((feature.numel() + kernels::kThreads - 1) / kernels::kThreads);
  kernels::launch(engine, "head_gradient" + typeOf(feature), {blocks, 1, 1, kernels::kThreads}, p,
                  {feature, gradients, matching, regression, result});
  return result;
}

std::tuple<Tensor, Tensor> plainLosses(const Setting& s) {
  return {at::mse_loss(s.feature, s.target), at::mse_loss(at::linear(s.feature, s.weight, s.bias), s.logits)};
}

struct HeadLosses : torch::autograd::Function<HeadLosses> {
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context, const Tensor& feature,
                                                const Tensor& target, const Tensor& logits, const Tensor& weight,
                                                const OptionalTensor& bias) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const c10::impl::ExcludeDispatchKeyGuard uncast(c10::autocast_dispatch_keyset);
    const Result made = losses(*kernels::installedFor(feature), {feature, target, logits, weight, bias});
    context->save_for_backward({feature, made.gradients});
    return {made.matching, made.regression};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& given) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "the fused losses of SRRL have no second derivative; use --kernels plain");
    const auto saved = context->get_saved_variables();
    const auto orZero = [&](const Tensor& one) {
      return one.defined() ? one.contiguous() : at::zeros({}, saved[1].options());
    };
    const Tensor result =
        gradient(*kernels::installedFor(saved[0]), saved[0], saved[1], orZero(given[0]), orZero(given[1]));
    return {result, {}, {}, {}, {}};
  }
};

// Compares both losses and the gradient of their sum with float32.
bool agree(Engine& engine, const Setting& s) {
  const c10::impl::ExcludeDispatchKeyGuard uncast(c10::autocast_dispatch_keyset);
  const Result ours = [&] {
    const at::AutoDispatchBelowADInplaceOrView below;
    return losses(engine, s);
  }();
  const at::AutoGradMode on(true);
  const Tensor feature = s.feature.detach().to(at::kFloat).requires_grad_(true);
  const auto [matching, regression] =
      plainLosses({feature, s.target.to(at::kFloat), s.logits.to(at::kFloat), s.weight, s.bias});
  const Tensor expected = torch::autograd::grad({matching.add(regression)}, {feature})[0];
  const Tensor one = at::ones({}, ours.gradients.options());
  const auto same = [](const Tensor& a, const Tensor& b) { return kernels::agrees(a, b.detach().to(a.scalar_type())); };
  return same(ours.matching, matching) && same(ours.regression, regression) &&
         same(gradient(engine, s.feature.detach(), ours.gradients, one, one), expected);
}

std::tuple<Tensor, Tensor> regressionLosses(const Tensor& feature, const Tensor& target, const Tensor& logits,
                                            const Tensor& weight, const OptionalTensor& bias) {
  const Setting s{feature, target, logits, weight, bias};
  Engine* engine = kernels::engineFor(feature);
  const auto trusted = [&] {
    const std::string kind = "head" + typeOf(feature) + typeOf(target) + " [" + std::to_string(feature.size(1)) + ", " +
                             std::to_string(weight.size(0)) + "]";
    return kernels::trusted(feature, kind, [&] { return agree(*engine, s); });
  };
  if (!engine || !fits(s) || !trusted()) return plainLosses(s);
  const auto made = HeadLosses::apply(feature, target, logits, weight, bias);
  return {made[0], made[1]};
}

}  // namespace

void defineHead(torch::Library& library) {
  library.def(
      "regression_losses(Tensor feature, Tensor target, Tensor logits, Tensor weight, Tensor? bias) "
      "-> (Tensor, Tensor)",
      regressionLosses);
}

}  // namespace srrl
