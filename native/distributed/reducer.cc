#include "distributed/reducer.h"

#include <ATen/record_function.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/utils/lambda_post_hook.h>
#include <torch/csrc/autograd/variable.h>

#include "errors.h"

namespace srrl::distributed {

namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace

// Measures the time during which any bucket is in transit; buckets overlap.
struct Reducer::Clock {
  std::mutex mutex;
  int running = 0;
  double since = 0;
  Times times;

  void began() {
    const std::lock_guard<std::mutex> lock(mutex);
    if (running++ == 0) since = now();
  }
  void ended() {
    const std::lock_guard<std::mutex> lock(mutex);
    if (--running == 0) times.communicated += now() - since;
  }
};

Reducer::Reducer(std::shared_ptr<Group> group, std::vector<at::Tensor> parameters, const ReducerOptions& options)
    : group_(std::move(group)),
      parameters_(std::move(parameters)),
      findUnused_(options.findUnused),
      bucketOf_(parameters_.size()),
      clock_(std::make_shared<Clock>()),
      done_(parameters_.size()) {
  if (parameters_.empty()) throw Error(kState, "there are no parameters whose gradients could be reduced");
  fill(options);
  for (size_t i = 0; i < parameters_.size(); i++) {
    auto accumulator = torch::autograd::impl::grad_accumulator(parameters_[i]);
    if (!accumulator)
      throw Error(kState,
                  "parameter " + std::to_string(i) + " does not require a gradient, so there is nothing to reduce");
    auto hook = std::make_unique<torch::autograd::utils::LambdaPostHook>(
        [this, i](const torch::autograd::variable_list& outputs, const torch::autograd::variable_list&) {
          ready(i);
          return outputs;
        });
    hooks_.emplace_back(accumulator.get(), accumulator->add_post_hook(std::move(hook)));
    accumulators_.push_back(std::make_shared<decltype(accumulator)>(std::move(accumulator)));
  }
}

Reducer::~Reducer() {
  for (const auto& [node, key] : hooks_) node->del_post_hook(key);
}

// In reverse order, because the gradients of the last parameters come first. The first bucket is small, so that
// communication starts early.
void Reducer::fill(const ReducerOptions& options) {
  std::vector<int64_t> elements;
  for (size_t i = parameters_.size(); i-- > 0;) {
    const at::Tensor& parameter = parameters_[i];
    const int64_t most =
        (buckets_.size() <= 1 ? options.firstBucketBytes : options.bucketBytes) / parameter.element_size();
    const bool fits = !buckets_.empty() && elements.back() + parameter.numel() <= most &&
                      parameters_[buckets_.back().members[0]].options().type_equal(parameter.options());
    if (!fits) {
      buckets_.emplace_back();
      elements.push_back(0);
    }
    bucketOf_[i] = buckets_.size() - 1;
    buckets_.back().members.push_back(i);
    elements.back() += parameter.numel();
  }
  for (size_t b = 0; b < buckets_.size(); b++) {
    Bucket& bucket = buckets_[b];
    bucket.buffer = at::empty({elements[b]}, parameters_[bucket.members[0]].options().requires_grad(false));
    int64_t begin = 0;
    for (const size_t i : bucket.members) {
      const at::Tensor& parameter = parameters_[i];
      const at::Tensor part = bucket.buffer.narrow(0, begin, parameter.numel());
      // With the strides of the parameter, so that the gradient is copied without reordering.
      bucket.views.push_back(parameter.is_non_overlapping_and_dense()
                                 ? part.as_strided(parameter.sizes(), parameter.strides())
                                 : part.view(parameter.sizes()));
      begin += parameter.numel();
    }
  }
}

void Reducer::arm() {
  const std::lock_guard<std::mutex> lock(mutex_);
  armed_ = true;
  next_ = 0;
  done_.assign(parameters_.size(), false);
  for (Bucket& bucket : buckets_) {
    bucket.missing = bucket.members.size();
    bucket.work.reset();
  }
}

void Reducer::ready(size_t parameter) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!armed_ || done_[parameter]) return;
  done_[parameter] = true;
  buckets_[bucketOf_[parameter]].missing--;
  // In the same order on all ranks.
  while (next_ < buckets_.size() && buckets_[next_].missing == 0) launch(buckets_[next_++]);
}

