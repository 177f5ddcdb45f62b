#include "norm_relu.h"

#include <limits>

#include "../plain.h"
#include "engine.h"
#include "many.h"
#include "norm_tiling.h"

namespace srrl::kernels {

namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

constexpr int64_t kMostImages = 65535;

bool isMap(const Tensor& map) {
  const bool known = map.scalar_type() == at::kFloat || map.scalar_type() == at::kBFloat16;
  return isPlain(map) && known && map.dim() == 4 && map.numel() > 0 &&
         map.numel() / map.size(1) < std::numeric_limits<int>::max() / 2 &&
         map.is_contiguous(at::MemoryFormat::ChannelsLast);
}

bool isLike(const Tensor& other, const Tensor& map) {
  return isMap(other) && other.sizes() == map.sizes() && other.scalar_type() == map.scalar_type() &&
         other.device() == map.device();
}

bool isRow(const Tensor& row, const Tensor& map) {
  return isPlain(row) && row.scalar_type() == at::kFloat && row.device() == map.device() && row.is_contiguous() &&
         row.sizes() == c10::IntArrayRef({map.size(1)});
}

bool fits(const NormSetting& s) {
  const auto isRowIf = [&](const OptionalTensor& row) { return !row || isRow(*row, s.input); };
  return isMap(s.input) && isRow(s.weight, s.input) && isRow(s.bias, s.input) && isRowIf(s.runningMean) &&
         isRowIf(s.runningVar) && s.runningMean.has_value() == s.runningVar.has_value() &&
         (!s.residual || isLike(*s.residual, s.input)) && (!s.tracked || isNumber(*s.tracked, at::kLong, s.input)) &&
         (s.form != NormForm::kPooled || s.input.size(0) <= kMostImages);
}

int64_t areaOf(const Tensor& map) { return map.size(2) * map.size(3); }

std::string nameOf(const char* step, const NormSetting& s, const NormTiling& tiling) {
  const char* form = s.form == NormForm::kPooled   ? "_pooled"
                     : s.form == NormForm::kLinear ? "_linear"
                     : s.form == NormForm::kJoined ? "_joined"
                     : s.residual                  ? "_residual"
                                                   : "";
  return std::string("norm_") + step + form + tiling.suffix;
}

// Once the sum exists, the rest is a normalization of it.
NormSetting behindSum(NormSetting s) {
  if (s.form != NormForm::kJoined) return s;
  s.form = NormForm::kRelu;
  s.residual = std::nullopt;
  return s;
}

Norm parametersOf(const NormSetting& s) {
  Norm p{};
  p.input = s.input.const_data_ptr();
  p.weight = s.weight.const_data_ptr<float>();
  p.bias = s.bias.const_data_ptr<float>();
  p.pixels = static_cast<int>(s.input.numel() / s.input.size(1));
  p.channels = static_cast<int>(s.input.size(1));
  p.area = s.form == NormForm::kPooled ? static_cast<int>(areaOf(s.input)) : 0;
  p.momentum = static_cast<float>(s.momentum);
  p.eps = static_cast<float>(s.eps);
  return p;
}

Tensor rowLike(const Tensor& row) { return at::empty_like(row); }

const void* dataOf(const Tensor& tensor) { return tensor.defined() ? tensor.const_data_ptr() : nullptr; }
const void* dataOf(const OptionalTensor& tensor) { return tensor ? tensor->const_data_ptr() : nullptr; }
void* writable(const Tensor& tensor) { return tensor.defined() ? tensor.mutable_data_ptr() : nullptr; }

// Two launches: the first leaves partial results. Its last block joins them if they are many, else the second launch
// does.
struct TwoLaunches {
  Engine& engine;
  const NormTiling& tiling;
  std::vector<Tensor> used;

