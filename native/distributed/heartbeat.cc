#include "distributed/heartbeat.h"

#include <future>
#include <sstream>

namespace srrl::distributed {

namespace {

constexpr auto kInterval = std::chrono::seconds(1);
// Longer than two beats, so that one that is late is not taken for dead.
constexpr auto kObservation = std::chrono::milliseconds(3500);
constexpr auto kStorePatience = std::chrono::seconds(10);

std::string beatKey(int rank) { return "beat/" + std::to_string(rank); }

std::vector<uint8_t> bytes(const std::string& text) { return {text.begin(), text.end()}; }

struct Beat {
  int64_t count = -1, step = 0;
};

std::vector<Beat> beats(c10d::Store& store, int size) {
  std::vector<Beat> all(size);
  for (int rank = 0; rank < size; rank++) {
    if (!store.check({beatKey(rank)})) continue;
    const auto value = store.get(beatKey(rank));
    std::istringstream(std::string(value.begin(), value.end())) >> all[rank].count >> all[rank].step;
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
    if (!store.check({failureKey(rank)})) continue;
    const auto text = store.get(failureKey(rank));
    ranks[rank].failure.assign(text.begin(), text.end());
  }
  return ranks;
}

}  // namespace

std::string failureKey(int rank) { return "failure/" + std::to_string(rank); }

Heartbeat::Heartbeat(c10::intrusive_ptr<c10d::Store> store, int rank) : store_(std::move(store)), rank_(rank), thread_([this] { beat(); }) {}

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
      store_->set(beatKey(rank_), bytes(std::to_string(count) + " " + std::to_string(step)));
      wake_.wait_for(lock, kInterval, [this] { return ends_; });
    }
  } catch (const std::exception&) {
    // The store is gone; the next collective says so.
  }
}

std::vector<RankState> examine(const c10::intrusive_ptr<c10d::Store>& store, int size) {
  // A store whose machine is cut off answers never: the thread that asks is left behind.
  auto answer = std::make_shared<std::promise<std::vector<RankState>>>();
  auto future = answer->get_future();
  std::thread([store, size, answer] {
    try {
      const auto own = store->clone();
      answer->set_value(observe(*own, size));
    } catch (const std::exception&) {
      answer->set_value({});
    }
  }).detach();
  if (future.wait_for(kObservation + kStorePatience) != std::future_status::ready) return {};
  return future.get();
}

}  // namespace srrl::distributed
