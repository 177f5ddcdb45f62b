#include "limit.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace srrl {

namespace {

// Smaller allocations are not checked, because a check costs one or two microseconds.
constexpr size_t kLeast = size_t{1} << 20;
// Reserve for what is not checked: JavaScript, small tensors, allocations of other libraries.
constexpr int64_t kReserve = int64_t{16} << 20;
// Control groups version 1 express "no limit" as the largest multiple of the page size.
constexpr int64_t kNoLimit = int64_t{1} << 60;

struct Group {
  std::string usage, stat;  // files
  int64_t limit = kNoLimit;
};

int64_t numberIn(const std::string& file) {
  int64_t number = kNoLimit;
  std::ifstream(file) >> number;  // "max" fails to parse and leaves 0
  return number > 0 ? number : kNoLimit;
}

// Returns the group with the lowest limit among `path` below `mount` and its ancestors.
Group tightest(const std::string& mount, std::string path, const char* limit, const char* usage) {
  Group found;
  for (;;) {
    const std::string folder = mount + path;
    const int64_t here = numberIn(folder + "/" + limit);
    if (here < found.limit) found = {folder + "/" + usage, folder + "/memory.stat", here};
    if (path.empty()) return found;
    path.resize(std::min(path.rfind('/'), path.size()));
  }
}

// In a container the path is that of the host; the container's own group is then the mount point itself.
Group ownGroup() {
  Group found;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string kinds = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    if (path == "/" || path.find("..") != std::string::npos) path.clear();
    Group group;
    if (kinds.empty())
      group = tightest("/sys/fs/cgroup", path, "memory.max", "memory.current");
    else if (kinds == "memory" || kinds.ends_with(",memory") || kinds.starts_with("memory,"))
      group = tightest("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes", "memory.usage_in_bytes");
    if (group.limit < found.limit) found = group;
  }
  return found;
}

class LimitedAllocator final : public c10::Allocator {
 public:
  LimitedAllocator(c10::Allocator* base, Group group)
      : base_(base), group_(std::move(group)), usage_(open(group_.usage.c_str(), O_RDONLY | O_CLOEXEC)) {}

  c10::DataPtr allocate(size_t bytes) override {
    if (bytes >= kLeast && usage_ >= 0) check(static_cast<int64_t>(bytes));
    return base_->allocate(bytes);
  }
  c10::DeleterFnPtr raw_deleter() const override { return base_->raw_deleter(); }
  void copy_data(void* to, const void* from, std::size_t count) const override { base_->copy_data(to, from, count); }

 private:
  void check(int64_t bytes) const {
    if (fits(bytes, used())) return;
    // Memory that free() cached and the page cache can be reclaimed.
#ifdef __GLIBC__
    malloc_trim(0);
#endif
    const int64_t held = used() - files();
    TORCH_CHECK(fits(bytes, held), "can't allocate memory: ", bytes, " bytes were asked for; of the ", group_.limit,
                " bytes that the control group of this process may use (a container's or a job's limit), ",
                std::max<int64_t>(0, group_.limit - held), " are left.");
  }

  bool fits(int64_t bytes, int64_t held) const {
    return held + bytes <= group_.limit - std::min(kReserve, group_.limit / 8);
  }

  int64_t used() const {
    char text[32] = {};
    return pread(usage_, text, sizeof text - 1, 0) > 0 ? std::strtoll(text, nullptr, 10) : 0;
  }

  int64_t files() const {
    std::ifstream stat(group_.stat);
    int64_t sum = 0, value = 0;
    for (std::string name; stat >> name >> value;)
      if (name == "inactive_file" || name == "active_file") sum += value;
    return sum;
  }

  c10::Allocator* const base_;
  const Group group_;
  const int usage_;
};

}  // namespace

void heedMemoryLimit() {
  static std::once_flag once;
  std::call_once(once, [] {
    const Group group = ownGroup();
    const int64_t machine = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
    if (group.limit < machine) c10::SetCPUAllocator(new LimitedAllocator(c10::GetCPUAllocator(), group), 1);
  });
}

}  // namespace srrl