  void run(Norm p, const std::string& first, const std::string& second, int64_t images = 0) {
    p.partialPixels = p.chunk = tiling.chunk(p.pixels, kNormJoinedBlocks);
    p.partials = partsOf(p);
    const Tensor partial = at::empty({p.partials, 2, p.channels}, used[1].options());
    p.partial = partial.mutable_data_ptr<float>();
    used.push_back(partial);
    const bool joinsNext = tiling.joinsNext(p.partials);
    if (!joinsNext) {
      used.push_back(counters(partial, tiling.tiles));
      p.counters = reinterpret_cast<unsigned*>(used.back().mutable_data_ptr<int>());
    }
    launch(engine, first, tiling.shape(p.partials), p, used);
    p.chunk = tiling.chunk(p.pixels, kNormFreeBlocks);
    if (!joinsNext) p.partials = 0;
    if (p.sum) p.input = p.sum;
    launch(engine, second, tiling.shape(images > 0 ? images : partsOf(p)), p, used);
  }

  static int partsOf(const Norm& p) { return (p.pixels + p.chunk - 1) / p.chunk; }
};

NormResult forward(Engine& engine, const NormSetting& s) {
  const bool pooled = s.form == NormForm::kPooled, joined = s.form == NormForm::kJoined;
  const Tensor output =
      pooled ? at::empty({s.input.size(0), s.input.size(1)}, s.input.options().memory_format(std::nullopt))
             : at::empty_like(s.input);
  const NormResult made{output, rowLike(s.weight), rowLike(s.weight), joined ? at::empty_like(s.input) : Tensor()};
  const NormTiling tiling(s.input, {output.const_data_ptr(), dataOf(s.residual), dataOf(made.sum)});
  Norm p = parametersOf(s);
  p.residual = dataOf(s.residual);
  p.result = output.mutable_data_ptr();
  p.sum = writable(made.sum);
  p.mean = made.mean.mutable_data_ptr<float>();
  p.deviation = made.deviation.mutable_data_ptr<float>();
  p.runningMean = s.runningMean ? s.runningMean->mutable_data_ptr<float>() : nullptr;
  p.runningVar = s.runningVar ? s.runningVar->mutable_data_ptr<float>() : nullptr;
  p.tracked = s.tracked ? reinterpret_cast<long long*>(s.tracked->mutable_data_ptr<int64_t>()) : nullptr;
  std::vector<Tensor> used = {s.input, s.weight, s.bias, made.output, made.mean, made.deviation};
  for (const OptionalTensor& other : {s.residual, s.runningMean, s.runningVar, s.tracked})
    if (other) used.push_back(*other);
  if (joined) used.push_back(made.sum);
  TwoLaunches{engine, tiling, used}.run(p, std::string("norm_statistics") + (joined ? "_joined" : "") + tiling.suffix,
                                        nameOf("apply", behindSum(s), tiling), pooled ? s.input.size(0) : 0);
  return made;
}

NormGradients backward(Engine& engine, const NormSetting& s, const NormResult& made, const NormReturned& returned) {
  const bool residual = s.form == NormForm::kRelu && s.residual;
  const NormGradients to{at::empty_like(s.input), rowLike(s.weight), rowLike(s.weight),
                         residual ? at::empty_like(s.input) : Tensor()};
  const NormTiling tiling(s.input,
                          {returned.output.const_data_ptr(), dataOf(returned.sum), made.output.const_data_ptr()});
  Norm p = parametersOf(s);
  const Tensor slope = rowLike(s.weight), offset = rowLike(s.weight);
  p.gradient = returned.output.const_data_ptr();
  p.toSum = dataOf(returned.sum);
  p.output = made.output.const_data_ptr();
  p.result = to.input.mutable_data_ptr();
  p.toResidual = writable(to.residual);
  p.mean = made.mean.mutable_data_ptr<float>();
  p.deviation = made.deviation.mutable_data_ptr<float>();
  p.toWeight = to.weight.mutable_data_ptr<float>();
  p.toBias = to.bias.mutable_data_ptr<float>();
  p.slope = slope.mutable_data_ptr<float>();
  p.offset = offset.mutable_data_ptr<float>();
  std::vector<Tensor> used = {s.input,         s.weight, s.bias,    made.output, made.mean, made.deviation,
                              returned.output, to.input, to.weight, to.bias,     slope,     offset};
  for (const Tensor& other : {to.residual, returned.sum})
    if (other.defined()) used.push_back(other);
  const NormSetting alone = behindSum(s);
  TwoLaunches{engine, tiling, used}.run(p, nameOf("sums", alone, tiling),
                                        nameOf("gradients", returned.sum.defined() ? s : alone, tiling));
  return to;
}

using OutputAndSum = std::pair<Tensor, Tensor>;

OutputAndSum frozen(Engine& engine, const NormSetting& s, const Tensor& deviation) {
  const Tensor output = at::empty_like(s.input), sum = s.form == NormForm::kJoined ? at::empty_like(s.input) : Tensor();
  const NormTiling tiling(s.input, {output.const_data_ptr(), dataOf(s.residual), dataOf(sum)});
  Norm p = parametersOf(s);
  p.residual = dataOf(s.residual);
  p.result = output.mutable_data_ptr();
  p.sum = writable(sum);
  p.mean = s.runningMean->mutable_data_ptr<float>();
  p.deviation = deviation.mutable_data_ptr<float>();
  p.chunk = tiling.chunk(p.pixels, kNormFreeBlocks);
  std::vector<Tensor> used = {s.input, s.weight, s.bias, *s.runningMean, deviation, output};
  if (sum.defined()) used.insert(used.end(), {*s.residual, sum});
  launch(engine, nameOf("apply", s, tiling), tiling.shape(TwoLaunches::partsOf(p)), p, used);
  return {output, sum};
}

OutputAndSum plainFrozen(const NormSetting& s) {
  const Tensor sum = s.form == NormForm::kJoined ? s.input.add(*s.residual) : Tensor();
  const Tensor output = at::batch_norm(sum.defined() ? sum : s.input, s.weight, s.bias, s.runningMean, s.runningVar,
                                       false, 0, s.eps, true);
  return {s.form == NormForm::kLinear ? output : at::relu(output), sum};
}

bool frozenAgrees(Engine& engine, const NormSetting& s, const Tensor& deviation) {
  const OutputAndSum ours = frozen(engine, s, deviation), plain = plainFrozen(s);
  return agrees(ours.first, plain.first) && (!plain.second.defined() || agrees(ours.second, plain.second));
}

std::string kindOf(const char* direction, const NormSetting& s) {
  const NormTiling tiling(s.input, {dataOf(s.residual)});
  return nameOf(direction, s, tiling) + " [" + std::to_string(s.input.size(1)) + "]";
}

// Running statistics are modified, so each of the compared implementations gets its own copy.
NormSetting withOwnStatistics(NormSetting s) {
  for (OptionalTensor* row : {&s.runningMean, &s.runningVar, &s.tracked})
    if (*row) *row = (*row)->clone();
  return s;
}

bool agreeIfThere(const OptionalTensor& ours, const OptionalTensor& plain) { return !ours || agrees(*ours, *plain); }

bool forwardAgrees(Engine& engine, const NormSetting& setting) {
  const NormSetting mine = withOwnStatistics(setting), theirs = withOwnStatistics(setting);
  const NormResult ours = forward(engine, mine), plain = plainNorm(theirs);
  return agrees(ours.output, plain.output) && (!ours.sum.defined() || agrees(ours.sum, plain.sum)) &&
         agreeIfThere(mine.runningMean, theirs.runningMean) && agreeIfThere(mine.runningVar, theirs.runningVar) &&
         (!mine.tracked || at::equal(*mine.tracked, *theirs.tracked));
}

bool backwardAgrees(Engine& engine, const NormSetting& s, const NormResult& made, const NormReturned& returned) {
  const NormGradients ours = backward(engine, s, made, returned), plain = plainNormBackward(s, made, returned);
  return agrees(ours.input, plain.input) && agrees(ours.weight, plain.weight) && agrees(ours.bias, plain.bias) &&
         (!ours.residual.defined() || agrees(ours.residual, plain.residual));
}

}  // namespace

