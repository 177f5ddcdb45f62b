// Counts the floating-point operations of matrix products and convolutions by observing the operators that the
// dispatcher runs; composites count by their parts. A multiply-add counts as two, as in torch.utils.flop_counter.
#include "flops.h"

#include <ATen/record_function.h>

#include <cmath>
#include <map>

#include "arguments.h"

namespace srrl {

namespace {

using Inputs = c10::ArrayRef<const c10::IValue>;
using Sizes = c10::IntArrayRef;

// Doubles, because JavaScript reads them and because no shape overflows them.
thread_local std::unique_ptr<std::map<std::string, double>> counts;
thread_local std::optional<at::CallbackHandle> watching;

// Arguments are observed before the operator has validated them, so every access is checked, by at() or back().
double product(Sizes sizes) {
  double result = 1;
  for (int64_t size : sizes) result *= static_cast<double>(size);
  return result;
}

double numberAt(Sizes sizes, size_t index) { return static_cast<double>(sizes.at(index)); }

Sizes sizes(const Inputs& inputs, size_t index) { return inputs.at(index).toTensor().sizes(); }

// [.., m, k] x [.., k, n]
double matrixProduct(Sizes a, Sizes b) { return 2 * product(a) * static_cast<double>(b.back()); }

// `positions` are those of the result; for a transposed convolution, those of the input.
double convolution(Sizes input, Sizes weight, double positions) {
  return 2 * numberAt(input, 0) * positions * product(weight);
}

double resultPositions(const Inputs& inputs) {
  const Sizes input = sizes(inputs, 0), weight = sizes(inputs, 1);
  if (inputs.at(6).toBool()) return product(input.slice(2));
  const auto stride = inputs.at(3).toIntVector(), padding = inputs.at(4).toIntVector(),
             dilation = inputs.at(5).toIntVector();
  double positions = 1;
  for (size_t i = 0; i + 2 < input.size(); i++) {
    const auto at = [i](const std::vector<int64_t>& values) {
      return static_cast<double>(values.at(values.size() == 1 ? 0 : i));
    };
    const double covered = at(dilation) * (numberAt(weight, i + 2) - 1) + 1;
    positions *= std::floor((numberAt(input, i + 2) + 2 * at(padding) - covered) / at(stride)) + 1;
  }
  return positions;
}

double convolutionBackward(const Inputs& inputs) {
  // grad_output, input, weight, bias_sizes, stride, padding, dilation, transposed, output_padding, groups, output_mask
  const Sizes result = sizes(inputs, 0), input = sizes(inputs, 1), weight = sizes(inputs, 2);
  const auto wanted = inputs.at(10).toBoolList();
  const double once = convolution(input, weight, product((inputs.at(7).toBool() ? input : result).slice(2)));
  return once * (wanted.get(0) + wanted.get(1));
}

// query [.., L, E], key [.., S, E], value [.., S, V]
double attention(const Inputs& inputs, size_t first) {
  const Sizes query = sizes(inputs, first), value = sizes(inputs, first + 2);
  const double keys = numberAt(value, value.size() - 2);
  return 2 * product(query) * keys +
         2 * product(query) / static_cast<double>(query.back()) * keys * static_cast<double>(value.back());
}

double operations(const std::string& name, const Inputs& inputs) {
  if (name == "aten::mm" || name == "aten::bmm") return matrixProduct(sizes(inputs, 0), sizes(inputs, 1));
  if (name == "aten::addmm" || name == "aten::baddbmm") return matrixProduct(sizes(inputs, 1), sizes(inputs, 2));
  if (name == "aten::convolution") return convolution(sizes(inputs, 0), sizes(inputs, 1), resultPositions(inputs));
  if (name == "aten::convolution_backward") return convolutionBackward(inputs);
  if (name == "aten::_scaled_dot_product_flash_attention_for_cpu" ||
      name == "aten::_scaled_dot_product_flash_attention" || name == "aten::_scaled_dot_product_efficient_attention" ||
      name == "aten::_scaled_dot_product_cudnn_attention") {
    return attention(inputs, 0);
  }
  return 0;
}

std::unique_ptr<at::ObserverContext> observe(const at::RecordFunction& function) {
  if (!counts) return nullptr;
  const std::string name = function.name();
  try {
    const double found = operations(name, function.inputs());
    if (found > 0 && std::isfinite(found)) (*counts)[name] += found;
  } catch (const std::exception&) {
    // The operator will reject these arguments itself.
  }
  return nullptr;
}

// startFlops(): starts counting in this thread.
Napi::Value start(const Napi::CallbackInfo& info) {
  if (counts) throw Error(kState, "operations are being counted already");
  counts = std::make_unique<std::map<std::string, double>>();
  watching = at::addThreadLocalCallback(
      at::RecordFunctionCallback(observe).needsInputs(true).scopes({at::RecordScope::FUNCTION}));
  return info.Env().Undefined();
}

// readFlops() => {"aten::mm": 1024, ...} since the start
Napi::Value read(const Napi::CallbackInfo& info) {
  auto result = Napi::Object::New(info.Env());
  if (counts) {
    for (const auto& [name, count] : *counts) result.Set(name, count);
  }
  return result;
}

Napi::Value stop(const Napi::CallbackInfo& info) {
  if (watching) at::removeCallback(*watching);
  watching.reset();
  counts.reset();
  return info.Env().Undefined();
}

}  // namespace

void exportFlops(Napi::Env, Napi::Object exports) {
  define<start>(exports, "startFlops");
  define<read>(exports, "readFlops");
  define<stop>(exports, "stopFlops");
}

}  // namespace srrl
