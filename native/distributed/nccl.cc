// NCCL, PyTorch's backend for NVIDIA GPUs, through the C functions of the library that a CUDA libtorch brings.
// c10d::ProcessGroupNCCL needs CUDA headers, and this addon is built without them. NCCL's C interface is stable across
// versions.
#include <c10/core/DeviceGuard.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>

#include <atomic>

#include "distributed/group.h"
#include "errors.h"

namespace srrl::distributed {

namespace {

struct UniqueId {
  char bytes[128];
};
using Communicator = void*;

struct Library {
  int (*getUniqueId)(UniqueId*);
  int (*initRank)(Communicator*, int, UniqueId, int);
  int (*destroy)(Communicator);
  int (*abort)(Communicator);
  int (*allReduce)(const void*, void*, size_t, int, int, Communicator, void*);
  int (*broadcast)(const void*, void*, size_t, int, int, Communicator, void*);
  int (*allGather)(const void*, void*, size_t, int, Communicator, void*);
  const char* (*errorText)(int);
};

// libtorch_cuda.so contains NCCL or depends on its library; dlsym() finds it in both cases.
const Library& library() {
  static const Library one = [] {
    void* handle = dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_NOLOAD);
    if (!handle)
      throw Error(
          kDistributed,
          "NCCL needs a CUDA build of libtorch; this one is for CPUs. Run `npx srrl install-libtorch --cuda cu130`, "
          "or use --device cpu.");
    void* own = dlopen("libnccl.so.2", RTLD_NOW);
    const auto find = [&](auto& function, const char* name) {
      void* found = dlsym(handle, name);
      if (!found && own) found = dlsym(own, name);
      if (!found)
        throw Error(kDistributed, std::string("This CUDA libtorch does not export NCCL (") + name +
                                      " is missing), and there is no libnccl.so.2. Install NVIDIA's libnccl2.");
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(found);
    };
    Library made;
    find(made.getUniqueId, "ncclGetUniqueId");
    find(made.initRank, "ncclCommInitRank");
    find(made.destroy, "ncclCommDestroy");
    find(made.abort, "ncclCommAbort");
    find(made.allReduce, "ncclAllReduce");
    find(made.broadcast, "ncclBroadcast");
    find(made.allGather, "ncclAllGather");
    find(made.errorText, "ncclGetErrorString");
    return made;
  }();
  return one;
}

void check(int status, const char* what) {
  if (status != 0) throw std::runtime_error(std::string("NCCL: ") + what + ": " + library().errorText(status));
}

// ncclDataType_t
int typeOf(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kChar: return 0;
    case at::kByte: return 1;
    case at::kInt: return 2;
    case at::kLong: return 4;
    case at::kHalf: return 6;
    case at::kFloat: return 7;
    case at::kDouble: return 8;
    case at::kBFloat16: return 9;
    default: throw Error(kType, std::string("NCCL cannot send tensors of type ") + toString(tensor.scalar_type()));
  }
}

// ncclRedOp_t
int operationOf(const c10d::ReduceOp& op) {
  switch (static_cast<c10d::ReduceOp::RedOpType>(op)) {
    case c10d::ReduceOp::SUM: return 0;
    case c10d::ReduceOp::PRODUCT: return 1;
    case c10d::ReduceOp::MAX: return 2;
    case c10d::ReduceOp::MIN: return 3;
    default: throw Error(kType, "NCCL reduces by sum, product, max or min");
  }
}

// Complete for the host once it is queued. wait() makes the current stream wait for it.
class StreamWork : public c10d::Work {
 public:
  StreamWork(c10::Event done, c10::Device device, std::vector<at::Tensor> held)
      : done_(std::move(done)), device_(device), held_(std::move(held)) {}
  bool isCompleted() override { return true; }
  bool wait(std::chrono::milliseconds) override {
    done_.block(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
    return true;
  }

 private:
  c10::Event done_;
  c10::Device device_;
  std::vector<at::Tensor> held_;
};

class Nccl : public c10d::Backend {
 public:
  Nccl(c10::intrusive_ptr<c10d::Store> store, int rank, int size) : Backend(rank, size), store_(std::move(store)) {
    library();
  }
  ~Nccl() override {
    if (Communicator one = communicator_.exchange(nullptr)) library().destroy(one);
  }

  const std::string getBackendName() const override { return "nccl"; }