NormResult plainNorm(const NormSetting& s) {
  const Tensor sum = s.form == NormForm::kJoined ? s.input.add(*s.residual) : Tensor();
  const Tensor& input = sum.defined() ? sum : s.input;
  auto [output, mean, deviation] =
      at::native_batch_norm(input, s.weight, s.bias, s.runningMean, s.runningVar, true, s.momentum, s.eps);
  if (s.tracked) s.tracked->add_(1);
  if (s.form == NormForm::kLinear) return {output, mean, deviation, {}};
  if (s.form == NormForm::kRelu && s.residual) output = output.add(*s.residual);
  output = output.relu_();
  return {s.form == NormForm::kPooled ? output.mean({2, 3}) : output, mean, deviation, sum};
}

NormGradients plainNormBackward(const NormSetting& s, const NormResult& made, const NormReturned& returned) {
  Tensor through = returned.output;
  if (s.form == NormForm::kPooled) {
    const Tensor output = std::get<0>(at::native_batch_norm(s.input, s.weight, s.bias, {}, {}, true, 0, s.eps));
    const Tensor given = through.div(areaOf(s.input))
                             .unsqueeze(2)
                             .unsqueeze(3)
                             .expand_as(s.input)
                             .contiguous(at::MemoryFormat::ChannelsLast);
    through = at::threshold_backward(given, output, 0);
  } else if (s.form != NormForm::kLinear) {
    through = at::threshold_backward(through, made.output, 0);
  }
  const auto [input, weight, bias] = at::native_batch_norm_backward(through, s.input, s.weight, {}, {}, made.mean,
                                                                    made.deviation, true, s.eps, {true, true, true});
  return {returned.sum.defined() ? input.add(returned.sum) : input, weight, bias, through};
}

