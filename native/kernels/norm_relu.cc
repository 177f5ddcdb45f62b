#include "norm_relu.h"

#include <algorithm>
#include <limits>

#include "../plain.h"
#include "device/parameters.h"
#include "engine.h"

namespace srrl::kernels {

namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

// Enough blocks for two on each multiprocessor of the largest cards, with some pixels for each thread.
constexpr int64_t kBlocks = 264, kPixelsPerThread = 4, kMostImages = 65535;

bool isMap(const Tensor& map) {
  const bool known = map.scalar_type() == at::kFloat || map.scalar_type() == at::kBFloat16;
  return isPlain(map) && known && map.dim() == 4 && map.numel() > 0 && map.numel() / map.size(1) < std::numeric_limits<int>::max() &&
         map.is_contiguous(at::MemoryFormat::ChannelsLast);
}

bool isLike(const Tensor& other, const Tensor& map) {
  return isMap(other) && other.sizes() == map.sizes() && other.scalar_type() == map.scalar_type() && other.device() == map.device();
}

bool isRow(const Tensor& row, const Tensor& map) {
  return isPlain(row) && row.scalar_type() == at::kFloat && row.device() == map.device() && row.is_contiguous() && row.sizes() == c10::IntArrayRef({map.size(1)});
}

bool fits(const NormSetting& s) {
  const auto isRowIf = [&](const OptionalTensor& row) { return !row || isRow(*row, s.input); };
  return isMap(s.input) && isRow(s.weight, s.input) && isRow(s.bias, s.input) && isRowIf(s.runningMean) && isRowIf(s.runningVar) &&
         s.runningMean.has_value() == s.runningVar.has_value() && (!s.residual || isLike(*s.residual, s.input)) && (!s.pooled || s.input.size(0) <= kMostImages);
}

int64_t areaOf(const Tensor& map) { return map.size(2) * map.size(3); }

// How a map is spread over blocks and threads.
struct Tiling {
  int64_t width, tiles, rows;  // channels a thread has at once, blocks for all channels, threads a block for a channel
  Shape shape;
  std::string suffix;

  Tiling(const Tensor& map, std::initializer_list<const void*> others) {
    const bool half = map.scalar_type() == at::kBFloat16;
    const int64_t widest = half ? 8 : 4;
    const auto aligned = [](const void* data) { return reinterpret_cast<uintptr_t>(data) % 16 == 0; };
    const bool wide = map.size(1) % widest == 0 && aligned(map.const_data_ptr()) && std::all_of(others.begin(), others.end(), aligned);
    width = wide ? widest : 1;
    const int64_t groups = map.size(1) / width, columns = std::min<int64_t>(groups, 32);
    rows = kThreads / columns;
    tiles = (groups + columns - 1) / columns;
    shape = {static_cast<unsigned>(tiles), 1, static_cast<unsigned>(columns), static_cast<unsigned>(rows)};
    suffix = std::string(half ? "_bfloat" : "_float") + std::to_string(width);
  }

  Shape with(int64_t y) const {
    Shape whole = shape;
    whole.gridY = static_cast<unsigned>(y);
    return whole;
  }

