#include "update.h"

namespace srrl::kernels {

namespace {

using at::Tensor;

OptionalTensors vectorOf(const c10::List<OptionalTensor>& list) {
  OptionalTensors result;
  for (const OptionalTensor& tensor : list) result.push_back(tensor && tensor->defined() ? tensor : std::nullopt);
  return result;
}

}  // namespace

OptionalTensor oneOf(const OptionalTensors& list, size_t i) { return list.empty() ? std::nullopt : list[i]; }

Update updateOf(at::TensorList params, at::TensorList gradients, std::initializer_list<at::TensorList> states,
                const c10::List<OptionalTensor>& averages, const c10::List<OptionalTensor>& halves, const Tensor& lr,
                const Tensor& found, const OptionalTensor& scale, const OptionalTensor& share) {
  bool fitting = gradients.size() == params.size();
  for (const at::TensorList& state : states) fitting = fitting && state.size() == params.size();
  for (const auto* list : {&averages, &halves}) fitting = fitting && (list->empty() || list->size() == params.size());
  TORCH_CHECK(fitting, "all lists must be as long as that of the parameters");
  TORCH_CHECK(share || averages.empty(), "averages need a share");
  return {params.vec(), gradients.vec(), vectorOf(averages), vectorOf(halves), lr, found, scale, share};
}

std::vector<Tensor> scaledGradients(const Update& u) {
  std::vector<Tensor> gradients = widened(u.gradients);
  if (u.scale) at::_foreach_mul_(gradients, *u.scale);
  return gradients;
}

void followPlainly(const Update& u) {
  std::vector<Tensor> followed, averages;
  for (size_t i = 0; i < u.params.size(); i++) {
    if (const auto average = oneOf(u.averages, i)) {
      followed.push_back(u.params[i]);
      averages.push_back(*average);
    }
    if (const auto half = oneOf(u.halves, i)) half->copy_(u.params[i]);
  }
  if (averages.empty()) return;
  const std::vector<Tensor> differences = at::_foreach_sub(followed, averages);
  at::_foreach_mul_(differences, *u.share);
  at::_foreach_add_(averages, differences);
}

bool fits(const Update& u, at::ArrayRef<std::vector<Tensor>> states) {
  const Tensor& like = u.params[0];
  const auto isLike = [&](const Tensor& tensor, size_t i, at::ScalarType type) {
    return isDense(tensor, type, like) && liesAs(tensor, u.params[i]);
  };
  const auto isLikeIf = [&](const OptionalTensor& tensor, size_t i, at::ScalarType type) {
    return !tensor || isLike(*tensor, i, type);
  };
  for (size_t i = 0; i < u.params.size(); i++) {
    if (!isLike(u.params[i], i, at::kFloat) || !isDenseGradient(u.gradients[i], like) ||
        !liesAs(u.gradients[i], u.params[i]))
      return false;
    if (!isLikeIf(oneOf(u.averages, i), i, at::kFloat) || !isLikeIf(oneOf(u.halves, i), i, at::kBFloat16)) return false;
    for (const auto& state : states)
      if (!isLike(state[i], i, at::kFloat)) return false;
  }
  const auto isFactor = [&](const OptionalTensor& factor) { return !factor || isNumber(*factor, at::kFloat, like); };
  return isFactor(u.lr) && isFactor(u.found) && isFactor(u.scale) && isFactor(u.share);
}

std::vector<Tensor> tensorsOf(const Update& u, at::ArrayRef<std::vector<Tensor>> states) {
  std::vector<Tensor> all = u.params;
  all.insert(all.end(), u.gradients.begin(), u.gradients.end());
  for (const auto& state : states) all.insert(all.end(), state.begin(), state.end());
  for (const auto& list : {u.averages, u.halves, {u.lr, u.found, u.scale, u.share}})
    for (const OptionalTensor& tensor : list)
      if (tensor) all.push_back(*tensor);
  return all;
}

Update sampleUpdate(const Tensor& like) {
  const auto number = [&](double value) {
    return at::full({}, value, at::TensorOptions(at::kFloat).device(like.device()));
  };
  Update u;
  u.lr = number(0.5);
  u.scale = number(0.25);
  u.share = number(0.125);
  for (const int64_t size : {1, 7, 64, kChunk + 1, 2 * kChunk + 5}) {
    const double seed = static_cast<double>(size);
    u.params.push_back(sample(like, {size}, seed));
    u.gradients.push_back(sample(like, {size}, seed + 1));
    if (size == 64 || size == kChunk + 1) u.gradients.back() = u.gradients.back().to(at::kBFloat16);
    u.averages.push_back(size == 64 ? OptionalTensor() : sample(like, {size}, seed + 3));
    u.halves.push_back(size == 7 ? OptionalTensor() : u.params.back().to(at::kBFloat16));
  }
  return u;
}

std::vector<Tensor> sampleStates(const Update& u, double seed) {
  std::vector<Tensor> states;
  for (const Tensor& param : u.params)
    states.push_back(sample(param, param.sizes(), seed + static_cast<double>(param.numel())));
  return states;
}

bool waysAgree(const Tensor& like, const std::function<Way(const Update&)>& ours,
               const std::function<Way(const Update&)>& plain) {
  const auto run = [&](const std::function<Way(const Update&)>& make) {
    Update update = sampleUpdate(like);
    const std::vector<Tensor> gradients = update.gradients;
    const Way way = make(update);
    for (const int step : {0, 1, 2}) {
      update.found = at::full_like(update.lr, step == 1);
      update.gradients.clear();
      for (const Tensor& gradient : gradients) update.gradients.push_back(gradient.clone());
      way.step(update, step == 0);
    }
    std::vector<Tensor> all = update.params;
    for (const auto& state : way.states) all.insert(all.end(), state.begin(), state.end());
    for (const auto& list : {update.averages, update.halves})
      for (const OptionalTensor& tensor : list)
        if (tensor) all.push_back(tensor->to(at::kFloat));
    return at::cat(all);
  };
  const Tensor own = run(ours), expected = run(plain);
  // Half-precision copies may round to either side.
  return at::allclose(own, expected, 1e-2, 1e-5) &&
         own.sub(expected).norm().item<double>() <= 1e-4 * expected.norm().item<double>();
}

}  // namespace srrl::kernels
