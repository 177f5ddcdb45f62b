// A mock device for tests: it has memory of its own kind, and computes every operator on the CPU. Mixing its tensors
// with CPU tensors is an error, as on a GPU. With it, code for GPUs runs where there is none, and must give the results
// of the CPU.
// Work can be captured, as on CUDA: captured work is not run, and waiting for the device during a capture is an error.
// Streams follow CUDA's rules: branches of a capture that use the same memory without waiting for each other, and
// branches that are not joined at the end, are errors.
// The device uses the name of a device type that libtorch defines but does not implement (hpu).
#include <ATen/ATen.h>
#include <ATen/EmptyTensor.h>
#include <ATen/autocast_mode.h>
#include <ATen/detail/HPUHooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/resize_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <node_api.h>
#include <torch/library.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "pretend.h"

#if __has_include(<ATen/core/GraphImplInterface.h>)
#include <ATen/core/GraphImplInterface.h>
#define RECORDS
#endif

// libtorch's macros look names up in this namespace.
namespace at {

namespace {

constexpr auto kPretend = c10::DeviceType::HPU;
const c10::Device device(kPretend, 0);

thread_local c10::StreamId stream = 0;

// The progress of each stream at some moment.
using Clock = std::map<c10::StreamId, size_t>;

void merge(Clock& clock, const Clock& other) {
  for (const auto& [id, tick] : other) clock[id] = std::max(clock[id], tick);
}

// An operator's use of memory: it was operator number `tick` of its stream.
struct Use {
  c10::StreamId stream;
  size_t tick;
  std::string kind;
};

struct Uses {
  std::optional<Use> written;
  std::map<c10::StreamId, Use> read;  // since the last write, the last read of each stream
};

struct Recording {
  std::vector<std::function<void()>> steps;
  std::map<std::string, int> kinds;  // how often each operator was captured
  // Memory allocated during the capture. Writing it at once is harmless, because nobody else reads it.
  std::set<const void*> fresh;
  c10::StreamId origin = 0;
  std::map<c10::StreamId, Clock> clocks;  // progress of each stream, and how much of the others it has waited for
  std::map<const void*, Uses> uses;

  // Records an operator on the current stream and checks that it runs after all conflicting uses of its memory.
  void operate(const std::string& kind, at::ArrayRef<Tensor> read, at::ArrayRef<Tensor> written) {
    kinds[kind]++;
    TORCH_CHECK(clocks.count(stream), kind, " runs on a stream that is not part of the recording");
    Clock& now = clocks[stream];
    const Use use{stream, ++now[stream], kind};
    const auto after = [&](const Use& earlier) {
      TORCH_CHECK(now[earlier.stream] >= earlier.tick,
                  "two branches of a recording use the same memory: ", earlier.kind, " and ", kind);
    };
    for (const Tensor& tensor : read) {
      if (!tensor.defined() || tensor.is_cpu()) continue;
      Uses& before = uses[tensor.storage().data()];
      if (before.written) after(*before.written);
      before.read.insert_or_assign(stream, use);
    }
    for (const Tensor& tensor : written) {
      if (!tensor.defined() || tensor.is_cpu()) continue;
      Uses& before = uses[tensor.storage().data()];
      if (before.written) after(*before.written);
      for (const auto& [id, earlier] : before.read) after(earlier);
      before = {use, {}};
    }
  }

