// What the updates of all optimizers share on a device: factors that are read there, moving averages of the parameters,
// and half-precision copies.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <vector>

#include "many.h"

namespace srrl::kernels {

using OptionalTensor = std::optional<at::Tensor>;
using OptionalTensors = std::vector<OptionalTensor>;

struct Update {
  std::vector<at::Tensor> params, gradients;
  OptionalTensors averages, halves;  // as many as params, or none
  at::Tensor lr, found;
  OptionalTensor scale, share;
};

// Checks that all lists, also those in `states`, are as long as that of the parameters.
Update updateOf(at::TensorList params, at::TensorList gradients, std::initializer_list<at::TensorList> states,
                const c10::List<OptionalTensor>& averages, const c10::List<OptionalTensor>& halves,
                const at::Tensor& lr, const at::Tensor& found, const OptionalTensor& scale,
                const OptionalTensor& share);

// Throws if a number that a step reads is anything else.
void checkFactor(const OptionalTensor& factor);

// Returns entry i of a list, or nothing if the list is empty.
OptionalTensor oneOf(const OptionalTensors& list, size_t i);

// By plain operators: the gradients in float32 times `scale`, and the update of averages and half-precision copies.
std::vector<at::Tensor> scaledGradients(const Update& update);
void followPlainly(const Update& update);

// Whether kernels support the update. Each of `states` is as long as the list of parameters.
bool fits(const Update& update, at::ArrayRef<std::vector<at::Tensor>> states);

// Returns all tensors of an update, for the launches.
std::vector<at::Tensor> tensorsOf(const Update& update, at::ArrayRef<std::vector<at::Tensor>> states);

// Deterministic parameters, gradients, averages and copies with sizes around multiples of a block.
Update sampleUpdate(const at::Tensor& like);
std::vector<at::Tensor> sampleStates(const Update& update, double seed);

// Whether two implementations of an update agree after three steps each, of which the second has NaN or Inf. `step`
// changes the given update and the returned states; `first` is true in the first step.
using Step = std::function<void(Update& update, bool first)>;
struct Way {
  std::vector<std::vector<at::Tensor>> states;
  Step step;
};
bool waysAgree(const at::Tensor& like, const std::function<Way(const Update&)>& ours,
               const std::function<Way(const Update&)>& plain);

// Launches a kernel over all parameters. `add` fills the fields of a member that belong to the optimizer.
template <typename Parameters, typename Add>
void launchUpdate(Engine& engine, const char* kernel, Parameters& p, const Update& u,
                  at::ArrayRef<std::vector<at::Tensor>> states, const Add& add) {
  const auto dataOf = [](const OptionalTensor& tensor) { return tensor ? tensor->const_data_ptr<float>() : nullptr; };
  p.by = {dataOf(u.lr), dataOf(u.found), dataOf(u.scale), dataOf(u.share)};
  const std::vector<at::Tensor> used = tensorsOf(u, states);
  Launches<Parameters> launches(engine, kernel, p, used);
  for (size_t i = 0; i < u.params.size(); i++) {
    const int64_t size = u.params[i].numel();
    if (size == 0) continue;
    const OptionalTensor average = oneOf(u.averages, i), half = oneOf(u.halves, i);
    typename Parameters::Members::Member member{};
    member.param = u.params[i].template mutable_data_ptr<float>();
    member.gradient = u.gradients[i].const_data_ptr();
    member.average = average ? average->template mutable_data_ptr<float>() : nullptr;
    member.half = half ? half->mutable_data_ptr() : nullptr;
    add(member, i);
    if (launches.full()) launches.run();
    p.isNarrow[launches.next()] = u.gradients[i].scalar_type() == at::kBFloat16;
    launches.add(member, size, chunksOf(size, kChunk));
  }
  launches.run();
}

}  // namespace srrl::kernels