void Reducer::launch(Bucket& bucket) {
  const at::NoGradGuard noGrad;
  RECORD_FUNCTION("srrl::bucket", std::vector<c10::IValue>());
  std::vector<at::Tensor> views, gradients;
  for (size_t k = 0; k < bucket.members.size(); k++) {
    const at::Tensor& gradient = parameters_[bucket.members[k]].grad();
    if (!gradient.defined()) {
      bucket.views[k].zero_();
      continue;
    }
    views.push_back(bucket.views[k]);
    gradients.push_back(gradient);
  }
  if (!views.empty()) at::_foreach_copy_(views, gradients);
  bucket.buffer.div_(group_->setup.size);
  std::vector<at::Tensor> tensors{bucket.buffer};
  bucket.work = group_->backend().allreduce(tensors);
  clock_->began();
  if (bucket.work->isCompleted())
    clock_->ended();
  else
    bucket.work->getFuture()->addCallback([clock = clock_](c10::ivalue::Future&) { clock->ended(); });
}

void Reducer::finish() {
  const at::NoGradGuard noGrad;
  std::vector<size_t> unused;
  at::Tensor used;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!armed_) throw Error(kState, "the reducer is not armed: there is no backward pass to reduce");
    armed_ = false;
    for (size_t i = 0; i < parameters_.size(); i++)
      if (!done_[i]) unused.push_back(i);
    if (!unused.empty() && !findUnused_) {
      // The next backward pass uses their buffers again.
      for (size_t b = 0; b < next_; b++) group_->wait(buckets_[b].work, "the all-reduce of gradients");
      throw Error(kState, std::to_string(unused.size()) + " of " + std::to_string(parameters_.size()) +
                              " parameters got no gradient, the first is number " + std::to_string(unused[0]) +
                              ". Leave them out of the module, or pass findUnusedParameters: true");
    }
    while (next_ < buckets_.size()) launch(buckets_[next_++]);
  }
  const double began = now();
  {
    RECORD_FUNCTION("srrl::wait_for_buckets", std::vector<c10::IValue>());
    if (findUnused_) {
      std::vector<int32_t> flags(parameters_.size(), 1);
      for (const size_t i : unused) flags[i] = 0;
      used = at::tensor(flags).to(parameters_[0].device());
      std::vector<at::Tensor> tensors{used};
      group_->wait(group_->backend().allreduce(tensors), "the list of used parameters");
    }
    for (Bucket& bucket : buckets_) group_->wait(bucket.work, "the all-reduce of gradients");
  }
  const at::Tensor everywhere = unused.empty() ? at::Tensor() : used.cpu();
  std::vector<at::Tensor> views, gradients;
  for (Bucket& bucket : buckets_) {
    for (size_t k = 0; k < bucket.members.size(); k++) {
      at::Tensor& parameter = parameters_[bucket.members[k]];
      at::Tensor& gradient = parameter.mutable_grad();
      if (gradient.defined()) {
        gradients.push_back(gradient);
        views.push_back(bucket.views[k]);
      } else if (everywhere.defined() && everywhere[bucket.members[k]].item<int32_t>() > 0) {
        gradient = bucket.views[k].clone();
      }
    }
  }
  if (!views.empty()) at::_foreach_copy_(gradients, views);
  const std::lock_guard<std::mutex> lock(clock_->mutex);
  clock_->times.waited += now() - began;
}

Reducer::Times Reducer::takeTimes() {
  const std::lock_guard<std::mutex> lock(clock_->mutex);
  return std::exchange(clock_->times, {});
}

}  // namespace srrl::distributed
