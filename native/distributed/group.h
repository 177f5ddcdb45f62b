// The process group of a run: a store and a backend of libtorch's c10d, the state of each rank, and errors that name
// the rank at fault. One group per process, shared by its threads.
#pragma once

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace srrl::distributed {

using Milliseconds = std::chrono::milliseconds;

struct GroupSetup {
  std::string address;  // the host of the store
  int port = 0;
  bool hostsStore = false;  // whether this process runs the store's server
  std::string prefix;       // of all keys; a restart uses another one
  int rank = 0, size = 1;
  std::string host;              // the name of this machine, for messages
  std::string interface;         // network interface; if empty, the one that reaches the store
  std::string backend = "gloo";  // "nccl" adds a backend for tensors on GPUs
  Milliseconds timeout{600000};
};

class Heartbeat;

class Group {
 public:
  // Connects to the other ranks. Throws Error if one of them does not connect within the timeout.
  explicit Group(GroupSetup setup);
  ~Group();

  const GroupSetup setup;
  c10d::Backend& backend() { return *backend_; }

  // Waits for a collective. Throws Error that names the rank that failed or does not respond.
  void wait(const c10::intrusive_ptr<c10d::Work>& work, const std::string& what);
  // Makes wait() throw on every thread.
  void abort();
  // Records the step of this rank, for the error messages of others.
  void reached(int64_t step);
  // Tells the other ranks why this one ends.
  void fail(const std::string& message);

  // Gathers tensors of the same shape from all ranks: [size, ...].
  at::Tensor gathered(const at::Tensor& own, const std::string& what);

 private:
  void join();
  [[noreturn]] void blame(const std::string& what, const std::string& reason);

  c10::intrusive_ptr<c10d::Store> store_;
  c10::intrusive_ptr<c10d::Backend> backend_;
  std::unique_ptr<Heartbeat> heartbeat_;
  std::vector<std::string> hosts_;
  std::atomic<bool> aborted_{false}, told_{false};
};

// Returns the group of this process; throws Error if there is none.
std::shared_ptr<Group> currentGroup();
std::shared_ptr<Group> currentGroupOrNull();
void setCurrentGroup(std::shared_ptr<Group> group);

// Runs `ask`, which queries a store, on a separate thread. If it has not returned in time, throws and leaves the thread
// behind: a query over a network that was cut never returns. Rethrows what `ask` throws.
void askPatiently(Milliseconds patience, std::function<void()> ask);

// Opens a TCPStore of libtorch; returns it and its port.
std::pair<c10::intrusive_ptr<c10d::Store>, int> openStore(const GroupSetup& setup);

// Backends; these throw Error if this build or this libtorch lacks them. makeBackend() handles tensors of any device.
c10::intrusive_ptr<c10d::Backend> makeBackend(const c10::intrusive_ptr<c10d::Store>& store, const GroupSetup& setup);
c10::intrusive_ptr<c10d::Backend> makeGloo(const c10::intrusive_ptr<c10d::Store>& store, const GroupSetup& setup);
c10::intrusive_ptr<c10d::Backend> makeNccl(const c10::intrusive_ptr<c10d::Store>& store, const GroupSetup& setup);
bool hasGloo();

}  // namespace srrl::distributed