  // Blocks that share the pixels; `share`: of the blocks that there may be at most.
  int64_t chunks(int64_t pixels, int64_t share = 1) const {
    return std::clamp<int64_t>(pixels / (rows * kPixelsPerThread), 1, std::max<int64_t>(1, share * kBlocks / tiles));
  }
};

std::string nameOf(const char* step, const NormSetting& s, const Tiling& tiling) {
  return std::string("norm_") + step + (s.residual ? "_residual" : s.pooled ? "_pooled" : "") + tiling.suffix;
}

Norm parametersOf(const NormSetting& s) {
  Norm p{};
  p.input = s.input.const_data_ptr();
  p.weight = s.weight.const_data_ptr<float>();
  p.bias = s.bias.const_data_ptr<float>();
  p.pixels = static_cast<int>(s.input.numel() / s.input.size(1));
  p.channels = static_cast<int>(s.input.size(1));
  p.area = s.pooled ? static_cast<int>(areaOf(s.input)) : 0;
  p.momentum = static_cast<float>(s.momentum);
  p.eps = static_cast<float>(s.eps);
  return p;
}

Tensor rowLike(const Tensor& row) { return at::empty_like(row); }

const void* dataOf(const OptionalTensor& tensor) { return tensor ? tensor->const_data_ptr() : nullptr; }

NormResult forward(Engine& engine, const NormSetting& s) {
  const Tensor output = s.pooled ? at::empty({s.input.size(0), s.input.size(1)}, s.input.options().memory_format(std::nullopt)) : at::empty_like(s.input);
  const NormResult made{output, rowLike(s.weight), rowLike(s.weight)};
  const Tiling tiling(s.input, {output.const_data_ptr(), dataOf(s.residual)});
  Norm p = parametersOf(s);
  p.chunks = static_cast<int>(tiling.chunks(p.pixels));
  const Tensor partial = at::empty({p.chunks, 2, p.channels}, s.weight.options()), counted = counters(s.input, tiling.tiles);
  p.residual = dataOf(s.residual);
  p.result = output.mutable_data_ptr();
  p.mean = made.mean.mutable_data_ptr<float>();
  p.deviation = made.deviation.mutable_data_ptr<float>();
  p.runningMean = s.runningMean ? s.runningMean->mutable_data_ptr<float>() : nullptr;
  p.runningVar = s.runningVar ? s.runningVar->mutable_data_ptr<float>() : nullptr;
  p.partial = partial.mutable_data_ptr<float>();
  p.counters = reinterpret_cast<unsigned*>(counted.mutable_data_ptr<int>());
  std::vector<Tensor> used = {s.input, s.weight, s.bias, made.output, made.mean, made.deviation, partial, counted};
  for (const OptionalTensor& other : {s.residual, s.runningMean, s.runningVar})
    if (other) used.push_back(*other);
  launch(engine, "norm_statistics" + tiling.suffix, tiling.with(p.chunks), p, used);
  p.chunks = static_cast<int>(tiling.chunks(p.pixels, 4));
  launch(engine, nameOf("apply", s, tiling), tiling.with(s.pooled ? s.input.size(0) : p.chunks), p, used);
  return made;
}

NormGradients backward(Engine& engine, const NormSetting& s, const NormResult& made, const Tensor& gradient) {
  const NormGradients to{at::empty_like(s.input), rowLike(s.weight), rowLike(s.weight), s.residual ? at::empty_like(s.input) : Tensor()};
  const Tiling tiling(s.input, {gradient.const_data_ptr(), made.output.const_data_ptr(), to.input.const_data_ptr()});
  Norm p = parametersOf(s);
  p.chunks = static_cast<int>(tiling.chunks(p.pixels));
  const Tensor partial = at::empty({p.chunks, 2, p.channels}, s.weight.options()), counted = counters(s.input, tiling.tiles);
  const Tensor slope = rowLike(s.weight), offset = rowLike(s.weight);
  p.gradient = gradient.const_data_ptr();
  p.output = made.output.const_data_ptr();
  p.result = to.input.mutable_data_ptr();
  p.toResidual = s.residual ? to.residual.mutable_data_ptr() : nullptr;
  p.mean = made.mean.mutable_data_ptr<float>();
  p.deviation = made.deviation.mutable_data_ptr<float>();
  p.toWeight = to.weight.mutable_data_ptr<float>();
  p.toBias = to.bias.mutable_data_ptr<float>();
  p.slope = slope.mutable_data_ptr<float>();
  p.offset = offset.mutable_data_ptr<float>();
  p.partial = partial.mutable_data_ptr<float>();
  p.counters = reinterpret_cast<unsigned*>(counted.mutable_data_ptr<int>());
  std::vector<Tensor> used = {s.input, s.weight,  s.bias,  made.output, made.mean, made.deviation, gradient,
                              to.input, to.weight, to.bias, partial,     counted,   slope,          offset};
  if (s.residual) used.push_back(to.residual);
  launch(engine, nameOf("sums", s, tiling), tiling.with(p.chunks), p, used);
  p.chunks = static_cast<int>(tiling.chunks(p.pixels, 4));
  launch(engine, nameOf("gradients", s, tiling), tiling.with(p.chunks), p, used);
  return to;
}

std::string kindOf(const char* direction, const NormSetting& s) {
  const Tiling tiling(s.input, {dataOf(s.residual)});
  return nameOf(direction, s, tiling) + " [" + std::to_string(s.input.size(1)) + "]";
}

// Running statistics are written, so that each of two results gets its own.
NormSetting withOwnStatistics(NormSetting s) {
  for (OptionalTensor* row : {&s.runningMean, &s.runningVar})
    if (*row) *row = (*row)->clone();
  return s;
}

bool forwardAgrees(Engine& engine, const NormSetting& setting) {
  const NormSetting mine = withOwnStatistics(setting), theirs = withOwnStatistics(setting);
  const NormResult ours = forward(engine, mine), plain = plainNorm(theirs);
  return agrees(ours.output, plain.output) && (!mine.runningMean || (agrees(*mine.runningMean, *theirs.runningMean) && agrees(*mine.runningVar, *theirs.runningVar)));
}

bool backwardAgrees(Engine& engine, const NormSetting& s, const NormResult& made, const Tensor& gradient) {
  const NormGradients ours = backward(engine, s, made, gradient), plain = plainNormBackward(s, made, gradient);
  return agrees(ours.input, plain.input) && agrees(ours.weight, plain.weight) && agrees(ours.bias, plain.bias) &&
         (!s.residual || agrees(ours.residual, plain.residual));
}

}  // namespace

