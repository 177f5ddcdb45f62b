#include "distributed/heartbeat.h"

#include "distributed/group.h"

#include <condition_variable>
#include <mutex>
#include <sstream>

namespace srrl::distributed {

namespace {

constexpr auto kInterval = std::chrono::seconds(1);
// Longer than two beats, so that a late one does not count as missing.
constexpr auto kObservation = std::chrono::milliseconds(3500);
constexpr auto kStorePatience = std::chrono::seconds(10);

std::string beatKey(int rank) { return "beat/" + std::to_string(rank); }

std::vector<uint8_t> bytes(const std::string& text) { return {text.begin(), text.end()}; }

struct Beat {
  int64_t count = -1, step = 0, waits = 0;
};

std::vector<Beat> beats(c10d::Store& store, int size) {
  std::vector<Beat> all(size);
  for (int rank = 0; rank < size; rank++) {
    if (!store.check({beatKey(rank)})) continue;
    const auto value = store.get(beatKey(rank));
    std::istringstream(std::string(value.begin(), value.end())) >> all[rank].count >> all[rank].step >> all[rank].waits;
  }
  return all;
}

std::vector<RankState> observe(c10d::Store& store, int size) {
  const auto before = beats(store, size);
  std::this_thread::sleep_for(kObservation);
  const auto after = beats(store, size);
  std::vector<RankState> ranks(size);
  for (int rank = 0; rank < size; rank++) {
    ranks[rank].alive = after[rank].count != before[rank].count;
    ranks[rank].step = after[rank].step;
    ranks[rank].waits = after[rank].waits;
    if (!store.check({failureKey(rank)})) continue;
    const auto text = store.get(failureKey(rank));
    ranks[rank].failure.assign(text.begin(), text.end());
  }
  return ranks;
}

}  // namespace

std::string failureKey(int rank) { return "failure/" + std::to_string(rank); }

Heartbeat::Heartbeat(c10::intrusive_ptr<c10d::Store> store, int rank)
    : store_(std::move(store)), rank_(rank), thread_([this] { beat(); }) {}

Heartbeat::~Heartbeat() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ends_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Heartbeat::beat() {
  std::unique_lock<std::mutex> lock(mutex_);
  try {
    for (int64_t count = 0; !ends_; count++) {
      store_->set(beatKey(rank_),
                  bytes(std::to_string(count) + " " + std::to_string(step) + " " + std::to_string(waits)));
      // Uses the system clock: wait_until() with the steady clock needs a newer glibc than libtorch does.
      wake_.wait_until(lock, std::chrono::system_clock::now() + kInterval, [this] { return ends_; });
    }
  } catch (const std::exception&) {
    // The store is lost; the next collective reports it.
  }
}

std::vector<RankState> examine(const c10::intrusive_ptr<c10d::Store>& store, int size) {
  const auto states = std::make_shared<std::vector<RankState>>();
  try {
    askPatiently(kObservation + kStorePatience, [store, size, states] { *states = observe(*store->clone(), size); });
  } catch (const std::exception&) {
    return {};
  }
  return *states;
}

}  // namespace srrl::distributed
