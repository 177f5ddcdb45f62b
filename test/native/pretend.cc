// A device for tests: memory of its own kind, and every operator computed by the CPU on copies. An operator that is given tensors of both is an error, as on
// a GPU. With it, what runs on a GPU can be run where there is none, and must give what the CPU gives.
// It goes by the name of a kind of device (hpu) that libtorch knows, but has nothing for.
#include <ATen/ATen.h>
#include <ATen/EmptyTensor.h>
#include <ATen/detail/HPUHooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/resize_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <node_api.h>
#include <torch/library.h>

// Where the macros of libtorch find what they name.
namespace at {

namespace {

constexpr auto kPretend = c10::DeviceType::HPU;
const c10::Device device(kPretend, 0);

struct Allocator final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    void* data = bytes == 0 ? nullptr : std::malloc(bytes);
    return {data, data, &std::free, device};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &std::free; }
  void copy_data(void* to, const void* from, size_t bytes) const override { std::memcpy(to, from, bytes); }
};

Allocator allocator;

struct Guard final : c10::impl::NoOpDeviceGuardImpl<kPretend> {
  c10::Device exchangeDevice(c10::Device) const override { return device; }
  c10::Device getDevice() const override { return device; }
  c10::Stream getStream(c10::Device) const noexcept override { return c10::Stream(c10::Stream::DEFAULT, device); }
  c10::Stream exchangeStream(c10::Stream) const noexcept override { return c10::Stream(c10::Stream::DEFAULT, device); }
};

struct HPUHooks final : at::HPUHooksInterface {
  explicit HPUHooks(at::HPUHooksArgs) {}
  void init() const override {}
  bool hasHPU() const override { return true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  const at::Generator& getDefaultGenerator(c10::DeviceIndex) const override { return at::globalContext().defaultGenerator(at::kCPU); }
};

const c10::DispatchKeySet keys(c10::DispatchKey::HPU);

Tensor empty(c10::IntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<c10::Layout>, std::optional<c10::Device>, std::optional<bool>,
             std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, &allocator, keys, c10::dtype_or_default(dtype), format);
}

Tensor emptyStrided(c10::IntArrayRef size, c10::IntArrayRef stride, std::optional<at::ScalarType> dtype, std::optional<c10::Layout>, std::optional<c10::Device>,
                    std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, &allocator, keys, c10::dtype_or_default(dtype));
}

// The same memory as the CPU sees it.
Tensor seen(const Tensor& tensor) {
  return tensor.is_cpu() ? tensor : at::from_blob(tensor.data_ptr(), tensor.sizes(), tensor.strides(), tensor.options().device(at::kCPU).requires_grad(false));
}

Tensor copyFrom(const Tensor& from, const Tensor& to, bool) {
  seen(to).copy_(seen(from));
  return to;
}

Tensor copyFromAndResize(const Tensor& from, const Tensor& to) {
  if (from.sizes() != to.sizes()) to.resize_(from.sizes());
  return copyFrom(from, to, false);
}

Tensor onDevice(const Tensor& tensor) { return tensor.defined() ? tensor.to(device) : tensor; }

Tensor convolution(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias, c10::IntArrayRef stride, c10::IntArrayRef padding,
                   c10::IntArrayRef dilation, bool transposed, c10::IntArrayRef outputPadding, int64_t groups) {
  const std::optional<Tensor> summand = bias && bias->defined() ? std::optional(seen(*bias)) : std::nullopt;
  return onDevice(at::convolution(seen(input), seen(weight), summand, stride, padding, dilation, transposed, outputPadding, groups));
}

std::tuple<Tensor, Tensor, Tensor> convolutionBackward(const Tensor& gradient, const Tensor& input, const Tensor& weight, c10::IntArrayRef stride,
                                                       c10::IntArrayRef padding, c10::IntArrayRef dilation, bool transposed, c10::IntArrayRef outputPadding,
                                                       int64_t groups, std::array<bool, 3> wanted) {
  const auto [toInput, toWeight, toBias] = at::convolution_backward(seen(gradient), seen(input), seen(weight), c10::IntArrayRef({weight.size(0)}), stride, padding,
                                                                    dilation, transposed, outputPadding, groups, wanted);
  return {onDevice(toInput), onDevice(toWeight), onDevice(toBias)};
}

// libtorch's own form of it warns of every output that it gets here.
Tensor meanSquaredError(const Tensor& actual, const Tensor& expected, int64_t reduction) {
  return onDevice(at::mse_loss(seen(actual), seen(expected), reduction));
}

void refuse(const c10::OperatorHandle& op, const Tensor& tensor) {
  TORCH_CHECK(!tensor.defined() || tensor.dim() == 0 || tensor.device() == device, op.schema().name(), ": expected all tensors to be on ", device, ", found one on ",
              tensor.device());
}

void fallback(const c10::OperatorHandle& op, c10::Stack* stack) {
  for (const auto& argument : torch::jit::last(*stack, op.schema().arguments().size())) {
    if (argument.isTensor()) refuse(op, argument.toTensor());
    if (argument.isTensorList())
      for (const Tensor& tensor : argument.toTensorVector()) refuse(op, tensor);
    if (argument.isOptionalTensorList())
      for (const auto& tensor : argument.toOptionalTensorVector())
        if (tensor) refuse(op, *tensor);
  }
  at::native::cpu_fallback(op, stack);
}

C10_REGISTER_GUARD_IMPL(HPU, Guard)
REGISTER_HPU_HOOKS(HPUHooks)

TORCH_LIBRARY_IMPL(_, HPU, library) { library.fallback(torch::CppFunction::makeFromBoxedFunction<&fallback>()); }

TORCH_LIBRARY_IMPL(aten, HPU, library) {
  library.impl("empty.memory_format", empty);
  library.impl("empty_strided", emptyStrided);
  library.impl("_copy_from", copyFrom);
  library.impl("_copy_from_and_resize", copyFromAndResize);
  library.impl("as_strided", at::native::as_strided_tensorimpl);
  library.impl("view", at::native::view);
  library.impl("_reshape_alias", at::native::_reshape_alias);
  library.impl("resize_", at::native::resize_);
  library.impl("mse_loss", meanSquaredError);
  library.impl("convolution_overrideable", convolution);
  library.impl("convolution_backward_overrideable", convolutionBackward);
}

}  // namespace

}  // namespace at

// Its hooks must be there before libtorch asks for the first time which devices there are.
NAPI_MODULE_INIT() {
  c10::SetAllocator(at::kPretend, &at::allocator);
  (void)env;
  return exports;
}
