// Counts floating-point operations of matrix products and convolutions by watching what the dispatcher runs, composites taken apart. A
// multiplication and an addition count two, as in torch.utils.flop_counter.
#include "flops.h"

#include <ATen/record_function.h>

#include <map>

#include "arguments.h"

namespace srrl {

namespace {

using Inputs = c10::ArrayRef<const c10::IValue>;
using Sizes = c10::IntArrayRef;

thread_local std::map<std::string, int64_t>* counts = nullptr;
thread_local std::optional<at::CallbackHandle> watching;

int64_t product(Sizes sizes) {
  int64_t result = 1;
  for (int64_t size : sizes) result *= size;
  return result;
}

Sizes sizes(const Inputs& inputs, size_t index) { return inputs[index].toTensor().sizes(); }

// [.., m, k] x [.., k, n]
int64_t matrixProduct(Sizes a, Sizes b) { return 2 * product(a) * b.back(); }

// `positions`: spatial size of the result, or of the input of a transposed convolution.
int64_t convolution(Sizes input, Sizes weight, Sizes positions) { return 2 * input[0] * product(positions) * product(weight); }

std::vector<int64_t> resultPositions(const Inputs& inputs) {
  const Sizes input = sizes(inputs, 0), weight = sizes(inputs, 1);
  if (inputs[6].toBool()) return input.slice(2).vec();
  const auto stride = inputs[3].toIntVector(), padding = inputs[4].toIntVector(), dilation = inputs[5].toIntVector();
  std::vector<int64_t> positions;
  for (size_t i = 0; i + 2 < input.size(); i++) {
    const auto at = [i](const std::vector<int64_t>& values) { return values.size() == 1 ? values[0] : values[i]; };
    positions.push_back((input[i + 2] + 2 * at(padding) - at(dilation) * (weight[i + 2] - 1) - 1) / at(stride) + 1);
  }
  return positions;
}

int64_t convolutionBackward(const Inputs& inputs) {
  // grad_output, input, weight, bias_sizes, stride, padding, dilation, transposed, output_padding, groups, output_mask
  const Sizes result = sizes(inputs, 0), input = sizes(inputs, 1), weight = sizes(inputs, 2);
  const auto wanted = inputs[10].toBoolList();
  const int64_t once = convolution(input, weight, inputs[7].toBool() ? input.slice(2) : result.slice(2));
  return once * (wanted[0] + wanted[1]);
}

// query [.., L, E], key [.., S, E], value [.., S, V]
int64_t attention(const Inputs& inputs, size_t first) {
  const Sizes query = sizes(inputs, first), value = sizes(inputs, first + 2);
  const int64_t keys = value[value.size() - 2];
  return 2 * product(query) * keys + 2 * product(query) / query.back() * keys * value.back();
}

int64_t operations(const std::string& name, const Inputs& inputs) {
  if (name == "aten::mm" || name == "aten::bmm") return matrixProduct(sizes(inputs, 0), sizes(inputs, 1));
  if (name == "aten::addmm" || name == "aten::baddbmm") return matrixProduct(sizes(inputs, 1), sizes(inputs, 2));
  if (name == "aten::convolution") return convolution(sizes(inputs, 0), sizes(inputs, 1), resultPositions(inputs));
  if (name == "aten::convolution_backward") return convolutionBackward(inputs);
  if (name == "aten::_scaled_dot_product_flash_attention_for_cpu" || name == "aten::_scaled_dot_product_flash_attention" ||
      name == "aten::_scaled_dot_product_efficient_attention" || name == "aten::_scaled_dot_product_cudnn_attention") {
    return attention(inputs, 0);
  }
  return 0;
}

std::unique_ptr<at::ObserverContext> observe(const at::RecordFunction& function) {
  if (!counts) return nullptr;
  const std::string name = function.name();
  const int64_t found = operations(name, function.inputs());
  if (found > 0) (*counts)[name] += found;
  return nullptr;
}

// startFlops(): from now on, in this thread.
Napi::Value start(const Napi::CallbackInfo& info) {
  if (counts) throw Error(kState, "operations are being counted already");
  counts = new std::map<std::string, int64_t>();
  watching = at::addThreadLocalCallback(at::RecordFunctionCallback(observe).needsInputs(true).scopes({at::RecordScope::FUNCTION}));
  return info.Env().Undefined();
}

// readFlops() => {"aten::mm": 1024, ...}, since the start
Napi::Value read(const Napi::CallbackInfo& info) {
  auto result = Napi::Object::New(info.Env());
  if (counts) {
    for (const auto& [name, count] : *counts) result.Set(name, static_cast<double>(count));
  }
  return result;
}

Napi::Value stop(const Napi::CallbackInfo& info) {
  if (watching) at::removeCallback(*watching);
  watching.reset();
  delete std::exchange(counts, nullptr);
  return info.Env().Undefined();
}

}  // namespace

void exportFlops(Napi::Env, Napi::Object exports) {
  define<start>(exports, "startFlops");
  define<read>(exports, "readFlops");
  define<stop>(exports, "stopFlops");
}

}  // namespace srrl
