// Runs the package's kernels for the mock device, compiled as C++ from the same sources. Every thread of a block is a
// fiber that switches at barriers, so that a missing barrier shows as a wrong result or a deadlock error.
#include "emulated_cuda.h"

#include "cross_entropy.cu"
#include "head.cu"
#include "norm_backward.cu"
#include "norm_forward.cu"
#include "pool.cu"
#include "step.cu"
#include "update.cu"
#include "views.cu"

#include <ATen/ATen.h>
#include <node_api.h>
#include <setjmp.h>
#include <torch/library.h>
#include <ucontext.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pretend.h"

Dimensions threadIdx, blockIdx, blockDim, gridDim;

namespace {

using namespace srrl::kernels;

constexpr size_t kStack = 64 << 10;

struct Fiber {
  // Only the first switch to a fiber uses its ucontext: setcontext() makes a system call, longjmp() does not.
  ucontext_t context;
  jmp_buf place;
  std::unique_ptr<char[]> stack{new char[kStack]};
  Dimensions thread;
  bool begun = false, done = false, waits = false;
};

jmp_buf scheduler;
Fiber* current = nullptr;
const std::function<void()>* body = nullptr;

void enter() {
  (*body)();
  current->done = true;
  _longjmp(scheduler, 1);
}

// Runs a fiber up to its next barrier or its end.
void resume(Fiber& fiber) {
  if (_setjmp(scheduler) != 0) return;
  if (std::exchange(fiber.begun, true)) _longjmp(fiber.place, 1);
  setcontext(&fiber.context);
}

// Runs each thread in turn up to the next barrier, until all have ended.
void runBlock(const std::function<void()>& kernel, std::vector<Fiber>& fibers) {
  body = &kernel;
  for (Fiber& fiber : fibers) {
    fiber.begun = fiber.done = false;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStack;
    makecontext(&fiber.context, enter, 0);
  }
  for (size_t done = 0; done < fibers.size();) {
    size_t waiting = 0;
    for (Fiber& fiber : fibers) {
      if (fiber.done) continue;
      current = &fiber;
      threadIdx = fiber.thread;
      fiber.waits = false;
      resume(fiber);
      if (fiber.done) done++;
      if (fiber.waits) waiting++;
    }
    TORCH_CHECK(waiting == 0 || done == 0, "a thread of a block ended while others wait for it");
  }
}

template <typename Parameters>
std::function<void()> call(void (*kernel)(Parameters), const std::string& parameters) {
  Parameters copy;
  std::memcpy(&copy, parameters.data(), sizeof copy);
  return [=] { kernel(copy); };
}

#define KERNEL(name) {#name, name}
#define NORM_KERNELS(type)                                                                                    \
  KERNEL(norm_statistics_##type), KERNEL(norm_statistics_joined_##type), KERNEL(norm_apply_##type),           \
      KERNEL(norm_apply_residual_##type), KERNEL(norm_apply_joined_##type), KERNEL(norm_apply_linear_##type), \
      KERNEL(norm_apply_pooled_##type), KERNEL(norm_sums_##type), KERNEL(norm_sums_residual_##type),          \
      KERNEL(norm_sums_linear_##type), KERNEL(norm_sums_pooled_##type), KERNEL(norm_gradients_##type),        \
      KERNEL(norm_gradients_residual_##type), KERNEL(norm_gradients_linear_##type),                           \
      KERNEL(norm_gradients_pooled_##type), KERNEL(norm_gradients_joined_##type)

#undef HEAD_KERNELS
#define HEAD_KERNELS(name)                                                                    \
  {"head_losses4_" #name, head_losses4_##name}, {"head_losses8_" #name, head_losses8_##name}, \
      {"head_losses16_" #name, head_losses16_##name}, {                                       \
    "head_differences_" #name, head_differences_##name                                        \
  }

#undef CROSS_ENTROPY_KERNELS
#define CROSS_ENTROPY_KERNELS(name)                                                                       \
  {"cross_entropy4_" #name, cross_entropy4_##name}, {"cross_entropy32_" #name, cross_entropy32_##name}, { \
    "cross_entropy_gradient_" #name, cross_entropy_gradient_##name                                        \
  }

const std::map<std::string, void (*)(Head)> heads = {HEAD_KERNELS(float_float),
                                                     HEAD_KERNELS(float_bfloat),
                                                     HEAD_KERNELS(bfloat_float),
                                                     HEAD_KERNELS(bfloat_bfloat),
                                                     {"head_gradient_float", head_gradient_float},
                                                     {"head_gradient_bfloat", head_gradient_bfloat}};
const std::map<std::string, void (*)(CrossEntropy)> crossEntropies = {CROSS_ENTROPY_KERNELS(float),
                                                                      CROSS_ENTROPY_KERNELS(bfloat)};
const std::map<std::string, void (*)(Norm)> norms = {NORM_KERNELS(float4), NORM_KERNELS(float1), NORM_KERNELS(bfloat8),
                                                     NORM_KERNELS(bfloat1)};

#define POOL_KERNELS(name)                                                        \
  {"max_pool_" #name, max_pool_##name}, {"max_pool_3_" #name, max_pool_3_##name}, \
      {"max_pool_gradient_" #name, max_pool_gradient_##name}, {                   \
    "max_pool_gradient_3_2_" #name, max_pool_gradient_3_2_##name                  \
  }
const std::map<std::string, void (*)(Pool)> pools = {POOL_KERNELS(float4), POOL_KERNELS(float1), POOL_KERNELS(bfloat8),
                                                     POOL_KERNELS(bfloat1)};

std::function<void()> kernelOf(const std::string& name, const std::string& parameters) {
  if (const auto found = norms.find(name); found != norms.end()) return call(found->second, parameters);
  if (const auto found = heads.find(name); found != heads.end()) return call(found->second, parameters);
  if (const auto found = pools.find(name); found != pools.end()) return call(found->second, parameters);
  if (const auto found = crossEntropies.find(name); found != crossEntropies.end())
    return call(found->second, parameters);
  if (name == "views_float") return call(views_float, parameters);
  if (name == "views_bfloat") return call(views_bfloat, parameters);
  if (name == "update_sgd") return call(update_sgd, parameters);
  if (name == "update_adam") return call(update_adam, parameters);
  if (name == "step_magnitudes") return call(step_magnitudes, parameters);
  if (name == "step_judge") return call(step_judge, parameters);
  if (name == "step_means") return call(step_means, parameters);
  if (name == "step_copy") return call(step_copy, parameters);
  TORCH_CHECK(false, "there is no kernel ", name);
}

void runGrid(const std::function<void()>& kernel, const std::vector<int64_t>& shape) {
  gridDim = {static_cast<unsigned>(shape[0]), static_cast<unsigned>(shape[1])};
  blockDim = {static_cast<unsigned>(shape[2]), static_cast<unsigned>(shape[3])};
  TORCH_CHECK(blockDim.x * blockDim.y <= kThreads, "a block of ", blockDim.x, " x ", blockDim.y, " threads");
  static std::vector<Fiber> all(kThreads);
  std::vector<Fiber> fibers;
  for (unsigned y = 0; y < blockDim.y; y++) {
    for (unsigned x = 0; x < blockDim.x; x++) {
      fibers.push_back(std::move(all[fibers.size()]));
      fibers.back().thread = {x, y, 0};
    }
  }
  for (blockIdx.y = 0; blockIdx.y < gridDim.y; blockIdx.y++)
    for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++) runBlock(kernel, fibers);
  for (size_t i = 0; i < fibers.size(); i++) all[i] = std::move(fibers[i]);
}

void launch(at::TensorList tensors, c10::string_view name, at::IntArrayRef shape, int64_t parameters, int64_t size) {
  const std::string bytes(reinterpret_cast<const char*>(parameters), size);
  const auto kernel = kernelOf(std::string(name), bytes);
  const std::vector<at::Tensor> kept(tensors.begin(), tensors.end());
  pretend::doOrRecord("srrl::" + std::string(name), kept, [=, shape = shape.vec()] {
    (void)kept;
    runGrid(kernel, shape);
  });
}

}  // namespace

void __syncthreads() {
  current->waits = true;
  if (_setjmp(current->place) == 0) _longjmp(scheduler, 1);
}

unsigned __shfl_xor_sync(unsigned, unsigned value, int distance) {
  static unsigned values[kThreads];
  const unsigned self = threadIdx.y * blockDim.x + threadIdx.x;
  values[self] = value;
  __syncthreads();
  const unsigned other = values[self ^ distance];
  __syncthreads();
  return other;
}

namespace pretend {

void emulateKernels() {
  static torch::Library library(torch::Library::IMPL, "srrl", c10::DispatchKey::HPU, __FILE__, __LINE__);
  library.impl("launch_kernel", launch);
}

}  // namespace pretend
