#include "guards.h"

#include <ATen/ATen.h>
#include <ATen/DimVector.h>
#include <ATen/TracerMode.h>

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "errors.h"

namespace srrl {

namespace {

[[noreturn]] void refuse(const char* kind, const std::string& argument, const std::string& reason) {
  throw Error(kind, "argument '" + argument + "' " + reason);
}

// Returns the value of an argument; None if the operator has no such argument.
const c10::IValue& valueOf(const Operator& op, const c10::Stack& stack, const char* name) {
  static const c10::IValue none;
  const auto found = std::find_if(op.arguments.begin(), op.arguments.end(),
                                  [&](const Argument& argument) { return argument.name == name; });
  return found == op.arguments.end() ? none : stack[found - op.arguments.begin()];
}

// ---- operators with arguments of certain types --------------------------------------------------------------------

void refuseQuantizedType(const Argument& argument, const c10::IValue& value) {
  if (value.isInt() && c10::isQIntType(static_cast<at::ScalarType>(value.toInt())))
    refuse(kType, argument.name,
           "is a quantized type; quantizePerTensor() and quantizePerChannel() make quantized tensors");
}

void refuseMkldnnLayout(const Argument& argument, const c10::IValue& value) {
  if (value.isInt() && static_cast<at::Layout>(value.toInt()) == at::kMkldnn)
    refuse(kType, argument.name, "is _mkldnn; toMkldnn() makes such tensors");
}

// Kernels write to `out` tensors as plain memory.
void refuseOddResult(const Argument& argument, const c10::IValue& value) {
  for (const at::Tensor& tensor : value.isTensor() ? std::vector{value.toTensor()} : value.toTensorVector()) {
    if (tensor.is_quantized() || tensor.is_nested() || tensor.is_mkldnn() || tensor._is_zerotensor())
      refuse(kType, argument.name,
             "cannot take a result: it is quantized, nested, of mkldnn's layout, or zeros without memory");
  }
}

bool isChecked(const Argument& argument) {
  return argument.out || argument.type.kind == Kind::DType || argument.type.kind == Kind::Layout;
}

void checkKinds(const Operator& op, const c10::Stack& stack) {
  const bool quantizes = op.name.find("quant") != std::string::npos;
  for (size_t i = 0; i < stack.size(); i++) {
    const Argument& argument = op.arguments[i];
    if (argument.type.kind == Kind::DType && !quantizes) refuseQuantizedType(argument, stack[i]);
    if (argument.type.kind == Kind::Layout) refuseMkldnnLayout(argument, stack[i]);
    if (argument.out && !quantizes) refuseOddResult(argument, stack[i]);
  }
}

// ---- single operators ---------------------------------------------------------------------------------------------

// A lazy clone replaces the memory under an array that viewTypedArray() has handed to JavaScript.
void refuseLazyClone(const Operator&, const c10::Stack&) {
  throw Error(kType, "copies on write are not supported; use clone()");
}

void refuseQuantizedSelf(const Operator&, const c10::Stack& stack) {
  if (stack[0].toTensor().is_quantized()) refuse(kType, "self", "is quantized; use intRepr() for its integers first");
}

void refuseMkldnnSelf(const Operator&, const c10::Stack& stack) {
  if (stack[0].toTensor().layout() == at::kMkldnn) refuse(kType, "self", "is of mkldnn's layout; use toDense() first");
}

void requireStrided(const Operator&, const c10::Stack& stack) {
  if (stack[0].toTensor().layout() != at::kStrided)
    refuse(kType, "self", "is not dense; use toDense() first, or clone()");
}

// The backward pass divides by the number of rows.
void requireRowsForGradient(const Operator&, const c10::Stack& stack) {
  const at::Tensor& self = stack[0].toTensor();
  if (self.dim() == 2 && self.size(0) == 0 && self.requires_grad())
    refuse(kShape, "self", "has no rows, which cannot be differentiated");
}

void requireDense(const Operator& op, const c10::Stack& stack) {
  for (size_t i = 0; i < stack.size(); i++) {
    if (stack[i].isTensor() && stack[i].toTensor().layout() != at::kStrided)
      refuse(kType, op.arguments[i].name, "is not dense; use toDense() first");
  }
}

// The kernel writes as many elements as `self` has.
void requireResultsLikeSelf(const Operator& op, const c10::Stack& stack) {
  for (const char* name : {"output", "buffer"}) {
    const c10::IValue& value = valueOf(op, stack, name);
    if (value.isTensor() && value.toTensor().sizes() != stack[0].toTensor().sizes())
      refuse(kShape, name, "must have the shape of self");
  }
}

// In training the kernel writes as many elements as `self` has to both tensors, and to `noise` as if it were
// contiguous.
void checkNoise(const Operator& op, const c10::Stack& stack) {
  if (!valueOf(op, stack, "training").toBool()) return;
  for (const char* name : {"noise", "out"}) {
    const c10::IValue& value = valueOf(op, stack, name);
    if (value.isTensor() && value.toTensor().sizes() != stack[0].toTensor().sizes())
      refuse(kShape, name, "must have the shape of self");
  }
  if (!valueOf(op, stack, "noise").toTensor().is_contiguous())
    refuse(kType, "noise", "must be contiguous; use contiguous() first");
}

// A fractional step becomes 0 as an integer, and the kernel divides by it.
void checkStep(const Operator& op, const c10::Stack& stack) {
  const c10::IValue &out = valueOf(op, stack, "out"), &dtype = valueOf(op, stack, "dtype"),
                    &step = valueOf(op, stack, "step");
  if (!step.isScalar() || step.toScalar().isComplex()) return;
  at::ScalarType type = at::kDouble;
  if (out.isTensor())
    type = out.toTensor().scalar_type();
  else if (dtype.isInt())
    type = static_cast<at::ScalarType>(dtype.toInt());
  const double size = step.toScalar().toDouble();
  if (c10::isIntegralType(type, true) && size > -1 && size < 1) refuse(kType, "step", "is 0 as an integer");
}

void requireMatrixForSparse(const Operator&, const c10::Stack& stack) {
  if (stack[1].toTensor().layout() != at::kStrided && stack[0].toTensor().dim() != 2)
    refuse(kShape, "self", "must be a matrix where A is sparse");
}

void requireStateOfLstm(const Operator& op, const c10::Stack& stack) {
  if (valueOf(op, stack, "hx").toTensorVector().size() != 2)
    refuse(kShape, "hx", "must be two tensors, the hidden state and the cell's");
}

// The kernel reads as many weights as num_layers says without a check, and the first element of batch_sizes.
void checkRecurrent(const Operator& op, const c10::Stack& stack) {
  const int64_t layers = valueOf(op, stack, "num_layers").toInt(),
                directions = valueOf(op, stack, "bidirectional").toBool() ? 2 : 1;
  const auto given = static_cast<int64_t>(valueOf(op, stack, "params").toListRef().size());
  const int64_t least = valueOf(op, stack, "has_biases").toBool() ? 4 : 2;  // one more with projections
  if (layers < 1 || layers > given || given < layers * directions * least)
    refuse(kShape, "params", "holds fewer weights than the layers need");
  const c10::IValue& lengths = valueOf(op, stack, "batch_sizes");
  if (lengths.isTensor() && lengths.toTensor().numel() == 0) refuse(kShape, "batch_sizes", "must not be empty");
}

// The kernel loops until a counter exceeds `count`, which never happens for NaN.
void checkBinomial(const Operator&, const c10::Stack& stack) {
  const at::Tensor& count = stack[0].toTensor();
  const at::tracer::impl::NoTracerDispatchMode untraced;
  if (count.is_cpu() && count.layout() == at::kStrided && !count.is_nested() && count.isnan().any().item<bool>())
    refuse(kType, "count", "holds NaN");
}

// The kernel divides by `group` and reads N * C * HxW elements.
void checkGroupNorm(const Operator& op, const c10::Stack& stack) {
  const int64_t channels = valueOf(op, stack, "C").toInt(), groups = valueOf(op, stack, "group").toInt();
  if (groups <= 0 || channels < 0 || channels % groups != 0)
    refuse(kShape, "group", "must be above 0 and a divisor of C");
  int64_t elements = valueOf(op, stack, "N").toInt();
  const bool overflow = __builtin_mul_overflow(elements, channels, &elements) ||
                        __builtin_mul_overflow(elements, valueOf(op, stack, "HxW").toInt(), &elements);
  if (overflow || elements != stack[0].toTensor().numel()) refuse(kShape, "input", "must have N * C * HxW elements");
}

// A ZeroTensor has no memory to share.
void requireMemoryOfSource(const Operator& op, const c10::Stack& stack) {
  const c10::IValue& source = valueOf(op, stack, "source");
  if (source.isTensor() && source.toTensor()._is_zerotensor())
    refuse(kType, "source", "is zeros without memory; use clone() first");
}

// The kernel reads one value for each channel without a check.
void checkBatchNorm(const Operator& op, const c10::Stack& stack) {
  const at::Tensor& input = stack[0].toTensor();
  if (input.is_nested() || input.dim() < 2 || input.size(1) == 0)
    refuse(kShape, "input", "must have at least two dimensions, and channels in the second");
  for (const char* name : {"weight", "bias", "running_mean", "running_var"}) {
    const c10::IValue& value = valueOf(op, stack, name);
    if (value.isTensor() && (value.toTensor().is_nested() || value.toTensor().numel() != input.size(1)))
      refuse(kShape, name, "must have one value for each of the " + std::to_string(input.size(1)) + " channels");
  }
  const c10::IValue& training = valueOf(op, stack, "training");
  if (!training.isBool() || training.toBool()) return;
  for (const char* name : {"running_mean", "running_var"})
    if (!valueOf(op, stack, name).isTensor()) refuse(kType, name, "is needed outside of training");
}

int64_t leastOf(at::ScalarType type) {
  switch (type) {
    case at::kLong: return std::numeric_limits<int64_t>::min();
    case at::kInt: return std::numeric_limits<int32_t>::min();
    default: return 0;  // narrower types are divided as int32
  }
}

// Dividing the smallest integer by -1 overflows, which raises SIGFPE on x86.
void checkTruncatedDivision(const Operator& op, const c10::Stack& stack) {
  const c10::IValue& mode = valueOf(op, stack, "rounding_mode");
  if (!mode.isString() || mode.toStringRef() != "trunc") return;
  const at::Tensor& self = stack[0].toTensor();
  const at::tracer::impl::NoTracerDispatchMode untraced;
  const at::Tensor other = stack[1].isTensor() ? stack[1].toTensor() : at::scalar_tensor(stack[1].toScalar());
  const at::ScalarType type =
      stack[1].isTensor() ? at::result_type(self, other) : at::result_type(self, stack[1].toScalar());
  const int64_t least = leastOf(type);
  const auto holds = [](const at::Tensor& tensor, int64_t value) {
    return tensor.is_cpu() && tensor.layout() == at::kStrided && !tensor.is_nested() && !tensor.is_quantized() &&
           tensor.eq(value).any().item<bool>();
  };
  if (least != 0 && holds(other, -1) && holds(self, least))
    refuse(kType, "self", "holds the smallest integer, which divided by -1 does not fit its type");
}

// The shape and storage of a dense tensor before a call.
class Form {
 public:
  explicit Form(const at::Tensor& tensor)
      : tensor_(tensor), plain_(tensor.layout() == at::kStrided && tensor.has_storage() && !tensor.is_nested()) {
    if (!plain_) return;
    storage_ = tensor.storage();
    sizes_ = tensor.sizes();
    strides_ = tensor.strides();
    offset_ = tensor.storage_offset();
  }

