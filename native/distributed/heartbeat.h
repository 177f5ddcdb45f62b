// Writes the state of this rank into the store once a second, on a separate thread, so that it continues while the
// program computes.
#pragma once

#include <torch/csrc/distributed/c10d/Store.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace srrl::distributed {

class Heartbeat {
 public:
  // `store` must be a connection that nothing else uses.
  Heartbeat(c10::intrusive_ptr<c10d::Store> store, int rank);
  ~Heartbeat();

  // The last step, and the number of collectives that this rank has waited or is waiting for.
  std::atomic<int64_t> step{0}, waits{0};

 private:
  void beat();

  c10::intrusive_ptr<c10d::Store> store_;
  const int rank_;
  bool ends_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::thread thread_;
};

struct RankState {
  bool alive = false;           // whether the heartbeat continues
  int64_t step = 0, waits = 0;  // as last reported
  std::string failure;          // the reason if the rank reported a failure
};

// Observes all ranks for some seconds. Returns an empty list if the store does not respond.
std::vector<RankState> examine(const c10::intrusive_ptr<c10d::Store>& store, int size);

std::string failureKey(int rank);

}  // namespace srrl::distributed
