#include "mapped.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>

#include "arguments.h"

namespace srrl {

namespace {

// A mapping whose file another process may truncate. Only atomics, because a signal handler reads it.
struct Region {
  std::atomic<uintptr_t> begin = 0;  // 0: the entry is free
  std::atomic<uintptr_t> end = 0;
  std::atomic<bool> torn = false;
  uint64_t life = 0;  // id of the environment that registered it
};

constexpr size_t kMostRegions = 256;
std::array<Region, kMostRegions> regions;
static_assert(std::atomic<uintptr_t>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

struct sigaction before;

uintptr_t pageSize() {
  static const auto size = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  return size;
}

// Maps a page of zeros where the file has been truncated, so that the faulting read completes. Callers ask isTorn()
// after each use and discard the data, so nobody uses the zeros.
void onBusError(int signal, siginfo_t* info, void* context) {
  const int error = errno;
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  for (Region& region : regions) {
    const uintptr_t begin = region.begin;
    if (begin == 0 || address < begin || address >= region.end) continue;
    void* const page = reinterpret_cast<void*>(address & ~(pageSize() - 1));
    region.torn = true;
    const bool replaced =
        mmap(page, pageSize(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
    errno = error;
    if (replaced) return;
  }
  errno = error;
  if (before.sa_flags & SA_SIGINFO) return before.sa_sigaction(signal, info, context);
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) return before.sa_handler(signal);
  // Not ours: with the default action restored, the faulting instruction runs again and ends the process. A signal from
  // kill() does not recur, so it is raised again.
  ::signal(signal, SIG_DFL);
  if (info->si_code <= 0) raise(signal);
}

void install() {
  struct sigaction action = {};
  pageSize();
  action.sa_sigaction = onBusError;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGBUS, &action, &before) != 0) throw Error(kState, "a handler for SIGBUS cannot be installed");
}

Region& regionOf(const Napi::Value& value) {
  const uint32_t place = value.As<Napi::Number>().Uint32Value();
  if (place >= kMostRegions) throw Error(kState, "no such mapping");
  return regions[place];
}

std::mutex mutex;

// A worker that is terminated does not dispose of its files.
void forgetAtEnd(Napi::Env env, uint64_t life) {
  thread_local uint64_t known = 0;
  if (known == life) return;
  known = life;
  env.AddCleanupHook([life] {
    const std::lock_guard<std::mutex> lock(mutex);
    for (Region& region : regions)
      if (region.life == life) region.begin = 0;
  });
}

// watchMapping(tensor) => its index in the table; -1 if the table is full
Napi::Value watchMapping(const Napi::CallbackInfo& info) {
  static std::once_flag installed;
  std::call_once(installed, install);
  const uint64_t life = Environment::of(info.Env()).life->id();
  forgetAtEnd(info.Env(), life);
  const std::lock_guard<std::mutex> lock(mutex);
  const at::Tensor& tensor = tensorOf(info, 0);
  const auto begin = reinterpret_cast<uintptr_t>(tensor.storage().data());
  for (size_t place = 0; place < kMostRegions && begin != 0; place++) {
    Region& region = regions[place];
    if (region.begin != 0) continue;
    region.torn = false;
    region.life = life;
    region.end = begin + (tensor.storage().nbytes() + pageSize() - 1) / pageSize() * pageSize();
    region.begin = begin;
    return Napi::Number::New(info.Env(), static_cast<double>(place));
  }
  return Napi::Number::New(info.Env(), -1);
}

// isTorn(index) => whether a read has hit a part that the file no longer has
Napi::Value isTorn(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), regionOf(info[0]).torn); }

// unwatchMapping(index): call it before the memory is freed.
Napi::Value unwatchMapping(const Napi::CallbackInfo& info) {
  regionOf(info[0]).begin = 0;
  return info.Env().Undefined();
}

}  // namespace

void exportMapped(Napi::Env, Napi::Object exports) {
  define<watchMapping>(exports, "watchMapping");
  define<isTorn>(exports, "isTorn");
  define<unwatchMapping>(exports, "unwatchMapping");
}

}  // namespace srrl
