// The update of parameters by stochastic gradient descent, with the averages that follow them and their copies in half
// precision: by a kernel of one pass, or by operators that every device has.
#include <ATen/ATen.h>
#include <torch/library.h>

#include "../library.h"
#include "many.h"

namespace srrl {

namespace {

using at::Tensor;
using kernels::Engine;
using OptionalTensor = std::optional<Tensor>;
using OptionalTensors = std::vector<OptionalTensor>;

struct SgdSetting {
  std::vector<Tensor> params, gradients, momenta;
  OptionalTensors averages, halves;  // as many as params, or none
  Tensor lr, found;
  OptionalTensor scale, share;
  double momentum, dampening, weightDecay;
  bool nesterov, maximize, first;
};

OptionalTensor oneOf(const OptionalTensors& list, size_t i) { return list.empty() ? std::nullopt : list[i]; }

void plainSgd(const SgdSetting& s) {
  const std::vector<Tensor> gradients = kernels::widened(s.gradients);
  if (s.scale) at::_foreach_mul_(gradients, *s.scale);
  at::_fused_sgd_(s.params, gradients, s.momenta, s.weightDecay, s.momentum, s.lr, s.dampening, s.nesterov, s.maximize, s.first, {}, s.found);
  std::vector<Tensor> followed, averages;
  for (size_t i = 0; i < s.params.size(); i++) {
    if (const auto average = oneOf(s.averages, i)) {
      followed.push_back(s.params[i]);
      averages.push_back(*average);
    }
    if (const auto half = oneOf(s.halves, i)) half->copy_(s.params[i]);
  }
  if (averages.empty()) return;
  const std::vector<Tensor> differences = at::_foreach_sub(followed, averages);
  at::_foreach_mul_(differences, *s.share);
  at::_foreach_add_(averages, differences);
}

bool fits(const SgdSetting& s) {
  const Tensor& like = s.params[0];
  const auto isLike = [&](const Tensor& tensor, size_t i, at::ScalarType type) { return kernels::isDense(tensor, type, like) && kernels::liesAs(tensor, s.params[i]); };
  const auto hasGradient = [&](size_t i) { return kernels::isDenseGradient(s.gradients[i], like) && kernels::liesAs(s.gradients[i], s.params[i]); };
  const auto isLikeIf = [&](const OptionalTensor& tensor, size_t i, at::ScalarType type) { return !tensor || isLike(*tensor, i, type); };
  for (size_t i = 0; i < s.params.size(); i++) {
    const bool fit = isLike(s.params[i], i, at::kFloat) && hasGradient(i) && (s.momenta.empty() || isLike(s.momenta[i], i, at::kFloat)) &&
                     isLikeIf(oneOf(s.averages, i), i, at::kFloat) && isLikeIf(oneOf(s.halves, i), i, at::kBFloat16);
    if (!fit) return false;
  }
  const auto isFactor = [&](const OptionalTensor& factor) { return !factor || kernels::isNumber(*factor, at::kFloat, like); };
  return isFactor(s.lr) && isFactor(s.found) && isFactor(s.scale) && isFactor(s.share);
}

const float* dataOf(const OptionalTensor& tensor) { return tensor ? tensor->const_data_ptr<float>() : nullptr; }

void ownSgd(Engine& engine, const SgdSetting& s) {
  kernels::Sgd p{};
  p.lr = dataOf(s.lr);
  p.found = dataOf(s.found);
  p.scale = dataOf(s.scale);
  p.share = dataOf(s.share);
  p.momentum = static_cast<float>(s.momentum);
  p.dampening = static_cast<float>(s.dampening);
  p.weightDecay = static_cast<float>(s.weightDecay);
  p.nesterov = s.nesterov;
  p.maximize = s.maximize;
  p.first = s.first;
  std::vector<Tensor> used = s.params;
  for (const auto& list : {s.gradients, s.momenta}) used.insert(used.end(), list.begin(), list.end());
  for (const auto& list : {s.averages, s.halves, {s.lr, s.found, s.scale, s.share}})
    for (const OptionalTensor& tensor : list)
      if (tensor) used.push_back(*tensor);
  kernels::Launches<kernels::Sgd> launches(engine, "update_sgd", p, used);
  for (size_t i = 0; i < s.params.size(); i++) {
    if (s.params[i].numel() == 0) continue;
    const OptionalTensor average = oneOf(s.averages, i), half = oneOf(s.halves, i);
    kernels::SgdMember member{};
    member.param = s.params[i].mutable_data_ptr<float>();
    member.gradient = s.gradients[i].const_data_ptr();
    member.momentum = s.momenta.empty() ? nullptr : s.momenta[i].mutable_data_ptr<float>();
    member.average = average ? average->mutable_data_ptr<float>() : nullptr;
    member.half = half ? half->mutable_data_ptr() : nullptr;
    if (launches.full()) launches.run();
    p.isNarrow[launches.next()] = s.gradients[i].scalar_type() == at::kBFloat16;
    launches.add(member, s.params[i].numel(), kernels::chunksOf(s.params[i].numel(), kernels::kChunk));
  }
  launches.run();
}

// Two steps with all that there is, of which the second has NaN or Inf, and a third.
bool stepsAgree(Engine& engine, const Tensor& like, const SgdSetting& options) {
  const auto number = [&](double value) { return at::full({}, value, at::TensorOptions(at::kFloat).device(like.device())); };
  const auto made = [&](const auto& step) {
    SgdSetting s = options;
    s.lr = number(0.5);
    s.scale = number(0.25);
    s.share = number(0.125);
    for (const int64_t size : {1, 7, 64, kernels::kChunk + 1, 2 * kernels::kChunk + 5}) {
      const double seed = size;
      s.params.push_back(kernels::sample(like, {size}, seed));
      s.gradients.push_back(kernels::sample(like, {size}, seed + 1));
      if (size == 64 || size == kernels::kChunk + 1) s.gradients.back() = s.gradients.back().to(at::kBFloat16);
      if (s.momentum != 0) s.momenta.push_back(kernels::sample(like, {size}, seed + 2));
      s.averages.push_back(size == 64 ? OptionalTensor() : kernels::sample(like, {size}, seed + 3));
      s.halves.push_back(size == 7 ? OptionalTensor() : s.params.back().to(at::kBFloat16));
    }
    std::vector<Tensor> gradients = s.gradients;
    for (const int found : {0, 1, 0}) {
      s.found = number(found);
      s.gradients.clear();
      for (const Tensor& gradient : gradients) s.gradients.push_back(gradient.clone());
      step(s);
      s.first = false;
    }
    std::vector<Tensor> all = s.params;
    all.insert(all.end(), s.momenta.begin(), s.momenta.end());
    for (const auto& list : {s.averages, s.halves})
      for (const OptionalTensor& tensor : list)
        if (tensor) all.push_back(tensor->to(at::kFloat));
    return at::cat(all);
  };
  const Tensor ours = made([&](const SgdSetting& s) { ownSgd(engine, s); }), plain = made(plainSgd);
  // Copies in half precision may be rounded to either side.
  return at::allclose(ours, plain, 1e-2, 1e-5) && ours.sub(plain).norm().item<double>() <= 1e-4 * plain.norm().item<double>();
}

bool agree(Engine& engine, const Tensor& like) {
  SgdSetting plain{}, momentum{};
  plain.weightDecay = 0.1;
  momentum.momentum = 0.9;
  momentum.dampening = 0.2;
  momentum.maximize = true;
  SgdSetting nesterov = momentum;
  nesterov.dampening = 0;
  nesterov.nesterov = true;
  nesterov.weightDecay = 0.1;
  SgdSetting first = nesterov;
  first.first = true;
  for (const SgdSetting& options : {plain, momentum, nesterov, first})
    if (!stepsAgree(engine, like, options)) return false;
  return true;
}

OptionalTensors vectorOf(const c10::List<OptionalTensor>& list) {
  OptionalTensors result;
  for (const OptionalTensor& tensor : list) result.push_back(tensor && tensor->defined() ? tensor : std::nullopt);
  return result;
}

// As _fused_sgd_, with gradients in float32 or bfloat16 that are multiplied by `scale` before (they may change), averages
// that move by `share` towards the new values, and bfloat16 copies of these.
void sgd(at::TensorList params, at::TensorList gradients, at::TensorList momenta, const c10::List<OptionalTensor>& averages,
         const c10::List<OptionalTensor>& halves, const Tensor& lr, const Tensor& found, const OptionalTensor& scale, const OptionalTensor& share, double momentum,
         double dampening, double weightDecay, bool nesterov, bool maximize, bool first) {
  const auto fitting = [&](size_t size, bool optional) { return size == params.size() || (optional && size == 0); };
  TORCH_CHECK(fitting(gradients.size(), false) && fitting(momenta.size(), momentum == 0) && fitting(averages.size(), true) && fitting(halves.size(), true),
              "lists must be as long as that of the parameters");
  TORCH_CHECK(share || averages.empty(), "averages need a share");
  if (params.empty()) return;
  const SgdSetting s{params.vec(), gradients.vec(), momenta.vec(), vectorOf(averages), vectorOf(halves), lr,    found,   scale,
                     share,        momentum,        dampening,     weightDecay,        nesterov,         maximize, first};
  Engine* engine = kernels::engineFor(params[0]);
  const bool ours = engine && fits(s) && kernels::trusted(params[0], "update_sgd", [&] { return agree(*engine, params[0]); });
  if (ours) ownSgd(*engine, s);
  else plainSgd(s);
}

}  // namespace

void defineDeviceUpdate(torch::Library& library) {
  library.def(
      "sgd_(Tensor(a!)[] params, Tensor(b!)[] gradients, Tensor(c!)[] momenta, Tensor?[] averages, Tensor?[] halves, Tensor lr, Tensor found, "
      "Tensor? scale, Tensor? share, float momentum, float dampening, float weight_decay, bool nesterov, bool maximize, bool first) -> ()",
      sgd);
}

}  // namespace srrl
