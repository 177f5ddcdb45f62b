// The update of stochastic gradient descent with moving averages and half-precision copies of the parameters: by a
// kernel of one pass or by plain operators.
#include <ATen/ATen.h>
#include <torch/library.h>

#include "../library.h"
#include "update.h"

namespace srrl {

namespace {

using at::Tensor;
using kernels::Engine;
using kernels::OptionalTensor;
using kernels::Update;

struct Rule {
  double momentum = 0, dampening = 0, weightDecay = 0;
  bool nesterov = false, maximize = false, first = false;
};

void plainSgd(const Update& u, const std::vector<Tensor>& momenta, const Rule& r) {
  at::_fused_sgd_(u.params, kernels::scaledGradients(u), momenta, r.weightDecay, r.momentum, u.lr, r.dampening,
                  r.nesterov, r.maximize, r.first, {}, u.found);
  kernels::followPlainly(u);
}

void ownSgd(Engine& engine, const Update& u, const std::vector<Tensor>& momenta, const Rule& r) {
  kernels::Sgd p{};
  p.momentum = static_cast<float>(r.momentum);
  p.dampening = static_cast<float>(r.dampening);
  p.weightDecay = static_cast<float>(r.weightDecay);
  p.nesterov = r.nesterov;
  p.maximize = r.maximize;
  p.first = r.first;
  kernels::launchUpdate(engine, "update_sgd", p, u, {momenta}, [&](auto& member, size_t i) {
    member.momentum = momenta.empty() ? nullptr : momenta[i].mutable_data_ptr<float>();
  });
}

bool agree(Engine& engine, const Tensor& like, const Rule& rule) {
  const auto way = [&](const auto& step) {
    return [&rule, step](const Update& update) {
      const auto momenta = rule.momentum == 0 ? std::vector<Tensor>() : kernels::sampleStates(update, 2);
      return kernels::Way{{momenta}, [rule, momenta, step](Update& u, bool first) {
                            Rule now = rule;
                            now.first = rule.first && first;
                            step(u, momenta, now);
                          }};
    };
  };
  return kernels::waysAgree(
      like, way([&](const Update& u, const auto& momenta, const Rule& r) { ownSgd(engine, u, momenta, r); }),
      way(plainSgd));
}

bool agree(Engine& engine, const Tensor& like) {
  const Rule rules[] = {
      {.weightDecay = 0.1},
      {.momentum = 0.9, .dampening = 0.2, .maximize = true},
      {.momentum = 0.9, .weightDecay = 0.1, .nesterov = true, .maximize = true},
      {.momentum = 0.9, .weightDecay = 0.1, .nesterov = true, .maximize = true, .first = true},
  };
  return std::all_of(std::begin(rules), std::end(rules), [&](const Rule& rule) { return agree(engine, like, rule); });
}

// As _fused_sgd_. Gradients are float32 or bfloat16 and are multiplied by `scale` first; they may be modified. Averages
// move by `share` toward the new parameters; halves become bfloat16 copies of them.
void sgd(at::TensorList params, at::TensorList gradients, at::TensorList momenta,
         const c10::List<OptionalTensor>& averages, const c10::List<OptionalTensor>& halves, const Tensor& lr,
         const Tensor& found, const OptionalTensor& scale, const OptionalTensor& share, double momentum,
         double dampening, double weightDecay, bool nesterov, bool maximize, bool first) {
  const bool without = momentum == 0 && momenta.empty();
  const Update update =
      kernels::updateOf(params, gradients, {without ? params : momenta}, averages, halves, lr, found, scale, share);
  if (params.empty()) return;
  const std::vector<Tensor> kept = momenta.vec();
  Engine* engine = kernels::engineFor(params[0]);
  const bool ours = engine && kernels::fits(update, {kept.empty() ? update.params : kept}) &&
                    kernels::trusted(params[0], "update_sgd", [&] { return agree(*engine, params[0]); });
  const Rule rule{momentum, dampening, weightDecay, nesterov, maximize, first};
  if (ours)
    ownSgd(*engine, update, kept, rule);
  else
    plainSgd(update, kept, rule);
}

}  // namespace

void defineSgd(torch::Library& library) {
  library.def(
      "sgd_(Tensor(a!)[] params, Tensor(b!)[] gradients, Tensor(c!)[] momenta, Tensor?[] averages, "
      "Tensor?[] halves, Tensor lr, Tensor found, Tensor? scale, Tensor? share, float momentum, float dampening, "
      "float weight_decay, bool nesterov, bool maximize, bool first) -> ()",
      sgd);
}

}  // namespace srrl
