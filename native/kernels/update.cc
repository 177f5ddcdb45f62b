#include "update.h"

#include <algorithm>

#include "../plain.h"

namespace srrl::kernels {

namespace {

using at::Tensor;

OptionalTensors vectorOf(const c10::List<OptionalTensor>& list) {
  OptionalTensors result;
  for (const OptionalTensor& tensor : list) result.push_back(tensor && tensor->defined() ? tensor : std::nullopt);
  return result;
}

// libtorch's fused optimizers access all tensors of a parameter with its size and type, one element after the other,
// without checking them.
void checkLike(const char* what, at::TensorList list, at::TensorList params, bool isGradient = false) {
  for (size_t i = 0; i < params.size(); i++) {
    const Tensor &tensor = list[i], &param = params[i];
    const bool narrow = isGradient && param.scalar_type() == at::kFloat && tensor.scalar_type() == at::kBFloat16;
    TORCH_CHECK(isPlain(tensor) && tensor.sizes() == param.sizes() && tensor.device() == param.device() &&
                    (narrow || tensor.scalar_type() == param.scalar_type()),
                what, " ", i, " must have the size, type and device of its parameter: ", param.sizes(), ' ',
                param.scalar_type(), " on ", param.device(), ", got ", tensor.sizes(), ' ', tensor.scalar_type(),
                " on ", tensor.device());
    TORCH_CHECK(tensor.is_non_overlapping_and_dense() || isGradient, what, " ", i,
                " must be dense, without elements that share memory; clone it first");
  }
}

// The gradient of a sum, for example, is one number that all elements share.
std::vector<Tensor> denseOf(at::TensorList gradients, at::TensorList params) {
  std::vector<Tensor> result = gradients.vec();
  for (size_t i = 0; i < result.size(); i++) {
    if (result[i].is_non_overlapping_and_dense()) continue;
    result[i] = at::empty_like(params[i], params[i].options().dtype(result[i].scalar_type())).copy_(result[i]);
  }
  return result;
}

}  // namespace

void checkFactor(const OptionalTensor& factor) {
  TORCH_CHECK(!factor || (isPlain(*factor) && factor->numel() == 1 && factor->scalar_type() == at::kFloat),
              "learning rate, found, scale, share and steps must be one float32 number each");
}

OptionalTensor oneOf(const OptionalTensors& list, size_t i) { return list.empty() ? std::nullopt : list[i]; }

Update updateOf(at::TensorList params, at::TensorList gradients, std::initializer_list<at::TensorList> states,
                const c10::List<OptionalTensor>& averages, const c10::List<OptionalTensor>& halves, const Tensor& lr,
                const Tensor& found, const OptionalTensor& scale, const OptionalTensor& share) {
  const auto isAsLong = [&](at::TensorList list) { return list.size() == params.size(); };
  bool fitting = isAsLong(gradients) && std::all_of(states.begin(), states.end(), isAsLong);
  for (const auto* list : {&averages, &halves}) fitting = fitting && (list->empty() || list->size() == params.size());
  TORCH_CHECK(fitting, "all lists must be as long as that of the parameters");
  TORCH_CHECK(share || averages.empty(), "averages need a share");
  checkLike("parameter", params, params);
  checkLike("gradient", gradients, params, true);
  for (const at::TensorList& state : states) checkLike("state", state, params);
  for (const OptionalTensor& factor : {OptionalTensor(lr), OptionalTensor(found), scale, share}) checkFactor(factor);
  return {params.vec(), denseOf(gradients, params), vectorOf(averages), vectorOf(halves), lr, found, scale, share};
}

std::vector<Tensor> scaledGradients(const Update& u) {
  // A parameter in bfloat16 has a gradient of its own type.
  std::vector<Tensor> gradients = u.params[0].scalar_type() == at::kFloat ? widened(u.gradients) : u.gradients;
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
