// Running sums on a device, and copies of many tensors: each by one kernel or by plain operators.
#include <ATen/ATen.h>
#include <torch/library.h>

#include <map>

#include "../library.h"
#include "many.h"
#include "step.h"

namespace srrl {

namespace {

using at::Tensor;
using kernels::Engine;
using OptionalTensor = std::optional<Tensor>;
using OptionalTensors = std::vector<OptionalTensor>;
using Tensors = std::vector<Tensor>;

void plainMeans(const Tensor& sums, const OptionalTensors& values, const Tensor& weights, const OptionalTensor& found) {
  const auto options = sums.options().requires_grad(false);
  Tensors row;
  for (const OptionalTensor& value : values)
    row.push_back(value ? value->detach().to(at::kDouble) : at::zeros({}, options));
  row.push_back(at::ones({}, options));
  const Tensor added = at::stack(row).mul(weights);
  sums.add_(found ? at::where(found->gt(0), 0, added) : added);
}

void ownMeans(Engine& engine, const Tensor& sums, const OptionalTensors& values, const Tensor& weights,
              const OptionalTensor& found) {
  kernels::Means p{};
  static_assert(sizeof p <= kernels::kMostParameters);
  Tensors used = {sums, weights};
  for (const OptionalTensor& value : values) {
    p.values[p.count++] = value ? kernels::scalarOf(*value, sums) : kernels::Scalar{nullptr, kernels::Type::kNone};
    if (value) used.push_back(*value);
  }
  if (found) used.push_back(*found);
  p.weights = weights.const_data_ptr<double>();
  p.sums = sums.mutable_data_ptr<double>();
  p.found = found ? found->const_data_ptr<float>() : nullptr;
  kernels::launch(engine, "step_means", kernels::kRow, p, used);
}

bool meansAgree(Engine& engine, const Tensor& like) {
  const auto make = [&](at::ScalarType type, double value) {
    return at::full({}, value, at::TensorOptions(type).device(like.device()));
  };
  const auto results = [&](const auto& add) {
    const Tensor sums = kernels::sample(like, {6}, 1).to(at::kDouble),
                 weights = kernels::sample(like, {6}, 2).to(at::kDouble);
    const OptionalTensors values = {make(at::kFloat, 1.25), make(at::kDouble, 3.1), std::nullopt, make(at::kLong, 5),
                                    make(at::kBFloat16, -0.3)};
    for (const double found : {0., 1., 0.}) add(sums, values, weights, make(at::kFloat, found));
    add(sums, values, weights, OptionalTensor());
    return sums;
  };
  const auto own = [&](const Tensor& sums, const OptionalTensors& values, const Tensor& weights,
                       const OptionalTensor& found) { ownMeans(engine, sums, values, weights, found); };
  return at::allclose(results(own), results(plainMeans), 1e-12, 0);
}

// sums += weights * [values..., 1], float64 [values + 1]; a missing value counts as 0. Does nothing if `found` is above
// 0.
void addMeans(const Tensor& sums, const c10::List<OptionalTensor>& given, const Tensor& weights,
              const OptionalTensor& found) {
  OptionalTensors values;
  for (const OptionalTensor& value : given) values.push_back(value && value->defined() ? value : std::nullopt);
  const auto isRow = [&](const Tensor& row) {
    return kernels::isDense(row, at::kDouble, sums) &&
           row.sizes() == c10::IntArrayRef({static_cast<int64_t>(values.size()) + 1});
  };
  const auto isScalar = [&](const OptionalTensor& value) {
    return !value || kernels::scalarOf(*value, sums).type != kernels::Type::kNone;
  };
  Engine* engine = kernels::engineFor(sums);
  const bool ours = engine && isRow(sums) && isRow(weights) && values.size() <= kernels::Means::kMost &&
                    std::all_of(values.begin(), values.end(), isScalar) &&
                    (!found || kernels::isNumber(*found, at::kFloat, sums)) &&
                    kernels::trusted(sums, "step_means", [&] { return meansAgree(*engine, sums); });
  if (ours)
    ownMeans(*engine, sums, values, weights, found);
  else
    plainMeans(sums, values, weights, found);
}

// By dtype, because foreach operators are fast only if all tensors have the same.
void plainCopies(const Tensors& to, const Tensors& from, const OptionalTensor& where) {
  std::map<at::ScalarType, std::pair<Tensors, Tensors>> groups;
  for (size_t i = 0; i < to.size(); i++) {
    auto& [targets, sources] = groups[to[i].scalar_type()];
    targets.push_back(to[i]);
    sources.push_back(from[i]);
  }
  for (const auto& [type, group] : groups) {
    const auto& [targets, sources] = group;
    if (!where) {
      at::_foreach_copy_(targets, sources);
      continue;
    }
    const auto flat = [](const Tensors& tensors) {
      Tensors rows;
      for (const Tensor& tensor : tensors) rows.push_back(tensor.reshape({-1}));
      return at::cat(rows);
    };
    const Tensor chosen = at::where(where->gt(0), flat(sources), flat(targets));
    Tensors parts;
    int64_t begin = 0;
    for (const Tensor& target : targets) {
      parts.push_back(chosen.narrow(0, begin, target.numel()).view(target.sizes()));
      begin += target.numel();
    }
    at::_foreach_copy_(targets, parts);
  }
}

void ownCopies(Engine& engine, const Tensors& to, const Tensors& from, const OptionalTensor& where) {
  kernels::Copy p{};
  p.where = where ? where->const_data_ptr<float>() : nullptr;
  Tensors used = to;
  used.insert(used.end(), from.begin(), from.end());
  if (where) used.push_back(*where);
  kernels::Launches<kernels::Copy> launches(engine, "step_copy", p, used);
  for (size_t i = 0; i < to.size(); i++) {
    const int64_t bytes = static_cast<int64_t>(to[i].nbytes());
    if (bytes == 0) continue;
    if (launches.full()) launches.run();
    launches.add({to[i].mutable_data_ptr(), from[i].const_data_ptr()}, bytes,
                 kernels::chunksOf(bytes, kernels::kChunkBytes));
  }
  launches.run();
}

bool copiesAgree(Engine& engine, const Tensor& like) {
  const auto results = [&](const auto& copy) {
    Tensors all;
    for (const std::optional<double> where : {std::optional(0.), std::optional(1.), std::optional<double>()}) {
      Tensors to, from;
      for (const int64_t size : {1, 3, 64, kernels::kChunk + 3}) {
        to.push_back(kernels::sample(like, {size}, 1));
        from.push_back(kernels::sample(like, {size}, 2));
        to.push_back(at::arange(size, from[0].options().dtype(at::kLong)));
        from.push_back(at::arange(size, from[0].options().dtype(at::kLong)).add(9));
      }
      copy(to, from, where ? OptionalTensor(at::full({}, *where, from[0].options())) : OptionalTensor());
      for (const Tensor& tensor : to) all.push_back(tensor.to(at::kFloat));
    }
    return at::cat(all);
  };
  return at::equal(results([&](const Tensors& to, const Tensors& from, const OptionalTensor& where) {
                     ownCopies(engine, to, from, where);
                   }),
                   results(plainCopies));
}

// Copies many tensors; with `where`, a number on the device, only if that is above 0.
void copyAll(at::TensorList to, at::TensorList from, const OptionalTensor& where) {
  TORCH_CHECK(to.size() == from.size(), "to and from must have the same length, got ", to.size(), " and ", from.size());
  if (to.empty()) return;
  const Tensor& like = to[0];
  const auto isReady = [&](const Tensor& tensor) { return kernels::isDense(tensor, tensor.scalar_type(), like); };
  bool fits = !where || kernels::isNumber(*where, at::kFloat, like);
  for (size_t i = 0; i < to.size() && fits; i++)
    fits = isReady(to[i]) && isReady(from[i]) && to[i].scalar_type() == from[i].scalar_type() &&
           kernels::liesAs(to[i], from[i]);
  Engine* engine = kernels::engineFor(like);
  const bool ours = engine && fits && kernels::trusted(like, "step_copy", [&] { return copiesAgree(*engine, like); });
  if (ours)
    ownCopies(*engine, to.vec(), from.vec(), where);
  else
    plainCopies(to.vec(), from.vec(), where);
}

}  // namespace

void defineSums(torch::Library& library) {
  library.def("add_means_(Tensor(a!) sums, Tensor?[] values, Tensor weights, Tensor? found) -> ()", addMeans);
  library.def("copy_all_(Tensor(a!)[] to, Tensor[] from, Tensor? where) -> ()", copyAll);
}

}  // namespace srrl