  // At the end, the first stream must have waited for all others.
  void checkJoined() {
    Clock& own = clocks[origin];
    for (const auto& [id, clock] : clocks)
      TORCH_CHECK(own[id] >= clock.at(id), "a branch of the recording was not joined");
  }
};

Recording* recording = nullptr;

// How often the host waited for the device: it read device memory, or made a blocking copy to it. What operators of the
// device do internally does not count.
int64_t waits = 0;
int inOperator = 0;

// The device's own clock advances by a microsecond per operator, so that speed comparisons do not depend on the
// machine.
std::atomic<int64_t> microseconds = 0;
constexpr int64_t kSlow = 100;

struct InOperator {
  InOperator() { inOperator++; }
  ~InOperator() { inOperator--; }
};

// Counts memory like a GPU's allocator, but caches nothing.
struct Allocator final : c10::DeviceAllocator {
  c10::DataPtr allocate(size_t bytes) override {
    void* data = bytes == 0 ? nullptr : std::malloc(bytes);
    if (recording) {
      recording->fresh.insert(data);
      recording->uses.erase(data);
    }
    const std::lock_guard<std::mutex> lock(mutex);
    if (data) count([&](auto& stat) { stat.increase(sizes[data] = bytes); });
    return {data, data, &free, device};
  }
  static void free(void* data);
  c10::DeleterFnPtr raw_deleter() const override { return &free; }
  void copy_data(void* to, const void* from, size_t bytes) const override { std::memcpy(to, from, bytes); }
  bool initialized() override { return true; }
  void emptyCache(c10::MempoolId_t) override {}
  void recordStream(const c10::DataPtr&, c10::Stream) override {}
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex) override {
    const std::lock_guard<std::mutex> lock(mutex);
    return stats;
  }
  void resetAccumulatedStats(c10::DeviceIndex) override {}
  void resetPeakStats(c10::DeviceIndex) override {
    const std::lock_guard<std::mutex> lock(mutex);
    count([](auto& stat) { stat.reset_peak(); });
  }

  template <typename Change>
  void count(const Change& change) {
    const auto all = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    change(stats.allocated_bytes[all]);
    change(stats.reserved_bytes[all]);
  }

  std::mutex mutex;
  std::map<void*, size_t> sizes;
  c10::CachingDeviceAllocator::DeviceStats stats;
};

Allocator allocator;

void Allocator::free(void* data) {
  if (!data) return;
  {
    const std::lock_guard<std::mutex> lock(allocator.mutex);
    const auto found = allocator.sizes.find(data);
    allocator.count([&](auto& stat) { stat.decrease(found->second); });
    allocator.sizes.erase(found);
  }
  std::free(data);
}

struct Guard final : c10::impl::NoOpDeviceGuardImpl<kPretend> {
  c10::Device exchangeDevice(c10::Device) const override { return device; }
  c10::Device getDevice() const override { return device; }
  static c10::Stream withId(c10::StreamId id) { return c10::Stream(c10::Stream::UNSAFE, device, id); }
  c10::Stream getStream(c10::Device) const noexcept override { return withId(stream); }
  c10::Stream getDefaultStream(c10::Device) const override { return withId(0); }
  c10::Stream getStreamFromGlobalPool(c10::Device, bool) const override {
    static std::atomic<c10::StreamId> last = 0;
    return withId(1 + last++ % 32);
  }
  c10::Stream exchangeStream(c10::Stream next) const noexcept override {
    return withId(std::exchange(stream, next.id()));
  }
  void synchronizeDevice(c10::DeviceIndex) const override {}
  bool queryStream(const c10::Stream&) const override { return true; }
  void synchronizeStream(const c10::Stream&) const override {}

  // Work is complete once it is queued: an event is a time and, during a capture, a point in each stream.
  struct Event {
    Clock place;
    int64_t time = 0;
  };
  void record(void** made, const c10::Stream& at, c10::DeviceIndex, c10::EventFlag) const override {
    Event*& event = reinterpret_cast<Event*&>(*made);
    if (!event) event = new Event;
    event->place = recording && recording->clocks.count(at.id()) ? recording->clocks[at.id()] : Clock();
    event->time = microseconds;
  }
  void block(void* made, const c10::Stream& later) const override {
    const Event* const event = static_cast<Event*>(made);
    if (!recording || !event || event->place.empty()) return;
    recording->clocks[later.id()].try_emplace(later.id(), 0);
    merge(recording->clocks[later.id()], event->place);
  }
  bool queryEvent(void*) const override { return true; }
  void synchronizeEvent(void*) const override {}
  void destroyEvent(void* event, c10::DeviceIndex) const noexcept override { delete static_cast<Event*>(event); }
  double elapsedTime(void* begin, void* end, c10::DeviceIndex) const override {
    return static_cast<double>(static_cast<Event*>(end)->time - static_cast<Event*>(begin)->time) / 1000;
  }
};

struct HPUHooks final : at::HPUHooksInterface {
  explicit HPUHooks(at::HPUHooksArgs) {}
  void init() const override {}
  bool hasHPU() const override { return true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  const at::Generator& getDefaultGenerator(c10::DeviceIndex) const override {
    return at::globalContext().defaultGenerator(at::kCPU);
  }
};

const c10::DispatchKeySet keys(c10::DispatchKey::HPU);

Tensor empty(c10::IntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<c10::Layout>,
             std::optional<c10::Device>, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, &allocator, keys, c10::dtype_or_default(dtype), format);
}

Tensor emptyStrided(c10::IntArrayRef size, c10::IntArrayRef stride, std::optional<at::ScalarType> dtype,
                    std::optional<c10::Layout>, std::optional<c10::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, &allocator, keys, c10::dtype_or_default(dtype));
}

