// Gloo, PyTorch's backend for CPUs. libtorch contains it, but not the headers that ProcessGroupGloo.hpp includes.
// gloo-names/ declares the few names it needs; only this file includes it.
#include "distributed/group.h"
#include "errors.h"

#ifdef SRRL_GLOO
#define USE_C10D_GLOO
#include <netdb.h>
#include <sys/socket.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <unistd.h>

namespace srrl::distributed {

namespace {

// Returns the address of this machine on the route to the store, that is, on the network that all ranks share.
std::string ownAddress(const GroupSetup& setup) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  std::string address;
  if (getaddrinfo(setup.address.c_str(), std::to_string(setup.port).c_str(), &hints, &found) != 0) return address;
  for (const addrinfo* one = found; one && address.empty(); one = one->ai_next) {
    const int descriptor = socket(one->ai_family, one->ai_socktype, one->ai_protocol);
    if (descriptor < 0) continue;
    sockaddr_storage own{};
    socklen_t length = sizeof own;
    char text[NI_MAXHOST];
    // UDP: connect() sends nothing and only selects the route.
    if (connect(descriptor, one->ai_addr, one->ai_addrlen) == 0 &&
        getsockname(descriptor, reinterpret_cast<sockaddr*>(&own), &length) == 0 &&
        getnameinfo(reinterpret_cast<sockaddr*>(&own), length, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0)
      address = text;
    close(descriptor);
  }
  freeaddrinfo(found);
  return address;
}

}  // namespace

bool hasGloo() { return true; }

c10::intrusive_ptr<c10d::Backend> makeGloo(const c10::intrusive_ptr<c10d::Store>& store, const GroupSetup& setup) {
  auto options = c10d::ProcessGroupGloo::Options::create(setup.timeout);
  const std::string address = setup.interface.empty() ? ownAddress(setup) : "";
  options->devices.push_back(!setup.interface.empty()
                                 ? c10d::ProcessGroupGloo::createDeviceForInterface(setup.interface)
                             : !address.empty() ? c10d::ProcessGroupGloo::createDeviceForHostname(address)
                                                : c10d::ProcessGroupGloo::createDefaultDevice());
  // Works complete in the order in which they began, so one thread is enough. More would compete with the computation.
  options->threads = 1;
  return c10::make_intrusive<c10d::ProcessGroupGloo>(c10::make_intrusive<c10d::PrefixStore>("gloo", store), setup.rank,
                                                     setup.size, options);
}

}  // namespace srrl::distributed

#else

namespace srrl::distributed {

bool hasGloo() { return false; }

c10::intrusive_ptr<c10d::Backend> makeGloo(const c10::intrusive_ptr<c10d::Store>&, const GroupSetup&) {
  throw Error(kDistributed,
              "This addon was built without Gloo. Build it against PyTorch's libtorch, which has it: `npx srrl "
              "install-libtorch`, then `npx srrl build --force`.");
}

}  // namespace srrl::distributed

#endif
