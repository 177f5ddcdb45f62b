// One backend for tensors of any device: Gloo for the CPU, NCCL for NVIDIA GPUs, and dispatcher operators for other
// devices. A device without its own kernel for those falls back to the CPU, and so to Gloo.
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include "distributed/group.h"
#include "errors.h"
#include "library.h"

namespace srrl::distributed {

namespace {

using Works = c10::intrusive_ptr<c10d::Work>;

// The work of an operator: it is queued on the device, and whatever reads the tensor runs behind it.
class Asked : public c10d::Work {
 public:
  bool isCompleted() override { return true; }
  bool wait(std::chrono::milliseconds) override { return true; }
};

template <typename Function>
auto operatorNamed(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(ownName(name).c_str(), "").typed<Function>();
}

class ByOperators : public c10d::Backend {
 public:
  ByOperators(int rank, int size) : Backend(rank, size) {}
  const std::string getBackendName() const override { return "operators"; }

  Works allreduce(std::vector<at::Tensor>& tensors, const c10d::AllreduceOptions& options) override {
    const auto operation = static_cast<int64_t>(static_cast<c10d::ReduceOp::RedOpType>(options.reduceOp));
    operatorNamed<at::Tensor&(at::Tensor&, int64_t)>("srrl::all_reduce_").call(tensors.at(0), operation);
    return c10::make_intrusive<Asked>();
  }

  Works broadcast(std::vector<at::Tensor>& tensors, const c10d::BroadcastOptions& options) override {
    operatorNamed<at::Tensor&(at::Tensor&, int64_t)>("srrl::broadcast_").call(tensors.at(0), options.rootRank);
    return c10::make_intrusive<Asked>();
  }

  Works allgather(std::vector<std::vector<at::Tensor>>& outputs, std::vector<at::Tensor>& inputs,
                  const c10d::AllgatherOptions&) override {
    const at::Tensor all = operatorNamed<at::Tensor(const at::Tensor&)>("srrl::all_gather").call(inputs.at(0));
    for (size_t rank = 0; rank < outputs.at(0).size(); rank++)
      outputs[0][rank].copy_(all.select(0, static_cast<int64_t>(rank)));
    return c10::make_intrusive<Asked>();
  }
};

class ByDevice : public c10d::Backend {
 public:
  ByDevice(c10::intrusive_ptr<c10d::Backend> host, c10::intrusive_ptr<c10d::Backend> cuda)
      : Backend(host->getRank(), host->getSize()),
        host_(std::move(host)),
        cuda_(std::move(cuda)),
        others_(c10::make_intrusive<ByOperators>(getRank(), getSize())) {}

  const std::string getBackendName() const override {
    return cuda_ ? cuda_->getBackendName() : host_->getBackendName();
  }
  Works allreduce(std::vector<at::Tensor>& tensors, const c10d::AllreduceOptions& options) override {
    return of(tensors.at(0)).allreduce(tensors, options);
  }
  Works broadcast(std::vector<at::Tensor>& tensors, const c10d::BroadcastOptions& options) override {
    return of(tensors.at(0)).broadcast(tensors, options);
  }
  Works allgather(std::vector<std::vector<at::Tensor>>& outputs, std::vector<at::Tensor>& inputs,
                  const c10d::AllgatherOptions& options) override {
    return of(inputs.at(0)).allgather(outputs, inputs, options);
  }
  void abort() override {
    if (cuda_) cuda_->abort();
  }

 private:
  c10d::Backend& of(const at::Tensor& tensor) {
    if (tensor.is_cpu()) return *host_;
    if (!tensor.is_cuda()) return *others_;
    if (!cuda_)
      throw Error(kDistributed, "This process group supports only CPU tensors, and a tensor is on " +
                                    tensor.device().str() + ". Create it with distributed.init({ backend: 'nccl' }).");
    return *cuda_;
  }

  const c10::intrusive_ptr<c10d::Backend> host_, cuda_, others_;
};

at::Tensor& allReduce(at::Tensor& tensor, int64_t operation) {
  const auto group = currentGroup();
  c10d::AllreduceOptions options;
  options.reduceOp = static_cast<c10d::ReduceOp::RedOpType>(operation);
  std::vector<at::Tensor> one{tensor};
  group->wait(group->backend().allreduce(one, options), "all-reduce");
  return tensor;
}

at::Tensor& broadcast(at::Tensor& tensor, int64_t source) {
  const auto group = currentGroup();
  c10d::BroadcastOptions options;
  options.rootRank = source;
  std::vector<at::Tensor> one{tensor};
  group->wait(group->backend().broadcast(one, options), "broadcast");
  return tensor;
}

at::Tensor allGather(const at::Tensor& tensor) { return currentGroup()->gathered(tensor, "all-gather"); }

}  // namespace

c10::intrusive_ptr<c10d::Backend> makeBackend(const c10::intrusive_ptr<c10d::Store>& store, const GroupSetup& setup) {
  auto cuda = setup.backend == "nccl" ? makeNccl(store, setup) : c10::intrusive_ptr<c10d::Backend>();
  return c10::make_intrusive<ByDevice>(makeGloo(store, setup), std::move(cuda));
}

}  // namespace srrl::distributed

void srrl::defineCollectives(torch::Library& library) {
  const auto onCpu = [](auto* function) { return torch::dispatch(c10::DispatchKey::CPU, function); };
  library.def("all_reduce_(Tensor(a!) self, int operation) -> Tensor(a!)", onCpu(&distributed::allReduce));
  library.def("broadcast_(Tensor(a!) self, int source) -> Tensor(a!)", onCpu(&distributed::broadcast));
  library.def("all_gather(Tensor self) -> Tensor", onCpu(&distributed::allGather));
}