// The same memory as a CPU tensor.
Tensor seen(const Tensor& tensor) {
  return tensor.is_cpu() ? tensor
                         : at::from_blob(tensor.data_ptr(), tensor.sizes(), tensor.strides(),
                                         tensor.options().device(at::kCPU).requires_grad(false));
}

// Detached, so that captured work does not keep autograd graphs alive.
Tensor bare(const Tensor& tensor) { return tensor.defined() ? tensor.detach() : tensor; }

std::optional<Tensor> bare(const std::optional<Tensor>& tensor) {
  return tensor ? std::optional(bare(*tensor)) : std::nullopt;
}

c10::IValue bare(const c10::IValue& value) {
  if (value.isTensor()) return bare(value.toTensor());
  if (!value.isTensorList()) return value;
  std::vector<Tensor> tensors;
  for (const Tensor& tensor : value.toTensorVector()) tensors.push_back(bare(tensor));
  return tensors;
}

bool mayWrite(const Tensor& tensor) { return !recording || recording->fresh.count(tensor.storage().data()) > 0; }

// Computes on the CPU and copies the results to the device; a capture repeats that at each replay.
template <typename Compute>
std::vector<Tensor> results(const char* kind, std::initializer_list<std::optional<Tensor>> read, Compute compute,
                            std::vector<Tensor> written = {}) {
  const InOperator inside;
  microseconds++;
  Recording* const current = std::exchange(recording, nullptr);
  std::vector<Tensor> made;
  for (const Tensor& tensor : compute()) made.push_back(tensor.defined() ? tensor.to(device) : tensor);
  recording = current;
  if (!current) return made;
  std::vector<Tensor> given;
  for (const auto& tensor : read)
    if (tensor) given.push_back(*tensor);
  for (const Tensor& tensor : made) {
    if (tensor.defined()) current->fresh.insert(tensor.storage().data());
    written.push_back(tensor);
  }
  current->operate(kind, given, written);
  std::vector<Tensor> places;
  for (const Tensor& tensor : made) places.push_back(bare(tensor));
  current->steps.push_back([=] {
    const std::vector<Tensor> again = compute();
    for (size_t i = 0; i < again.size(); i++)
      if (again[i].defined()) seen(places[i]).copy_(again[i]);
  });
  return made;
}

Tensor copyFrom(const Tensor& from, const Tensor& to, bool nonBlocking) {
  if (inOperator == 0 && from.is_cpu() != to.is_cpu() && !nonBlocking) waits++;
  TORCH_CHECK(!recording || (from.device() == device && to.device() == device),
              "memory of the host cannot be copied while a graph is recorded");
  const auto copy = [to = bare(to), from = bare(from)] { seen(to).copy_(seen(from)); };
  if (recording) {
    recording->operate("aten::copy_", from, to);
    recording->steps.push_back(copy);
  }
  if (to.is_cpu() || mayWrite(to)) copy();
  return to;
}

Tensor copyFromAndResize(const Tensor& from, const Tensor& to) {
  if (from.sizes() != to.sizes()) to.resize_(from.sizes());
  return copyFrom(from, to, false);
}

Tensor convolution(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias,
                   c10::IntArrayRef stride, c10::IntArrayRef padding, c10::IntArrayRef dilation, bool transposed,
                   c10::IntArrayRef outputPadding, int64_t groups) {
  const auto sizes = std::tuple(stride.vec(), padding.vec(), dilation.vec(), outputPadding.vec());
  return results(
      "aten::convolution", {input, weight, bias}, [=, input = bare(input), weight = bare(weight), bias = bare(bias)] {
        const auto& [stride, padding, dilation, outputPadding] = sizes;
        const std::optional<Tensor> summand = bias && bias->defined() ? std::optional(seen(*bias)) : std::nullopt;
        return std::vector{at::convolution(seen(input), seen(weight), summand, stride, padding, dilation, transposed,
                                           outputPadding, groups)};
      })[0];
}