NormResult plainNorm(const NormSetting& s) {
  auto [output, mean, deviation] = at::native_batch_norm(s.input, s.weight, s.bias, s.runningMean, s.runningVar, true, s.momentum, s.eps);
  if (s.residual) output = output.add(*s.residual);
  output = output.relu_();
  return {s.pooled ? output.mean({2, 3}) : output, mean, deviation};
}

NormGradients plainNormBackward(const NormSetting& s, const NormResult& made, const Tensor& gradient) {
  Tensor output = made.output, given = gradient;
  if (s.pooled) {
    output = std::get<0>(at::native_batch_norm(s.input, s.weight, s.bias, {}, {}, true, 0, s.eps));
    given = gradient.div(areaOf(s.input)).unsqueeze(2).unsqueeze(3).expand_as(s.input).contiguous(at::MemoryFormat::ChannelsLast);
  }
  const Tensor through = at::threshold_backward(given, output, 0);
  const auto [input, weight, bias] = at::native_batch_norm_backward(through, s.input, s.weight, {}, {}, made.mean, made.deviation, true, s.eps, {true, true, true});
  return {input, weight, bias, through};
}

std::optional<NormResult> norm(const NormSetting& setting) {
  Engine* engine = engineFor(setting.input);
  if (!engine || !fits(setting)) return std::nullopt;
  if (!trusted(setting.input, kindOf("forward", setting), [&] { return forwardAgrees(*engine, setting); })) return std::nullopt;
  return forward(*engine, setting);
}

std::optional<NormGradients> normBackward(const NormSetting& setting, const NormResult& made, const Tensor& given) {
  Engine* engine = installedFor(setting.input);
  if (!engine || !fits(setting)) return std::nullopt;
  const Tensor gradient = setting.pooled ? plain(given).contiguous() : plain(given).contiguous(at::MemoryFormat::ChannelsLast);
  if (gradient.scalar_type() != setting.input.scalar_type()) return std::nullopt;
  if (!trusted(setting.input, kindOf("backward", setting), [&] { return backwardAgrees(*engine, setting, made, gradient); })) return std::nullopt;
  return backward(*engine, setting, made, gradient);
}

}  // namespace srrl::kernels
