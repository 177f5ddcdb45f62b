// The update of Adam and AdamW with moving averages and half-precision copies of the parameters: by a kernel of one
// pass or by plain operators.
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

// Running means of gradients and their squares, the largest of the latter (amsgrad), and the number of updates
// including this one.
struct Moments {
  std::vector<Tensor> means, squares, largest, steps;

  std::vector<std::vector<Tensor>> like() const {
    return largest.empty() ? std::vector{means, squares} : std::vector{means, squares, largest};
  }
};

struct Rule {
  double beta1 = 0.9, beta2 = 0.999, weightDecay = 0, eps = 1e-8;
  bool maximize = false, decoupled = false;
};

void plainAdam(const Update& u, const Moments& m, const Rule& r) {
  const std::vector<Tensor> gradients = kernels::scaledGradients(u);
  const bool amsgrad = !m.largest.empty();
  const auto step = [&](const auto& fused) {
    fused(u.params, gradients, m.means, m.squares, m.largest, m.steps, u.lr, r.beta1, r.beta2, r.weightDecay, r.eps,
          amsgrad, r.maximize, std::nullopt, u.found);
  };
  if (r.decoupled)
    step([](const auto&... all) { at::_fused_adamw_(all...); });
  else
    step([](const auto&... all) { at::_fused_adam_(all...); });
  kernels::followPlainly(u);
}

void ownAdam(Engine& engine, const Update& u, const Moments& m, const Rule& r) {
  kernels::Adam p{};
  p.beta1 = r.beta1;
  p.beta2 = r.beta2;
  p.weightDecay = static_cast<float>(r.weightDecay);
  p.eps = static_cast<float>(r.eps);
  p.maximize = r.maximize;
  p.decoupled = r.decoupled;
  auto states = m.like();
  states.push_back(m.steps);
  kernels::launchUpdate(engine, "update_adam", p, u, states, [&](auto& member, size_t i) {
    member.mean = m.means[i].mutable_data_ptr<float>();
    member.square = m.squares[i].mutable_data_ptr<float>();
    member.largest = m.largest.empty() ? nullptr : m.largest[i].mutable_data_ptr<float>();
    member.step = m.steps[i].const_data_ptr<float>();
  });
}

bool agree(Engine& engine, const Tensor& like, const Rule& rule, bool amsgrad) {
  const auto way = [&](const auto& step) {
    return [&rule, amsgrad, step](const Update& update) {
      Moments moments{kernels::sampleStates(update, 2), kernels::sampleStates(update, 4), {}, {}};
      if (amsgrad) moments.largest = kernels::sampleStates(update, 5);
      for (auto* list : {&moments.squares, &moments.largest})
        for (const Tensor& square : *list) square.abs_();
      for (size_t i = 0; i < update.params.size(); i++)
        moments.steps.push_back(at::full_like(update.lr, 1 + static_cast<double>(i)));
      return kernels::Way{moments.like(), [rule, moments, step](Update& u, bool) { step(u, moments, rule); }};
    };
  };
  return kernels::waysAgree(
      like, way([&](const Update& u, const Moments& m, const Rule& r) { ownAdam(engine, u, m, r); }), way(plainAdam));
}

bool agree(Engine& engine, const Tensor& like) {
  return agree(engine, like, {.weightDecay = 0.1}, false) &&
         agree(engine, like, {.beta2 = 0.99, .eps = 1e-6, .maximize = true}, true) &&
         agree(engine, like, {.weightDecay = 0.1, .decoupled = true}, false);
}

bool fits(const Update& update, const Moments& moments) {
  const auto isStep = [&](const Tensor& step) { return kernels::isNumber(step, at::kFloat, update.params[0]); };
  return kernels::fits(update, moments.like()) && std::all_of(moments.steps.begin(), moments.steps.end(), isStep);
}

// As _fused_adam_ or, with decoupled weight decay, _fused_adamw_; the rest as srrl::sgd_.
void adam(at::TensorList params, at::TensorList gradients, at::TensorList means, at::TensorList squares,
          at::TensorList largest, at::TensorList steps, const c10::List<OptionalTensor>& averages,
          const c10::List<OptionalTensor>& halves, const Tensor& lr, const Tensor& found, const OptionalTensor& scale,
          const OptionalTensor& share, double beta1, double beta2, double weightDecay, double eps, bool maximize,
          bool decoupled) {
  const Update update = kernels::updateOf(params, gradients, {means, squares, largest.empty() ? params : largest},
                                          averages, halves, lr, found, scale, share);
  TORCH_CHECK(steps.size() == params.size(), "steps must be as many as the parameters");
  for (const Tensor& step : steps) kernels::checkFactor(step);
  if (params.empty()) return;
  const Moments moments{means.vec(), squares.vec(), largest.vec(), steps.vec()};
  Engine* engine = kernels::engineFor(params[0]);
  const bool ours = engine && fits(update, moments) &&
                    kernels::trusted(params[0], "update_adam", [&] { return agree(*engine, params[0]); });
  const Rule rule{beta1, beta2, weightDecay, eps, maximize, decoupled};
  if (ours)
    ownAdam(*engine, update, moments, rule);
  else
    plainAdam(update, moments, rule);
}

}  // namespace

void defineAdam(torch::Library& library) {
  library.def(
      "adam_(Tensor(a!)[] params, Tensor(b!)[] gradients, Tensor(c!)[] means, Tensor(d!)[] squares, "
      "Tensor(e!)[] largest, Tensor[] steps, Tensor?[] averages, Tensor?[] halves, Tensor lr, Tensor found, "
      "Tensor? scale, Tensor? share, float beta1, float beta2, float weight_decay, float eps, bool maximize, "
      "bool decoupled) -> ()",
      adam);
}

}  // namespace srrl