std::tuple<Tensor, Tensor, Tensor> convolutionBackward(const Tensor& gradient, const Tensor& input,
                                                       const Tensor& weight, c10::IntArrayRef stride,
                                                       c10::IntArrayRef padding, c10::IntArrayRef dilation,
                                                       bool transposed, c10::IntArrayRef outputPadding, int64_t groups,
                                                       std::array<bool, 3> wanted) {
  const auto sizes = std::tuple(stride.vec(), padding.vec(), dilation.vec(), outputPadding.vec());
  const auto made = results("aten::convolution_backward", {gradient, input, weight},
                            [=, gradient = bare(gradient), input = bare(input), weight = bare(weight)] {
                              const auto& [stride, padding, dilation, outputPadding] = sizes;
                              const auto [toInput, toWeight, toBias] = at::convolution_backward(
                                  seen(gradient), seen(input), seen(weight), c10::IntArrayRef({weight.size(0)}), stride,
                                  padding, dilation, transposed, outputPadding, groups, wanted);
                              return std::vector{toInput, toWeight, toBias};
                            });
  return {made[0], made[1], made[2]};
}

// As cuDNN's kernel: relu(convolution + bias + alpha * other). Like cuDNN's, it rejects some settings and is slow for
// others.
Tensor convolutionAddRelu(const Tensor& input, const Tensor& weight, const Tensor& other,
                          const std::optional<at::Scalar>& alpha, const std::optional<Tensor>& bias,
                          c10::IntArrayRef stride, c10::IntArrayRef padding, c10::IntArrayRef dilation,
                          int64_t groups) {
  TORCH_CHECK(dilation[0] < 3, "no engine for a dilation of ", dilation[0]);
  if (dilation[0] == 2) microseconds += kSlow;
  const auto sizes = std::tuple(stride.vec(), padding.vec(), dilation.vec());
  return results("aten::cudnn_convolution_add_relu", {input, weight, other, bias},
                 [=, input = bare(input), weight = bare(weight), other = bare(other), bias = bare(bias)] {
                   const auto& [stride, padding, dilation] = sizes;
                   const std::optional<Tensor> summand = bias ? std::optional(seen(*bias)) : std::nullopt;
                   const Tensor sum = at::conv2d(seen(input), seen(weight), summand, stride, padding, dilation, groups);
                   return std::vector{(other.defined() ? sum.add(seen(other), alpha.value_or(1)) : sum).relu()};
                 })[0];
}

Tensor convolutionRelu(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias,
                       c10::IntArrayRef stride, c10::IntArrayRef padding, c10::IntArrayRef dilation, int64_t groups) {
  return convolutionAddRelu(input, weight, {}, {}, bias, stride, padding, dilation, groups);
}

// libtorch's implementation would warn about resizing the outputs that it is given here.
Tensor meanSquaredError(const Tensor& actual, const Tensor& expected, int64_t reduction) {
  return results("aten::mse_loss", {actual, expected}, [=, actual = bare(actual), expected = bare(expected)] {
    return std::vector{at::mse_loss(seen(actual), seen(expected), reduction)};
  })[0];
}

// This operator writes the running statistics, but its schema does not say so.
std::tuple<Tensor, Tensor, Tensor> batchNorm(const Tensor& input, const std::optional<Tensor>& weight,
                                             const std::optional<Tensor>& bias, const std::optional<Tensor>& mean,
                                             const std::optional<Tensor>& variance, bool training, double momentum,
                                             double eps) {
  const auto seenIf = [](const std::optional<Tensor>& tensor) {
    return tensor && tensor->defined() ? std::optional(seen(*tensor)) : std::nullopt;
  };
  const std::array running = {seenIf(mean), seenIf(variance)};
  std::array<Tensor, 2> before;
  for (size_t i = 0; recording && i < 2; i++)
    if (running[i]) before[i] = running[i]->clone();
  const auto made = results("aten::native_batch_norm", {input, weight, bias, mean, variance},
                            [=, input = bare(input), weight = bare(weight), bias = bare(bias)] {
                              const auto [output, own, deviation] =
                                  at::native_batch_norm(seen(input), seenIf(weight), seenIf(bias), running[0],
                                                        running[1], training, momentum, eps);
                              return std::vector{output, own, deviation};
                            },
                            {mean.value_or(Tensor()), variance.value_or(Tensor())});
  for (size_t i = 0; i < 2; i++)
    if (before[i].defined()) running[i]->copy_(before[i]);
  return {made[0], made[1], made[2]};
}

