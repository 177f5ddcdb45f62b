// The store through which the processes of a run find each other: libtorch's TCPStore.
#include <c10/util/Logging.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <exception>
#include <thread>

#include "distributed/group.h"
#include "errors.h"

namespace srrl::distributed {

void askPatiently(Milliseconds patience, std::function<void()> ask) {
  struct Answer {
    std::mutex mutex;
    std::condition_variable done;
    bool came = false;
    std::exception_ptr failure;
  };
  auto answer = std::make_shared<Answer>();
  std::thread([ask = std::move(ask), answer] {
    std::exception_ptr failure;
    try {
      ask();
    } catch (...) {
      failure = std::current_exception();
    }
    const std::lock_guard<std::mutex> lock(answer->mutex);
    answer->failure = failure;
    answer->came = true;
    answer->done.notify_all();
  }).detach();
  std::unique_lock<std::mutex> lock(answer->mutex);
  // Uses the system clock: wait_until() with the steady clock needs a newer glibc than libtorch does.
  if (!answer->done.wait_until(lock, std::chrono::system_clock::now() + patience, [&] { return answer->came; }))
    throw std::runtime_error("The store does not answer.");
  if (answer->failure) std::rethrow_exception(answer->failure);
}

std::pair<c10::intrusive_ptr<c10d::Store>, int> openStore(const GroupSetup& setup) {
  // Stores would log, with backtraces, what the errors here already say. Set once, as the level belongs to the process.
  [[maybe_unused]] static const int level = FLAGS_caffe2_log_level = c10::GLOG_FATAL;
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(setup.port);
  options.isServer = setup.hostsStore;
  options.waitWorkers = false;
  options.timeout = setup.timeout;
  const std::string place = setup.address + ":" + std::to_string(setup.port);
  try {
    auto store = c10::make_intrusive<c10d::TCPStore>(setup.address, options);
    const int port = store->getPort();
    return {c10::make_intrusive<c10d::PrefixStore>(setup.prefix, std::move(store)), port};
  } catch (const std::exception& error) {
    std::string reason = withoutAdvice(error.what());
    while (reason.ends_with(".")) reason.pop_back();
    if (setup.hostsStore &&
        (reason.find("EADDRINUSE") != std::string::npos || reason.find("already in use") != std::string::npos))
      throw Error(
          kDistributed,
          "The port " + std::to_string(setup.port) +
              " is in use on this machine. Choose another MASTER_PORT for all ranks, or another port in --master of "
              "srrl launch.");
    if (setup.hostsStore) throw Error(kDistributed, "This machine cannot open the store at " + place + ": " + reason);
    throw Error(kDistributed,
                "The store at " + place + " cannot be reached" +
                    (setup.host.empty() ? "" : " by rank " + std::to_string(setup.rank) + " on " + setup.host) +
                    " within " + std::to_string(setup.timeout.count() / 1000) + " s: " + reason +
                    ". Check MASTER_ADDR and MASTER_PORT, and that rank 0 is running.");
  }
}

}  // namespace srrl::distributed
