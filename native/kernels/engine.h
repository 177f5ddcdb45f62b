// Own kernels for devices: who runs them, and when they are used instead of libtorch's operators.
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

// Runs the kernels of one device.
class Engine {
 public:
  virtual ~Engine() = default;
  // `tensors`: all that the kernel reads and writes, the first on its device. Runs on the current stream.
  virtual void launch(const std::string& kernel, const Shape& shape, const void* parameters, size_t size,
                      at::TensorList tensors) = 0;
};

template <typename Parameters>
void launch(Engine& engine, const std::string& kernel, const Shape& shape, const Parameters& parameters,
            at::TensorList tensors) {
  engine.launch(kernel, shape, &parameters, sizeof(Parameters), tensors);
}

void install(c10::Device device, std::unique_ptr<Engine> engine);

// The engine of the tensor's device, where kernels were installed; else null.
Engine* installedFor(const at::Tensor& tensor);

// The same where this thread wants them.
Engine* engineFor(const at::Tensor& tensor);

// Whether this thread wants them, false at first; returns what it was.
bool enable(bool on);

// Whether the kernels named `kind` may be used: `agree` compares them with plain operators at their first use. Nothing
// can be compared while work is captured in a graph, where kernels that are not known are not used.
bool trusted(const at::Tensor& on, const std::string& kind, const std::function<bool()>& agree);

// The same for what is not always the faster way: both are also timed at their first use, where the device has a clock.
bool preferred(const at::Tensor& on, const std::string& kind, const std::function<at::Tensor()>& ours,
               const std::function<at::Tensor()>& plain);

// Whether a result is `plain`, apart from rounding in its own type: by the norm of the difference, as a value next to 0
// may be on the other side of a ReLU. Waits for the device.
bool agrees(const at::Tensor& ours, const at::Tensor& plain);

// The kinds that are used and those that are not, as they disagreed or failed, with the reason.
struct Verdict {
  std::string device, kind, obstacle;
};
std::vector<Verdict> verdicts();

// Counters that are 0 between launches, int32 [count], for a launch that may run next to others.
at::Tensor counters(const at::Tensor& on, int64_t count);

// Called where a graph begins and ends to be captured.
void capturing(bool on);

}  // namespace srrl::kernels
