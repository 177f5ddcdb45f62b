// Decides on the device whether a step has NaN or Inf, and updates what depends on it: by a kernel or by plain
// operators.
#include <ATen/ATen.h>
#include <torch/library.h>

#include <cmath>

#include "../library.h"
#include "many.h"
#include "step.h"

namespace srrl {

namespace {

using at::Tensor;
using kernels::Engine;
using kernels::Sizes;
using OptionalTensor = std::optional<Tensor>;
using Tensors = std::vector<Tensor>;

struct JudgeSetting {
  Tensors losses, terms;
  bool normDecides;
  OptionalTensor log;
  Tensor next, any, found;
  bool sticky;
  OptionalTensor scale, share, averaged;
  double maxNorm, decay;
  bool warmUp;
};

Tensor plainJudge(const JudgeSetting& s, const Sizes& sizes) {
  Tensors values;
  for (const Tensor& loss : s.losses) values.push_back(loss.detach().to(at::kDouble));
  values.push_back((s.normDecides ? sizes.norm : at::zeros_like(sizes.norm)).to(at::kDouble));
  Tensors terms;
  for (const Tensor& term : s.terms) terms.push_back(term.detach().to(at::kDouble));
  Tensors groups = {at::stack(values)};
  if (sizes.largest.numel() > 0) groups.push_back(sizes.largest.to(at::kDouble));
  if (!terms.empty()) groups.push_back(at::stack(terms));
  const Tensor all = at::cat(groups);
  const int64_t deciding = s.losses.size() + 1 + sizes.largest.numel();
  if (s.scale) s.scale->copy_(sizes.norm.add(1e-6).reciprocal().mul(s.maxNorm).clamp_max(1));
  if (!s.log && !s.share) return all;
  const Tensor bad = all.narrow(0, 0, deciding).isfinite().all().logical_not().to(at::kFloat);
  if (s.log) {
    s.log->index_copy_(0, s.next.remainder(s.log->size(0)), all.unsqueeze(0));
    s.next.add_(1);
    s.any.copy_(at::maximum(s.any, bad));
    s.found.copy_(s.sticky ? at::maximum(s.found, bad) : bad);
  }
  if (s.share) {
    const Tensor ok = at::rsub(s.log ? s.found : bad, 1);
    const Tensor share = s.warmUp ? at::rsub(s.averaged->add(1).div(s.averaged->add(10)).clamp_max(s.decay), 1)
                                  : at::ones_like(ok).mul(1 - s.decay);
    s.share->copy_(share.mul(ok));
    s.averaged->add_(ok.to(at::kLong));
  }
  return all;
}

bool fits(const JudgeSetting& s, const Sizes& sizes) {
  const Tensor& like = s.found;
  const auto isScalar = [&](const Tensor& number) {
    return kernels::scalarOf(number, like).type != kernels::Type::kNone;
  };
  const auto isFactor = [&](const OptionalTensor& factor) {
    return !factor || kernels::isNumber(*factor, at::kFloat, like);
  };
  const int64_t values = s.losses.size() + 1 + sizes.largest.numel() + s.terms.size();
  const bool logFits = !s.log || (kernels::isDense(*s.log, at::kDouble, like) && s.log->is_contiguous() &&
                                  s.log->dim() == 2 && s.log->size(1) == values);
  return s.losses.size() + s.terms.size() <= kernels::Judge::kMost &&
         std::all_of(s.losses.begin(), s.losses.end(), isScalar) &&
         std::all_of(s.terms.begin(), s.terms.end(), isScalar) && logFits &&
         kernels::isNumber(s.next, at::kLong, like) && isFactor(s.any) && isFactor(s.found) && isFactor(s.scale) &&
         isFactor(s.share) && (!s.averaged || kernels::isNumber(*s.averaged, at::kLong, like)) &&
         isFactor(sizes.norm) && sizes.largest.scalar_type() == at::kFloat && sizes.largest.is_contiguous();
}

Tensor ownJudge(Engine& engine, const JudgeSetting& s, const Sizes& sizes) {
  const int64_t statistics = sizes.largest.numel(), scalars = s.losses.size() + s.terms.size();
  const Tensor values = at::empty({scalars + 1 + statistics}, at::TensorOptions(at::kDouble).device(s.found.device()));
  Tensors used = {values, s.next, s.any, s.found, sizes.norm, sizes.largest};
  kernels::Judge p{};
  static_assert(sizeof p <= kernels::kMostParameters);
  for (const auto& list : {s.losses, s.terms}) {
    for (const Tensor& number : list) {
      p.scalars[p.count++] = kernels::scalarOf(number, s.found);
      used.push_back(number);
    }
  }
  for (const OptionalTensor& tensor : {s.log, s.scale, s.share, s.averaged})
    if (tensor) used.push_back(*tensor);
  p.losses = static_cast<int>(s.losses.size());
  p.norm = sizes.norm.const_data_ptr<float>();
  p.largest = sizes.largest.const_data_ptr<float>();
  p.statistics = static_cast<int>(statistics);
  p.normDecides = s.normDecides;
  p.values = values.mutable_data_ptr<double>();
  p.log = s.log ? s.log->mutable_data_ptr<double>() : nullptr;
  p.rows = s.log ? static_cast<int>(s.log->size(0)) : 1;
  p.next = reinterpret_cast<long long*>(s.next.mutable_data_ptr<int64_t>());
  p.any = s.any.mutable_data_ptr<float>();
  p.found = s.found.mutable_data_ptr<float>();
  p.sticky = s.sticky;
  p.scale = s.scale ? s.scale->mutable_data_ptr<float>() : nullptr;
  p.maxNorm = static_cast<float>(s.maxNorm);
  p.share = s.share ? s.share->mutable_data_ptr<float>() : nullptr;
  p.averaged = s.averaged ? reinterpret_cast<long long*>(s.averaged->mutable_data_ptr<int64_t>()) : nullptr;
  p.decay = static_cast<float>(s.decay);
  p.constantShare = static_cast<float>(1 - s.decay);
  p.warmUp = s.warmUp;
  kernels::launch(engine, "step_judge", kernels::kRow, p, used);
  return values;
}

// Compares finite and non-finite steps in sequence, with everything that they change.
bool agree(Engine& engine, const Tensor& like) {
  const auto make = [&](at::ScalarType type, at::IntArrayRef sizes, double value) {
    return at::full(sizes, value, at::TensorOptions(type).device(like.device()));
  };
  const auto number = [&](double value) { return make(at::kFloat, {}, value); };
  const double nan = std::nan(""), infinite = std::numeric_limits<double>::infinity();
  const auto results = [&](bool sticky, const auto& judge) {
    JudgeSetting s{{},
                   {},
                   true,
                   make(at::kDouble, {3, 6}, 0),
                   make(at::kLong, {1}, 1),
                   number(0),
                   number(0),
                   sticky,
                   number(0),
                   number(0),
                   make(at::kLong, {}, 3),
                   0.5,
                   0.9,
                   true};
    Tensors all;
    for (const auto& [loss, largest, term] :
         {std::tuple(1.5, 2., 3.), {1., 1., nan}, {1., infinite, 1.}, {nan, 1., 2.}, {2., 3., 4.}}) {
      s.losses = {number(loss)};
      s.terms = {make(at::kDouble, {}, term), make(at::kLong, {}, 7)};
      const Sizes sizes{number(2), at::stack({number(largest), number(1)})};
      for (const bool logs : {true, false}) {
        JudgeSetting one = s;
        if (!logs) one.log = {};
        all.push_back(judge(one, sizes));
        for (const Tensor& tensor : {*s.log, s.next, s.any, s.found, *s.scale, *s.share, *s.averaged})
          all.push_back(tensor.to(at::kDouble).flatten());
        s.warmUp = !s.warmUp;
      }
    }
    return at::cat(all);
  };
  for (const bool sticky : {false, true}) {
    const Tensor ours =
        results(sticky, [&](const JudgeSetting& s, const Sizes& sizes) { return ownJudge(engine, s, sizes); });
    if (!at::allclose(ours, results(sticky, plainJudge), 1e-6, 0, true)) return false;
  }
  return true;
}

Tensor judge(at::TensorList gradients, at::TensorList statistics, at::TensorList losses, at::TensorList terms,
             bool normDecides, const OptionalTensor& log, const Tensor& next, const Tensor& any, const Tensor& found,
             bool sticky, const OptionalTensor& scale, double maxNorm, const OptionalTensor& share,
             const OptionalTensor& averaged, double decay, bool warmUp) {
  TORCH_CHECK(share.has_value() == averaged.has_value(), "share and averaged must be given together");
  const Sizes sizes = kernels::sizesOf(found, gradients.vec(), statistics.vec());
  const JudgeSetting s{losses.vec(), terms.vec(), normDecides, log,      next,    any,   found,
                       sticky,       scale,       share,       averaged, maxNorm, decay, warmUp};
  Engine* engine = kernels::engineFor(found);
  const bool ours =
      engine && fits(s, sizes) && kernels::trusted(found, "step_judge", [&] { return agree(*engine, found); });
  return ours ? ownJudge(*engine, s, sizes) : plainJudge(s, sizes);
}

}  // namespace

// => float64 [losses + 1 + statistics + terms]: the losses, the norm of all gradients (0 unless `norm_decides`), the
// largest magnitude of each of the statistics, and the terms. All but the terms decide whether the step is finite.
// `log`, float64 [rows, values]: receives the values in row `next`; `found` and `any` then become 1 if the step is not
// finite; with `sticky`, `found` stays 1.
// `scale`: becomes the factor that limits the norm of the gradients to `max_norm`.
// `share`: becomes the update rate of moving averages after `averaged` updates, and `averaged` is incremented; 0 in a
// step that is not finite.
void defineJudge(torch::Library& library) {
  library.def(
      "judge_step(Tensor[] gradients, Tensor[] statistics, Tensor[] losses, Tensor[] terms, bool norm_decides, "
      "Tensor(a!)? log, Tensor(b!) next, Tensor(c!) any, Tensor(d!) found, bool sticky, Tensor(e!)? scale, "
      "float max_norm, Tensor(f!)? share, Tensor(g!)? averaged, float decay, bool warm_up) -> Tensor",
      judge);
}

}  // namespace srrl
