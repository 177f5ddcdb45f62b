// The package's own kernels for devices: who launches them, and when they replace libtorch's operators.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace srrl::kernels {

struct Shape {
  unsigned gridX = 1, gridY = 1, blockX = 1, blockY = 1;
};

// Launches the kernels of one device.
class Engine {
 public:
  virtual ~Engine() = default;
  // `tensors` are all that the kernel reads and writes; the first is on the kernel's device. Runs on the current
  // stream.
  virtual void launch(const std::string& kernel, const Shape& shape, const void* parameters, size_t size,
                      at::TensorList tensors) = 0;
};

template <typename Parameters>
void launch(Engine& engine, const std::string& kernel, const Shape& shape, const Parameters& parameters,
            at::TensorList tensors) {
  engine.launch(kernel, shape, &parameters, sizeof(Parameters), tensors);
}

void install(c10::Device device, std::unique_ptr<Engine> engine);

// Returns the engine of the tensor's device, or null if no kernels are installed there.
Engine* installedFor(const at::Tensor& tensor);

// As installedFor(), but null unless this thread has enabled kernels.
Engine* engineFor(const at::Tensor& tensor);

// Enables or disables kernels for this thread (initially disabled); returns the previous value.
bool enable(bool on);

// Whether the kernels named `kind` may be used. At their first use `agree` compares them with plain operators. During a
// capture nothing can be compared, so kernels without a verdict are not used.
bool trusted(const at::Tensor& on, const std::string& kind, const std::function<bool()>& agree);

// As trusted(), for kernels that are not always faster: the first use also times both, if the device can measure time.
bool preferred(const at::Tensor& on, const std::string& kind, const std::function<at::Tensor()>& ours,
               const std::function<at::Tensor()>& plain);

// Whether a result equals `plain` up to rounding in its dtype. Compares norms, because a value near 0 may be on the
// other side of a ReLU. Waits for the device.
bool agrees(const at::Tensor& ours, const at::Tensor& plain);

// Results of all comparisons so far. `obstacle` is empty if the kernels agreed, else the reason why they are not used.
struct Verdict {
  std::string device, kind, obstacle;
};
std::vector<Verdict> verdicts();

// Returns `count` int32 counters, which are 0 between launches. Consecutive calls return different ones, so that
// launches can run in parallel.
at::Tensor counters(const at::Tensor& on, int64_t count);

// Called at the begin and end of each capture.
void capturing(bool on);

}  // namespace srrl::kernels