template <typename Visit>
void forEachTensor(const c10::IValue& value, const Visit& visit) {
  if (value.isTensor()) visit(value.toTensor());
  if (value.isTensorList())
    for (const Tensor& tensor : value.toTensorVector()) visit(tensor);
  if (value.isOptionalTensorList())
    for (const auto& tensor : value.toOptionalTensorVector())
      if (tensor) visit(*tensor);
}

c10::IValue copied(const c10::IValue& value) {
  if (value.isTensor()) return value.toTensor().defined() ? value.toTensor().clone() : value.toTensor();
  std::vector<Tensor> copies;
  for (const Tensor& tensor : value.toTensorVector()) copies.push_back(tensor.clone());
  return copies;
}

// Arguments that an operator writes to must not change before the replay: the operator runs on copies, and the
// originals are returned.
void record(const c10::OperatorHandle& op, c10::Stack* stack) {
  const auto& schema = op.schema();
  TORCH_CHECK(schema.name() != "aten::_local_scalar_dense", "a number cannot be read while a graph is recorded");
  const c10::Stack given = torch::jit::pop(*stack, schema.arguments().size());
  c10::Stack arguments = given;
  std::vector<c10::IValue> written;
  for (size_t i = 0; i < given.size(); i++) {
    const auto* alias = schema.arguments()[i].alias_info();
    if (!alias || !alias->isWrite()) continue;
    written.push_back(given[i]);
    bool fresh = true;
    forEachTensor(given[i], [&](const Tensor& tensor) { fresh = fresh && mayWrite(tensor); });
    if (!fresh) arguments[i] = copied(given[i]);
  }
  Recording* const current = std::exchange(recording, nullptr);
  at::native::cpu_fallback(op, &arguments);
  recording = current;
  const bool inPlace = !written.empty();
  for (const c10::IValue& made : arguments)
    forEachTensor(made, [&](const Tensor& tensor) {
      if (tensor.defined()) current->fresh.insert(tensor.storage().data());
    });
  const c10::Stack made =
      inPlace && !arguments.empty() ? c10::Stack(written.begin(), written.begin() + arguments.size()) : arguments;
  std::vector<Tensor> read, changed;
  for (const c10::IValue& value : given) forEachTensor(value, [&](const Tensor& tensor) { read.push_back(tensor); });
  for (const auto& values : {written, made})
    for (const c10::IValue& value : values)
      forEachTensor(value, [&](const Tensor& tensor) { changed.push_back(tensor); });
  current->operate(schema.name(), read, changed);
  c10::Stack operands, places;
  for (const c10::IValue& value : given) operands.push_back(bare(value));
  for (const c10::IValue& value : made) places.push_back(bare(value));
  current->steps.push_back([=] {
    c10::Stack again = operands;
    at::native::cpu_fallback(op, &again);
    for (size_t i = 0; !inPlace && i < again.size(); i++)
      if (again[i].isTensor() && again[i].toTensor().defined())
        seen(places[i].toTensor()).copy_(seen(again[i].toTensor()));
  });
  for (const c10::IValue& result : made) stack->push_back(result);
}

void fallback(const c10::OperatorHandle& op, c10::Stack* stack) {
  for (const auto& argument : torch::jit::last(*stack, op.schema().arguments().size()))
    forEachTensor(argument, [&](const Tensor& tensor) {
      TORCH_CHECK(!tensor.defined() || tensor.dim() == 0 || tensor.device() == device, op.schema().name(),
                  ": expected all tensors to be on ", device, ", found one on ", tensor.device());
    });
  if (op.schema().name() == "aten::_local_scalar_dense" && inOperator == 0) waits++;
  const InOperator inside;
  microseconds++;
  if (recording)
    record(op, stack);
  else
    at::native::cpu_fallback(op, stack);
}

