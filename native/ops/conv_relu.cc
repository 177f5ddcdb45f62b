// Convolution, bias, residual and ReLU of frozen networks on devices, by one kernel of cuDNN where libtorch launches up
// to four.
#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/native/ConvUtils.h>
#include <torch/library.h>

#include <sstream>

#include "kernels/engine.h"
#include "library.h"
#include "ops/conv_relu.h"

namespace srrl {

namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

struct Setting {
  const Tensor &input, &weight, &bias;
  const OptionalTensor& residual;
  at::IntArrayRef stride, padding, dilation;
  int64_t groups;
};

Tensor plainConvolution(const Setting& s) {
  const Tensor sum = at::convolution(s.input, s.weight.narrow(1, 0, s.input.size(1)), s.bias, s.stride, s.padding,
                                     s.dilation, false, {0, 0}, s.groups);
  return (s.residual ? sum.add(*s.residual) : sum).relu_();
}

Tensor fusedConvolution(const Setting& s) {
  const int64_t missing = s.weight.size(1) - s.input.size(1);
  const Tensor input = missing > 0 ? at::constant_pad_nd(s.input, {0, 0, 0, 0, 0, missing}) : s.input;
  if (s.residual)
    return at::cudnn_convolution_add_relu(input, s.weight, *s.residual, 1, s.bias, s.stride, s.padding, s.dilation,
                                          s.groups);
  return at::cudnn_convolution_relu(input, s.weight, s.bias, s.stride, s.padding, s.dilation, s.groups);
}

bool isMapOf(const Tensor& map, at::ScalarType type) {
  return map.dim() == 4 && map.scalar_type() == type && map.numel() > 0 &&
         map.is_contiguous(at::MemoryFormat::ChannelsLast);
}

// cuDNN requires one dtype and memory format for all tensors, and a residual with the exact shape of the output.
bool fits(const Setting& s) {
  const auto type = s.weight.scalar_type();
  const bool known = type == at::kHalf || type == at::kBFloat16 || type == at::kFloat;
  if (!known || !isMapOf(s.input, type) || s.bias.scalar_type() != type || s.input.device() != s.weight.device())
    return false;
  if (!s.residual) return true;
  const auto sizes = at::native::conv_output_size(s.input.sizes(), s.weight.sizes(), s.padding, s.stride, s.dilation);
  return isMapOf(*s.residual, type) && s.residual->sizes() == c10::IntArrayRef(sizes);
}

std::string kindOf(const Setting& s) {
  std::ostringstream text;
  text << "convolution" << (s.residual ? " + addition" : "") << " + ReLU (" << s.input.scalar_type() << ' '
       << s.input.sizes() << " by " << s.weight.sizes() << ", stride " << s.stride << ", padding " << s.padding
       << ", dilation " << s.dilation << ')';
  return text.str();
}

// relu(convolution + bias + residual). The weight may have more input channels than the input, which is then padded
// with zeros: cuDNN's fast half-precision kernels need a multiple of 8.
Tensor convRelu(const Tensor& input, const Tensor& weight, const Tensor& bias, const OptionalTensor& residual,
                at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation, int64_t groups) {
  const Setting setting{input, weight, bias, residual, stride, padding, dilation, groups};
  // The fused kernels offer no deterministic algorithms.
  const bool free = !at::globalContext().deterministicCuDNN() && !at::globalContext().deterministicAlgorithms();
  const auto fused = [&] { return fusedConvolution(setting); };
  const auto plain = [&] { return plainConvolution(setting); };
  // For large maps with few channels, cuDNN is faster without the fused ReLU.
  const bool joined =
      free && hasConvRelu(input.device()) && fits(setting) && kernels::preferred(input, kindOf(setting), fused, plain);
  return joined ? fused() : plain();
}

}  // namespace

bool hasConvRelu(c10::Device device) {
  const auto found = c10::Dispatcher::singleton().findSchema({"aten::cudnn_convolution_add_relu", ""});
  return found && found->hasKernelForDispatchKey(c10::computeDispatchKey(std::nullopt, std::nullopt, device));
}

void defineConvRelu(torch::Library& library) {
  library.def(
      "conv_relu(Tensor input, Tensor weight, Tensor bias, Tensor? residual, "
      "int[] stride, int[] padding, int[] dilation, int groups) -> Tensor",
      convRelu);
}

}  // namespace srrl