bool normFits(const NormSetting& setting) { return engineFor(setting.input) && fits(setting); }

std::optional<NormResult> norm(const NormSetting& setting) {
  Engine* engine = engineFor(setting.input);
  if (!engine || !fits(setting)) return std::nullopt;
  if (!trusted(setting.input, kindOf("forward", setting), [&] { return forwardAgrees(*engine, setting); }))
    return std::nullopt;
  return forward(*engine, setting);
}

OutputAndSum frozenNorm(const NormSetting& s, const Tensor& deviation) {
  Engine* engine = engineFor(s.input);
  const bool ours = engine && fits(s) && isRow(deviation, s.input) &&
                    trusted(s.input, kindOf("frozen", s), [&] { return frozenAgrees(*engine, s, deviation); });
  return ours ? frozen(*engine, s, deviation) : plainFrozen(s);
}

std::optional<NormGradients> normBackward(const NormSetting& setting, const NormResult& made,
                                          const NormReturned& given) {
  Engine* engine = installedFor(setting.input);
  if (!engine || !fits(setting)) return std::nullopt;
  const auto inOrder = [](const Tensor& gradient) {
    return gradient.dim() == 4 ? plain(gradient).contiguous(at::MemoryFormat::ChannelsLast)
                               : plain(gradient).contiguous();
  };
  const NormReturned returned{inOrder(given.output), given.sum.defined() ? inOrder(given.sum) : Tensor()};
  for (const Tensor& gradient : {returned.output, returned.sum})
    if (gradient.defined() && gradient.scalar_type() != setting.input.scalar_type()) return std::nullopt;
  const std::string kind = kindOf(returned.sum.defined() ? "backward_with_sum" : "backward", setting);
  if (!trusted(setting.input, kind, [&] { return backwardAgrees(*engine, setting, made, returned); }))
    return std::nullopt;
  return backward(*engine, setting, made, returned);
}

}  // namespace srrl::kernels