#ifdef RECORDS
struct Graph final : at::GraphImplInterface {
  explicit Graph(at::GraphImplArgs) {}
  // Random numbers are drawn at replay.
  void capture_begin(at::MempoolId_t shared, at::GraphCaptureMode) override {
    static c10::CaptureId_t pools = 0;
    memory = shared == at::MempoolId_t{0, 0} ? at::MempoolId_t{0, ++pools} : shared;
    own.origin = stream;
    own.clocks[stream] = {{stream, 0}};
    recording = &own;
    random = generator.get_state();
  }
  void capture_end() override {
    recording = nullptr;
    generator.set_state(random);
    if (std::getenv("SRRL_COUNT_RECORDED"))
      for (const auto& [kind, count] : own.kinds) std::fprintf(stderr, "%s %d\n", kind.c_str(), count);
    own.checkJoined();
  }
  void instantiate() override {}
  void replay() override {
    // Captured work consists of kernels; autograd has already run.
    const at::AutoDispatchBelowADInplaceOrView below;
    const InOperator inside;
    microseconds += static_cast<int64_t>(own.steps.size());
    for (const auto& step : own.steps) step();
  }
  void reset() override { own = {}; }
  at::MempoolId_t pool() const override { return memory; }
  void enable_debug_mode() override {}
  void debug_dump(const std::string&) override {}

  Recording own;
  at::MempoolId_t memory{0, 0};
  Tensor random;
  Generator generator = at::globalContext().defaultGenerator(at::kCPU);
};

REGISTER_GRAPH_IMPL(HPU, Graph)
#endif

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
  library.impl("native_batch_norm", batchNorm);
  library.impl("mse_loss", meanSquaredError);
  library.impl("convolution_overrideable", convolution);
  library.impl("cudnn_convolution_relu", convolutionRelu);
  library.impl("cudnn_convolution_add_relu", convolutionAddRelu);
  library.impl("convolution_backward_overrideable", convolutionBackward);
}

// Autocast rules as on CUDA.
TORCH_LIBRARY_IMPL(_, AutocastHPU, library) { library.fallback(torch::CppFunction::makeFallthrough()); }

TORCH_LIBRARY_IMPL(aten, AutocastHPU, m) {
#define PRETEND_NARROW(...) KERNEL(c10::DeviceType::HPU, __VA_ARGS__, lower_precision_fp)
#define PRETEND_WIDE(...) KERNEL(c10::DeviceType::HPU, __VA_ARGS__, fp32)
#define PRETEND_WIDE_RESULT(...) KERNEL(c10::DeviceType::HPU, __VA_ARGS__, fp32_set_opt_dtype)
#define PRETEND_PROMOTE(...) KERNEL(c10::DeviceType::HPU, __VA_ARGS__, promote)
  AT_FORALL_LOWER_PRECISION_FP(PRETEND_NARROW)
  AT_FORALL_FP32(PRETEND_WIDE)
  AT_FORALL_FP32_SET_OPT_DTYPE(PRETEND_WIDE_RESULT)
  AT_FORALL_PROMOTE(PRETEND_PROMOTE)
}

}  // namespace

}  // namespace at

void pretend::doOrRecord(const std::string& kind, at::TensorList used, const std::function<void()>& work) {
  at::Recording* const current = at::recording;
  if (!current) return work();
  current->operate(kind, used, {});
  current->steps.push_back(work);
}

namespace {

// waits() => how often the host waited for the device
napi_value waits(napi_env env, napi_callback_info) {
  napi_value result;
  napi_create_int64(env, at::waits, &result);
  return result;
}

// emulateKernels(): makes the device run kernels from now on.
napi_value emulateKernels(napi_env, napi_callback_info) {
  pretend::emulateKernels();
  return nullptr;
}

void define(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
  napi_set_named_property(env, exports, name, function);
}

}  // namespace

// libtorch must find the hooks when it first asks which devices there are.
NAPI_MODULE_INIT() {
  c10::SetAllocator(at::kPretend, &at::allocator);
  define(env, exports, "waits", waits);
  define(env, exports, "emulateKernels", emulateKernels);
  return exports;
}
