// The store of a launcher, which belongs to no group. The thread that opens it is not the one that uses it.
#include <mutex>
#include <utility>

#include "arguments.h"
#include "async.h"
#include "distributed/export.h"
#include "distributed/group.h"

namespace srrl {

namespace {

// Short, because a launcher polls and must supervise its processes.
constexpr distributed::Milliseconds kMeetingPatience{10'000};

struct Meeting {
  std::mutex mutex;
  c10::intrusive_ptr<c10d::Store> store;
};

Meeting& meeting() {
  static auto* one = new Meeting();
  return *one;
}

c10::intrusive_ptr<c10d::Store> exchangeMeeting(c10::intrusive_ptr<c10d::Store> store) {
  const std::lock_guard<std::mutex> lock(meeting().mutex);
  return std::exchange(meeting().store, std::move(store));
}

c10::intrusive_ptr<c10d::Store> openMeeting() {
  const std::lock_guard<std::mutex> lock(meeting().mutex);
  if (!meeting().store) throw Error(kDistributed, "The store of the launcher is not open.");
  return meeting().store;
}

// meetingOpen({ address, port, hosts, timeout }) => promise of the port
Napi::Value meetingOpen(const Napi::CallbackInfo& info) {
  const auto given = info[0].As<Napi::Object>();
  distributed::GroupSetup setup;
  setup.address = given.Get("address").As<Napi::String>();
  setup.port = given.Get("port").ToNumber().Int32Value();
  setup.hostsStore = given.Get("hosts").ToBoolean();
  setup.timeout = distributed::Milliseconds(given.Get("timeout").ToNumber().Int64Value());
  setup.prefix = "srrl/launch";
  auto port = std::make_shared<int>(0);
  return runAsync(
      info.Env(),
      [setup, port] {
        auto [store, found] = distributed::openStore(setup);
        *port = found;
        exchangeMeeting(std::move(store));
      },
      [port](Napi::Env env) -> napi_value { return Napi::Number::New(env, *port); });
}

// meetingSet(key) => promise
Napi::Value meetingSet(const Napi::CallbackInfo& info) {
  return runAsync(
      info.Env(),
      [store = openMeeting(), key = std::string(info[0].As<Napi::String>())] {
        distributed::askPatiently(kMeetingPatience, [store, key] { store->set(key, std::vector<uint8_t>{1}); });
      },
      [](Napi::Env env) -> napi_value { return env.Undefined(); });
}

// meetingHas(key) => promise of whether any process has set it
Napi::Value meetingHas(const Napi::CallbackInfo& info) {
  auto has = std::make_shared<bool>(false);
  return runAsync(
      info.Env(),
      [store = openMeeting(), key = std::string(info[0].As<Napi::String>()), has] {
        distributed::askPatiently(kMeetingPatience, [store, key, has] { *has = store->check({key}); });
      },
      [has](Napi::Env env) -> napi_value { return Napi::Boolean::New(env, *has); });
}

Napi::Value meetingClose(const Napi::CallbackInfo& info) {
  exchangeMeeting({});
  return info.Env().Undefined();
}

}  // namespace

void exportMeeting(Napi::Env, Napi::Object exports) {
  define<meetingOpen>(exports, "meetingOpen");
  define<meetingSet>(exports, "meetingSet");
  define<meetingHas>(exports, "meetingHas");
  define<meetingClose>(exports, "meetingClose");
}

}  // namespace srrl
