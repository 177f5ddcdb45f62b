#include "gradients.h"

#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/autograd/graph_task.h>
#include <torch/csrc/autograd/variable.h>

#include "arguments.h"
#include "kernels/engine.h"
#include "kernels/many.h"
#include "streams.h"

namespace srrl {

namespace {

// Limit for the tensors that side-stream work keeps alive, which the chain could otherwise reuse.
constexpr size_t kMostBytes = size_t{1} << 30;

thread_local c10::intrusive_ptr<Gradients> current;

c10::Stream currentStream(c10::Device device) { return c10::impl::VirtualGuardImpl(device.type()).getStream(device); }

// Autograd stores a gradient with the strides of its weight.
at::Tensor inOrder(const at::Tensor& gradient, const at::Tensor& weight) {
  if (kernels::liesAs(gradient, weight)) return gradient;
  return at::empty_like(weight, weight.options().dtype(gradient.scalar_type())).copy_(gradient);
}

}  // namespace

Gradients::Gradients(c10::Device device) : device_(device), side_(sideOf(currentStream(device))) {}

c10::intrusive_ptr<Gradients> Gradients::forWeight(const at::Tensor& weight) {
  using namespace torch::autograd;
  if (!current || weight.device().type() != current->device_.type()) return {};
  if (!weight.requires_grad() || !weight.is_leaf() || !isPlain(weight) || !weight.is_non_overlapping_and_dense())
    return {};
  // Hooks must see the gradients that autograd computes.
  if (!impl::hooks(weight).empty() || impl::post_acc_grad_hooks(weight)) return {};
  // Post hooks, such as those of the distributed Reducer, must run as well.
  const auto accumulator = impl::try_get_grad_accumulator(weight);
  if (accumulator && !accumulator->post_hooks().empty()) return {};
  return current;
}

bool Gradients::areWanted() const {
  return isOpen_ && !at::GradMode::is_enabled() && torch::autograd::get_current_graph_task_exec_info()->empty();
}

c10::Event Gradients::here() const {
  c10::Event event(device_.type());
  event.record(currentStream(device_));
  return event;
}

void Gradients::beside(c10::Event begin, std::vector<at::Tensor> used, const std::function<void()>& work) {
  size_t bytes = 0;
  for (const at::Tensor& tensor : used) bytes += tensor.nbytes();
  bytes_ += bytes;
  begin.block(side_);
  {
    const c10::StreamGuard onSide(side_);
    work();
  }
  works_.push_back({std::move(used), c10::Event(device_.type()), bytes});
  works_.back().end.record(side_);
  while (bytes_ > kMostBytes) awaitFirst();
}

void Gradients::awaitFirst() {
  works_.front().end.block(currentStream(device_));
  bytes_ -= works_.front().bytes;
  works_.pop_front();
}

void Gradients::add(const at::Tensor& weight, const at::Tensor& gradient) {
  const at::AutoDispatchBelowADInplaceOrView below;
  const auto [place, isNew] = places_.try_emplace(weight.unsafeGetTensorImpl(), gradients_.size());
  if (isNew) {
    gradients_.push_back({weight, inOrder(gradient, weight)});
    return;
  }
  at::Tensor& sum = gradients_[place->second].sum;
  if (sum.scalar_type() != weight.scalar_type()) sum = sum.to(weight.scalar_type());
  sum.add_(gradient);
}

void Gradients::addOfChain(const at::Tensor& weight, const at::Tensor& gradient) {
  const auto known = places_.find(weight.unsafeGetTensorImpl());
  if (known == places_.end()) return add(weight, gradient);
  beside(here(), {gradient, gradients_[known->second].sum}, [&] { add(weight, gradient); });
}

void Gradients::awaitAll() {
  isOpen_ = false;
  // The side stream runs in order, so the last event covers all work.
  if (!works_.empty()) works_.back().end.block(currentStream(device_));
  works_.clear();
  bytes_ = 0;
}

void Gradients::drop() {
  awaitAll();
  gradients_.clear();
  places_.clear();
}

void Gradients::finish(bool narrow) {
  const at::AutoDispatchBelowADInplaceOrView below;
  awaitAll();
  std::vector<at::Tensor> wide, given;
  for (auto& [weight, sum] : gradients_) {
    const bool isRead = narrow && sum.scalar_type() == at::kBFloat16 && kernels::engineFor(weight);
    if (isRead || sum.scalar_type() == weight.scalar_type()) continue;
    given.push_back(std::exchange(sum, at::empty_like(weight)));
    wide.push_back(sum);
  }
  if (!wide.empty()) at::_foreach_copy_(wide, given);
  for (const auto& [weight, sum] : gradients_) {
    at::Tensor& gradient = weight.mutable_grad();
    if (gradient.defined())
      gradient.add_(sum);
    else
      gradient = sum;
  }
  gradients_.clear();
  places_.clear();
}

namespace {

c10::intrusive_ptr<Gradients> gradientsOf(const Napi::CallbackInfo& info) {
  return capsuleOf<Gradients>(info, 0, "gradients");
}

// gradientsBegin(device) => handle. From now on, forward passes of this thread have the gradients of their weights
// computed on a side stream of the device's current stream. For use during a capture.
Napi::Value gradientsBegin(const Napi::CallbackInfo& info) {
  current = c10::make_intrusive<Gradients>(c10::Device(info[0].As<Napi::String>().Utf8Value()));
  auto& handles = Environment::of(info.Env()).handles;
  return Napi::Number::New(info.Env(), static_cast<double>(handles.insert(c10::IValue::make_capsule(current))));
}

// gradientsEnd(gradients, narrow): assigns the gradients to the weights. With `narrow`, gradients computed in bfloat16
// stay so where this thread uses the package's kernels.
Napi::Value gradientsEnd(const Napi::CallbackInfo& info) {
  current.reset();
  gradientsOf(info)->finish(info[1].ToBoolean());
  return info.Env().Undefined();
}

// gradientsDrop(gradients): cleanup after an error; assigns nothing.
Napi::Value gradientsDrop(const Napi::CallbackInfo& info) {
  current.reset();
  gradientsOf(info)->drop();
  return info.Env().Undefined();
}

}  // namespace

void exportGradients(Napi::Env, Napi::Object exports) {
  define<gradientsBegin>(exports, "gradientsBegin");
  define<gradientsEnd>(exports, "gradientsEnd");
  define<gradientsDrop>(exports, "gradientsDrop");
}

}  // namespace srrl
