// The processes of a run as one group: c10d's store and backend of libtorch, what each rank is doing, and errors that
// name the rank that is to blame. One group a process, shared by its threads.
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
  std::string address;  // where the store is
  int port = 0;
  bool hostsStore = false;  // this process runs the store's server
  std::string prefix;       // of all keys; another one after a restart
  int rank = 0, size = 1;
  std::string host;              // of this process, for messages
  std::string interface;         // network interface; empty: the one that reaches the store
  std::string backend = "gloo";  // "nccl": for tensors of GPUs, next to Gloo
  Milliseconds timeout{600000};
};

class Heartbeat;

class Group {
 public:
  // Connects to the other ranks; throws Error where one of them does not come within the timeout.
  explicit Group(GroupSetup setup);
  ~Group();

  const GroupSetup setup;
  const c10::intrusive_ptr<c10d::Store>& store() const { return store_; }
  c10d::Backend& backend() { return *backend_; }

  // Waits for a collective. Throws Error that names the rank which failed or does not answer.
  void wait(const c10::intrusive_ptr<c10d::Work>& work, const std::string& what);
  // Ends what waits on any thread, with an error.
  void abort();
  // The step that this rank has reached, for the messages of others.
  void reached(int64_t step);
  // Tells the other ranks why this one ends.
  void fail(const std::string& message);

  // Rows of all ranks, [size, ...] of a tensor of the same shape on each.
  at::Tensor gathered(const at::Tensor& own, const std::string& what);

 private:
  void join();
  [[noreturn]] void blame(const std::string& what, const std::string& reason);

  c10::intrusive_ptr<c10d::Store> store_;
  c10::intrusive_ptr<c10d::Backend> backend_;
  std::unique_ptr<Heartbeat> heartbeat_;
  std::vector<std::string> hosts_;
  std::atomic<bool> aborted_{false}, told_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
};

// The group of this process; throws Error where there is none.
std::shared_ptr<Group> currentGroup();
std::shared_ptr<Group> currentGroupOrNull();
void setCurrentGroup(std::shared_ptr<Group> group);

// Asks a store something on a thread of its own, which is left behind where there is no answer in time: a network that
// is cut never gives one. Throws what `ask` throws, and then.
void askPatiently(Milliseconds patience, std::function<void()> ask);

// TCPStore of libtorch, and its port.
std::pair<c10::intrusive_ptr<c10d::Store>, int> openStore(const GroupSetup& setup);

// Backends; throw Error where this build or this libtorch has none. The first one is for tensors of any device.
c10::intrusive_ptr<c10d::Backend> makeBackend(const c10::intrusive_ptr<c10d::Store>& store, const GroupSetup& setup);
c10::intrusive_ptr<c10d::Backend> makeGloo(const c10::intrusive_ptr<c10d::Store>& store, const GroupSetup& setup);
c10::intrusive_ptr<c10d::Backend> makeNccl(const c10::intrusive_ptr<c10d::Store>& store, const GroupSetup& setup);
bool hasGloo();

}  // namespace srrl::distributed
