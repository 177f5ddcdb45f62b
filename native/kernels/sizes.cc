// Norm and largest magnitudes of many tensors: by a kernel or by plain operators.
#include <cmath>

#include "many.h"
#include "step.h"

namespace srrl::kernels {

namespace {

using at::Tensor;
using Tensors = std::vector<Tensor>;

Sizes plainSizes(const Tensor& like, const Tensors& gradients, const Tensors& statistics) {
  const auto options = at::TensorOptions(at::kFloat).device(like.device());
  Sizes sizes{at::zeros({}, options), at::empty({0}, options)};
  if (!gradients.empty()) {
    Tensors norms = at::_foreach_norm(widened(gradients), 2);
    for (Tensor& norm : norms) norm = norm.to(norms[0].device());
    sizes.norm = at::linalg_vector_norm(at::stack(norms), 2);
  }
  if (!statistics.empty()) {
    Tensors norms = at::_foreach_norm(statistics, std::numeric_limits<double>::infinity());
    const auto isAlike = [&](const Tensor& norm) { return norm.scalar_type() == norms[0].scalar_type(); };
    if (!std::all_of(norms.begin(), norms.end(), isAlike))
      for (Tensor& norm : norms) norm = norm.to(at::kDouble);
    sizes.largest = at::stack(norms);
  }
  return sizes;
}

Sizes ownSizes(Engine& engine, const Tensor& like, const Tensors& gradients, const Tensors& statistics) {
  const auto options = at::TensorOptions(at::kFloat).device(like.device());
  int64_t blocks = 0;
  for (const Tensor& gradient : gradients) blocks += chunksOf(gradient.numel(), kChunk);
  const Tensor partial = at::empty({blocks}, options), counted = counters(like, 1);
  const Sizes sizes{blocks > 0 ? at::empty({}, options) : at::zeros({}, options),
                    at::empty({static_cast<int64_t>(statistics.size())}, options)};
  Magnitudes p{};
  p.partials = p.partial = partial.mutable_data_ptr<float>();
  p.blocks = static_cast<int>(blocks);
  p.largest = sizes.largest.mutable_data_ptr<float>();
  p.total = sizes.norm.mutable_data_ptr<float>();
  p.counter = reinterpret_cast<unsigned*>(counted.mutable_data_ptr<int>());
  Tensors used = {partial, counted, sizes.norm, sizes.largest};
  for (const auto& list : {gradients, statistics}) used.insert(used.end(), list.begin(), list.end());
  Launches<Magnitudes> launches(engine, "step_magnitudes", p, used);
  // Each launch writes behind the results of the previous ones.
  int64_t done = 0, largest = 0;
  const auto next = [&] {
    launches.run();
    p.partial += std::exchange(done, 0);
    p.largest += std::exchange(largest, 0);
    p.gradients = 0;
  };
  for (const Tensor& gradient : gradients) {
    if (gradient.numel() == 0) continue;
    if (launches.full()) next();
    const int64_t chunks = chunksOf(gradient.numel(), kChunk);
    p.isNarrow[launches.next()] = gradient.scalar_type() == at::kBFloat16;
    launches.add(gradient.const_data_ptr(), gradient.numel(), chunks);
    p.gradients++;
    done += chunks;
  }
  for (const Tensor& statistic : statistics) {
    if (launches.full()) next();
    launches.add(statistic.const_data_ptr<float>(), statistic.numel(), 1);
    largest++;
  }
  launches.run();
  return sizes;
}

bool agree(Engine& engine, const Tensor& like) {
  const auto options = at::TensorOptions(at::kFloat).device(like.device());
  const auto of = [&](std::initializer_list<int64_t> sizes) {
    Tensors made;
    for (const int64_t size : sizes) made.push_back(sample(like, {size}, static_cast<double>(size)));
    return made;
  };
  Tensors gradients = of({3, 64, 3 * kChunk + 1}), statistics = of({5, 512});
  for (const Tensor& narrow : of({7, kChunk + 1})) gradients.push_back(narrow.to(at::kBFloat16));
  statistics.push_back(at::full({3}, std::numeric_limits<double>::infinity(), options));
  statistics.push_back(at::full({2}, std::nan(""), options));
  for (int round = 0; round < 2; round++) {
    const Sizes ours = ownSizes(engine, like, gradients, statistics), plain = plainSizes(like, gradients, statistics);
    if (!at::allclose(ours.norm, plain.norm, 1e-4, 1e-6, true) ||
        !at::allclose(ours.largest, plain.largest, 0, 0, true))
      return false;
    gradients.push_back(at::full({1}, std::nan(""), options));
  }
  return true;
}

}  // namespace

Sizes sizesOf(const Tensor& like, const Tensors& gradients, const Tensors& statistics) {
  Engine* engine = engineFor(like);
  const auto isReady = [&](const Tensor& tensor) { return isDense(tensor, at::kFloat, like); };
  const auto isFilled = [&](const Tensor& tensor) { return isReady(tensor) && tensor.numel() > 0; };
  const auto isGradient = [&](const Tensor& gradient) { return isDenseGradient(gradient, like); };
  const bool ours = engine && std::all_of(gradients.begin(), gradients.end(), isGradient) &&
                    std::all_of(statistics.begin(), statistics.end(), isFilled) &&
                    trusted(like, "step_magnitudes", [&] { return agree(*engine, like); });
  return ours ? ownSizes(*engine, like, gradients, statistics) : plainSizes(like, gradients, statistics);
}

Scalar scalarOf(const Tensor& number, const Tensor& like) {
  if (!isNumber(number, number.scalar_type(), like)) return {nullptr, Type::kNone};
  const void* data = number.const_data_ptr();
  switch (number.scalar_type()) {
    case at::kFloat: return {data, Type::kFloat};
    case at::kDouble: return {data, Type::kDouble};
    case at::kBFloat16: return {data, Type::kBFloat16};
    case at::kLong: return {data, Type::kLong};
    default: return {nullptr, Type::kNone};
  }
}

}  // namespace srrl::kernels
