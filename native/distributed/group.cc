#include "distributed/group.h"

#include <algorithm>
#include <thread>

#include "distributed/heartbeat.h"
#include "errors.h"

namespace srrl::distributed {

namespace {

std::vector<uint8_t> bytes(const std::string& text) { return {text.begin(), text.end()}; }

std::string text(const std::vector<uint8_t>& value) { return {value.begin(), value.end()}; }

std::string seconds(Milliseconds time) { return std::to_string(time.count() / 1000) + " s"; }

struct Current {
  std::mutex mutex;
  std::shared_ptr<Group> group;
};

Current& current() {
  static auto* one = new Current();  // leaked on purpose: threads can outlive static destruction
  return *one;
}

}  // namespace

Group::Group(GroupSetup given) : setup(std::move(given)) {
  store_ = openStore(setup).first;
  join();
  try {
    backend_ = makeBackend(store_, setup);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(kDistributed,
                "Rank " + std::to_string(setup.rank) + " on " + setup.host +
                    " cannot connect to the other ranks: " + withoutPlace(withoutAdvice(error.what())) +
                    ". Each rank must reach all others over TCP; GLOO_SOCKET_IFNAME chooses the network interface.");
  }
  heartbeat_ = std::make_unique<Heartbeat>(store_->clone(), setup.rank);
}

Group::~Group() = default;

// Publishes this rank's host and waits for those of the others.
void Group::join() {
  const auto joinedKey = [](int rank) { return "joined/" + std::to_string(rank); };
  const auto hostKey = [](int rank) { return "host/" + std::to_string(rank); };
  if (store_->add(joinedKey(setup.rank), 1) > 1)
    throw Error(kDistributed, "Two processes claim to be rank " + std::to_string(setup.rank) + " of " +
                                  std::to_string(setup.size) + " at " + setup.address + ":" +
                                  std::to_string(setup.port) +
                                  ". Give each process its own RANK, and each run its own MASTER_PORT.");
  store_->set(hostKey(setup.rank), bytes(setup.host));
  std::vector<std::string> keys;
  for (int rank = 0; rank < setup.size; rank++) keys.push_back(hostKey(rank));
  try {
    store_->wait(keys, setup.timeout);
    for (const auto& value : store_->multiGet(keys)) hosts_.push_back(text(value));
  } catch (const std::exception& error) {
    std::string missing;
    try {
      for (int rank = 0; rank < setup.size; rank++)
        if (!store_->check({hostKey(rank)})) missing += (missing.empty() ? "" : ", ") + std::to_string(rank);
    } catch (const std::exception&) {
      throw Error(kDistributed, "Rank " + std::to_string(setup.rank) + " on " + setup.host + " lost the store at " +
                                    setup.address + ":" + std::to_string(setup.port) +
                                    " while it waited for the other ranks.");
    }
    if (missing.empty())
      throw Error(kDistributed, "The last of " + std::to_string(setup.size) + " ranks connected to " + setup.address +
                                    ":" + std::to_string(setup.port) + " later than " + seconds(setup.timeout) +
                                    " after rank " + std::to_string(setup.rank) +
                                    ". Start them together, or raise SRRL_DISTRIBUTED_TIMEOUT.");
    throw Error(kDistributed,
                "Of " + std::to_string(setup.size) + " ranks, these did not connect to " + setup.address + ":" +
                    std::to_string(setup.port) + " within " + seconds(setup.timeout) + ": " + missing +
                    ". Check that they run, and that all have the same WORLD_SIZE, MASTER_ADDR and MASTER_PORT.");
  }
}

void Group::wait(const c10::intrusive_ptr<c10d::Work>& work, const std::string& what) {
  heartbeat_->waits++;
  try {
    if (!work->isCompleted()) {
      struct State {
        std::mutex mutex;
        std::condition_variable done;
        bool completed = false;
      };
      const auto state = std::make_shared<State>();
      work->getFuture()->addCallback([state](c10::ivalue::Future&) {
        const std::lock_guard<std::mutex> lock(state->mutex);
        state->completed = true;
        state->done.notify_all();
      });
      std::unique_lock<std::mutex> lock(state->mutex);
      // Gloo has a timeout of its own, whose error names the reason. This one covers what Gloo does not notice.
      const auto last = std::chrono::steady_clock::now() + setup.timeout + std::chrono::seconds(5);
      while (!state->completed) {
        // Uses the system clock: wait_until() with the steady clock needs a newer glibc than libtorch does.
        state->done.wait_until(lock, std::chrono::system_clock::now() + std::chrono::milliseconds(200));
        if (aborted_)
          throw Error(kDistributed,
                      "Rank " + std::to_string(setup.rank) + " stopped waiting for " + what + ": the run was aborted.");
        if (std::chrono::steady_clock::now() > last)
          throw std::runtime_error("no answer within " + seconds(setup.timeout));
      }
    }
    work->wait();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    blame(what, withoutPlace(withoutAdvice(error.what())));
  }
}

void Group::blame(const std::string& what, const std::string& reason) {
  const auto named = [&](int rank, int64_t step) {
    return "Rank " + std::to_string(rank) + " on " + hosts_[rank] +
           (step > 0 ? " (last step " + std::to_string(step) + ")" : "");
  };
  const std::string waited = named(setup.rank, heartbeat_->step) + " waited for it in " + what + ": " + reason + ".";
  // Work on a GPU that waits for other ranks would never end.
  backend_->abort();
  const auto ranks = examine(store_, setup.size);
  if (ranks.empty())
    throw Error(
        kDistributed,
        named(setup.rank, heartbeat_->step) + " has lost the store at " + setup.address + ":" +
            std::to_string(setup.port) +
            ": the process or machine that holds it has ended, or the network between them is cut. It waited in " +
            what + ": " + reason + ".");
  std::string culprits;
  for (int rank = 0; rank < setup.size; rank++) {
    if (rank == setup.rank) continue;
    const auto& [alive, step, waits, failure] = ranks[rank];
    if (!failure.empty())
      culprits += named(rank, step) + " failed: " + failure + "\n";
    else if (!alive)
      culprits += named(rank, step) + " does not answer: it has ended, is stopped, or is cut off from the network.\n";
    else if (waits < heartbeat_->waits)
      culprits += named(rank, step) +
                  " is running but has not reached this collective: it hangs, or needs more than the timeout of " +
                  seconds(setup.timeout) + ".\n";
  }
  if (culprits.empty())
    culprits =
        "No rank is known to have failed; one of them may be waiting for something else, or may be slower than the "
        "timeout of " +
        seconds(setup.timeout) + ".\n";
  throw Error(kDistributed, culprits + waited);
}

void Group::abort() { aborted_ = true; }

void Group::reached(int64_t step) { heartbeat_->step = step; }

void Group::fail(const std::string& message) {
  if (told_.exchange(true)) return;
  const auto told = [store = store_, key = failureKey(setup.rank), message] {
    try {
      store->clone()->set(key, bytes(message));
    } catch (const std::exception&) {
    }
  };
  // Waits only briefly, because the store may be what failed.
  std::thread teller(told);
  teller.detach();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  // The other ranks still read the store that this process runs.
  if (setup.hostsStore && setup.size > 1) std::this_thread::sleep_for(std::chrono::seconds(5));
}

at::Tensor Group::gathered(const at::Tensor& own, const std::string& what) {
  std::vector<int64_t> sizes{setup.size};
  sizes.insert(sizes.end(), own.sizes().begin(), own.sizes().end());
  const at::Tensor all = at::empty(sizes, own.options());
  std::vector<at::Tensor> inputs{own.contiguous()};
  std::vector<std::vector<at::Tensor>> outputs{all.unbind(0)};
  wait(backend_->allgather(outputs, inputs), what);
  return all;
}

std::shared_ptr<Group> currentGroupOrNull() {
  const std::lock_guard<std::mutex> lock(current().mutex);
  return current().group;
}

std::shared_ptr<Group> currentGroup() {
  auto group = currentGroupOrNull();
  if (!group) throw Error(kDistributed, "There is no process group. Call distributed.init() first.");
  return group;
}

void setCurrentGroup(std::shared_ptr<Group> group) {
  std::shared_ptr<Group> before;
  {
    const std::lock_guard<std::mutex> lock(current().mutex);
    before = std::exchange(current().group, std::move(group));
  }
}

}  // namespace srrl::distributed