  // Ends collectives that the GPU is waiting for.
  void abort() override {
    // First, so that no thread connects again in between.
    aborted_ = true;
    if (Communicator one = communicator_.exchange(nullptr)) library().abort(one);
  }

  c10::intrusive_ptr<c10d::Work> allreduce(std::vector<at::Tensor>& tensors,
                                           const c10d::AllreduceOptions& options) override {
    at::Tensor& tensor = tensors.at(0);
    return run(tensor, {tensor}, [&](Communicator communicator, void* stream) {
      return library().allReduce(tensor.const_data_ptr(), tensor.mutable_data_ptr(), tensor.numel(), typeOf(tensor),
                                 operationOf(options.reduceOp), communicator, stream);
    });
  }

  c10::intrusive_ptr<c10d::Work> broadcast(std::vector<at::Tensor>& tensors,
                                           const c10d::BroadcastOptions& options) override {
    at::Tensor& tensor = tensors.at(0);
    return run(tensor, {tensor}, [&](Communicator communicator, void* stream) {
      return library().broadcast(tensor.const_data_ptr(), tensor.mutable_data_ptr(), tensor.numel(), typeOf(tensor),
                                 static_cast<int>(options.rootRank), communicator, stream);
    });
  }

  // The outputs must be contiguous with each other in memory, as those of Group::gathered() are.
  c10::intrusive_ptr<c10d::Work> allgather(std::vector<std::vector<at::Tensor>>& outputs,
                                           std::vector<at::Tensor>& inputs, const c10d::AllgatherOptions&) override {
    const at::Tensor& input = inputs.at(0);
    const std::vector<at::Tensor>& all = outputs.at(0);
    return run(input, {input, all.at(0)}, [&](Communicator communicator, void* stream) {
      return library().allGather(input.const_data_ptr(), all.at(0).mutable_data_ptr(), input.numel(), typeOf(input),
                                 communicator, stream);
    });
  }

 private:
  // Runs a collective on a separate stream that starts at the current point of the current one, so that computation
  // continues in parallel.
  template <typename Call>
  c10::intrusive_ptr<c10d::Work> run(const at::Tensor& on, std::vector<at::Tensor> held, const Call& call) {
    const c10::Device device = on.device();
    if (!device.is_cuda()) throw Error(kType, "NCCL needs tensors on a GPU, not on " + device.str());
    const c10::DeviceGuard guard(device);
    const c10::impl::VirtualGuardImpl streams(device.type());
    connect(device, streams);
    c10::Event begin(device.type()), done(device.type());
    begin.record(streams.getStream(device));
    begin.block(*stream_);
    check(call(communicator_, stream_->native_handle()), "collective");
    done.record(*stream_);
    for (const at::Tensor& tensor : held) tensor.record_stream(*stream_);
    return c10::make_intrusive<StreamWork>(std::move(done), device, std::move(held));
  }

  // Runs at the first collective, because only then the device is known.
  void connect(c10::Device device, const c10::impl::VirtualGuardImpl& streams) {
    if (aborted_) throw Error(kDistributed, "The run was aborted.");
    if (communicator_) {
      if (device != device_)
        throw Error(kDistributed, "NCCL needs all tensors of a rank on one GPU: earlier ones were on " +
                                      device_->str() + ", this one is on " + device.str() + ".");
      return;
    }
    UniqueId id{};
    if (getRank() == 0) {
      check(library().getUniqueId(&id), "unique id");
      store_->set("nccl/id", std::vector<uint8_t>(id.bytes, id.bytes + sizeof id.bytes));
    } else {
      const auto value = store_->get("nccl/id");
      std::copy_n(value.begin(), std::min(value.size(), sizeof id.bytes), reinterpret_cast<uint8_t*>(id.bytes));
    }
    Communicator made = nullptr;
    check(library().initRank(&made, getSize(), id, getRank()), "connecting the ranks");
    communicator_ = made;
    device_ = device;
    stream_ = streams.getStreamFromGlobalPool(device, true);
  }

  c10::intrusive_ptr<c10d::Store> store_;
  std::atomic<Communicator> communicator_ = nullptr;
  std::atomic<bool> aborted_ = false;
  std::optional<c10::Device> device_;
  std::optional<c10::Stream> stream_;
};

}  // namespace

c10::intrusive_ptr<c10d::Backend> makeNccl(const c10::intrusive_ptr<c10d::Store>& store, const GroupSetup& setup) {
  return c10::make_intrusive<Nccl>(store, setup.rank, setup.size);
}

}  // namespace srrl::distributed
