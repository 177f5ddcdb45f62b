// Where the processes of a run meet: a TCPStore of libtorch's.
#include <c10/util/Logging.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "distributed/group.h"
#include "errors.h"

namespace srrl::distributed {

namespace {

// Its warnings are backtraces of what the errors of this addon say in words.
void silence() {
  if (!std::getenv("TORCH_CPP_LOG_LEVEL"))
    FLAGS_caffe2_log_level = std::max(FLAGS_caffe2_log_level, static_cast<int>(c10::GLOG_ERROR));
}

}  // namespace

std::pair<c10::intrusive_ptr<c10d::Store>, int> openStore(const GroupSetup& setup) {
  silence();
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
    const std::string reason = withoutAdvice(error.what());
    if (setup.hostsStore &&
        (reason.find("EADDRINUSE") != std::string::npos || reason.find("already in use") != std::string::npos))
      throw Error(
          kDistributed,
          "The port " + std::to_string(setup.port) +
              " is in use on this machine. Choose another MASTER_PORT for all ranks, or port in --master of srrl launch.");
    if (setup.hostsStore) throw Error(kDistributed, "This machine cannot open the store at " + place + ": " + reason);
    throw Error(kDistributed,
                "The store at " + place + " cannot be reached" +
                    (setup.host.empty() ? "" : " by rank " + std::to_string(setup.rank) + " on " + setup.host) +
                    " within " + std::to_string(setup.timeout.count() / 1000) + " s: " + reason +
                    ". Check MASTER_ADDR and MASTER_PORT, and that rank 0 is running.");
  }
}

}  // namespace srrl::distributed