  void restore() {
    const bool same = plain_ && tensor_.storage().unsafeGetStorageImpl() == storage_.unsafeGetStorageImpl();
    if (!plain_ || (same && tensor_.sizes() == sizes_ && tensor_.strides() == strides_)) return;
    at::TensorImpl* const impl = tensor_.unsafeGetTensorImpl();
    impl->set_storage_keep_dtype(storage_);
    impl->set_sizes_and_strides(sizes_, strides_, offset_);
  }

 private:
  at::Tensor tensor_;
  bool plain_;
  c10::Storage storage_;
  at::DimVector sizes_, strides_;
  int64_t offset_ = 0;
};

template <Guard special>
void with(const Operator& op, const c10::Stack& stack) {
  checkKinds(op, stack);
  special(op, stack);
}

// By name, or by name and overload.
const std::unordered_map<std::string, Guard> kGuards = {
    {"_lazy_clone", refuseLazyClone},
    {"batch_norm_update_stats", with<checkBatchNorm>},
    {"binomial", with<checkBinomial>},
    {"copy", with<requireStrided>},
    {"div", with<checkTruncatedDivision>},
    {"div_", checkTruncatedDivision},
    {"divide", with<checkTruncatedDivision>},
    {"divide_", checkTruncatedDivision},
    {"gru", checkRecurrent},
    {"log_sigmoid_forward.output", with<requireResultsLikeSelf>},
    {"lstm", checkRecurrent},
    {"native_batch_norm", with<checkBatchNorm>},
    {"native_group_norm", with<checkGroupNorm>},
    {"new_empty", with<refuseMkldnnSelf>},
    {"new_full", with<refuseMkldnnSelf>},
    {"new_ones", with<refuseMkldnnSelf>},
    {"new_zeros", with<refuseMkldnnSelf>},
    {"pdist", requireRowsForGradient},
    {"quantized_lstm_cell", requireStateOfLstm},
    {"range", with<checkStep>},
    {"rnn_relu", checkRecurrent},
    {"rnn_tanh", checkRecurrent},
    {"rrelu_with_noise", with<checkNoise>},
    {"rrelu_with_noise_", checkNoise},
    {"rrelu_with_noise_functional", checkNoise},
    {"scaled_dot_product_attention", requireDense},
    {"set", with<requireMemoryOfSource>},
    {"set_", requireMemoryOfSource},
    {"triangular_solve", with<requireMatrixForSparse>},
    {"view.dtype", with<refuseQuantizedSelf>},
    {"view_copy.dtype", with<refuseQuantizedSelf>},
    {"view_copy.dtype_out", with<refuseQuantizedSelf>},
};

}  // namespace

Guard guardOf(const Operator& op) {
  if (!op.name.starts_with("aten::")) return nullptr;
  const std::string full = op.name.substr(6);
  for (const std::string& name : {full, full.substr(0, full.find('.'))}) {
    if (const auto found = kGuards.find(name); found != kGuards.end()) return found->second;
  }
  return std::any_of(op.arguments.begin(), op.arguments.end(), isChecked) ? checkKinds : nullptr;
}

void refuseStrayMkldnn(const c10::Stack& stack) {
  bool any = false;
  for (const c10::IValue& value : stack) {
    if (!value.isTensor()) continue;
    const bool mkldnn = value.toTensor().is_mkldnn();
    if (mkldnn && any) throw Error(kType, "a tensor of mkldnn's layout next to a dense one; use toDense() first");
    if (mkldnn) return;
    any = true;
  }
}

void runWhole(const Operator& op, c10::Stack& stack) {
  std::vector<Form> before;
  for (size_t i = 0; i < stack.size(); i++) {
    if (!op.arguments[i].written) continue;
    if (stack[i].isTensor()) before.emplace_back(stack[i].toTensor());
    if (!stack[i].isTensorList()) continue;
    for (const at::Tensor& tensor : stack[i].toTensorVector()) before.emplace_back(tensor);
  }
  try {
    op.run(stack);
  } catch (...) {
    for (Form& form : before) form.restore();
    throw;
  }
}

}  // namespace srrl
