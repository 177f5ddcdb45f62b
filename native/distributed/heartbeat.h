// What each rank is doing, written into the store once a second by a thread of its own, also while the program
// computes.
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
  // `store`: a connection of its own.
  Heartbeat(c10::intrusive_ptr<c10d::Store> store, int rank);
  ~Heartbeat();

  // The last step, and how many collectives this rank has waited for, or waits for.
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
  bool alive = false;           // its heartbeat continues
  int64_t step = 0, waits = 0;  // as it last said
  std::string failure;          // what it said of itself
};

// Looks at all ranks for some seconds. Empty where the store does not answer.
std::vector<RankState> examine(const c10::intrusive_ptr<c10d::Store>& store, int size);

std::string failureKey(int rank);

}  // namespace srrl::distributed
