// Where the processes of a run meet: a TCPStore of libtorch's.
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "distributed/group.h"
#include "errors.h"

namespace srrl::distributed {

c10::intrusive_ptr<c10d::Store> connectStore(const GroupSetup& setup) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(setup.port);
  options.isServer = setup.hostsStore;
  options.waitWorkers = false;
  options.timeout = setup.timeout;
  const std::string place = setup.address + ":" + std::to_string(setup.port);
  try {
    return c10::make_intrusive<c10d::PrefixStore>(setup.prefix, c10::make_intrusive<c10d::TCPStore>(setup.address, options));
  } catch (const std::exception& error) {
    const std::string reason = withoutAdvice(error.what());
    if (setup.hostsStore && (reason.find("EADDRINUSE") != std::string::npos || reason.find("already in use") != std::string::npos))
      throw Error(kDistributed, "The port " + std::to_string(setup.port) + " is in use on " + setup.host + ". Choose another MASTER_PORT for all ranks, or --port of srrl launch.");
    if (setup.hostsStore) throw Error(kDistributed, "Rank " + std::to_string(setup.rank) + " cannot open the store at " + place + ": " + reason);
    throw Error(kDistributed, "Rank " + std::to_string(setup.rank) + " on " + setup.host + " cannot reach the store at " + place + " within " +
                            std::to_string(setup.timeout.count() / 1000) + " s: " + reason + ". Check MASTER_ADDR and MASTER_PORT, and that rank 0 is running.");
  }
}

}  // namespace srrl::distributed
