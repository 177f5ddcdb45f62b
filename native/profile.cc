#include "profile.h"

#include <ATen/Context.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/profiler_kineto.h>

#include <atomic>
#include <unordered_map>

#include "arguments.h"

namespace srrl {

namespace {

using torch::autograd::profiler::KinetoEvent;
using torch::autograd::profiler::ProfilerResult;
using torch::profiler::impl::ActivityType;
using torch::profiler::impl::ProfilerConfig;
using torch::profiler::impl::ProfilerState;

// Kineto has one trace per process: the id of the environment that records it, or 0.
std::atomic<uint64_t> recording = 0;

// Open ranges of recordFunction() in this thread; null if the profile that they belong to has ended.
thread_local std::vector<std::unique_ptr<at::RecordFunction>> ranges;

// A range that outlives the profile would write into freed memory.
void endRanges() {
  for (auto range = ranges.rbegin(); range != ranges.rend(); ++range) range->reset();
}

bool hasCuda() { return at::getNumGPUs() > 0; }

// A worker that is terminated while it profiles must release the profiler for others.
void abandon(void* owner) {
  uint64_t expected = static_cast<Environment*>(owner)->life->id();
  if (!recording.compare_exchange_strong(expected, 0)) return;
  try {
    endRanges();
    torch::autograd::profiler::disableProfiler();
  } catch (...) {
  }
}

// profileActivities() => the activities that can be recorded here, such as ["cpu", "cuda"]
Napi::Value activities(const Napi::CallbackInfo& info) {
  auto result = Napi::Array::New(info.Env());
  result.Set(0u, "cpu");
  if (hasCuda()) result.Set(1u, "cuda");
  return result;
}

// profileStart(cuda, recordShapes, profileMemory): records operators of this thread and of the threads that work for
// it.
Napi::Value start(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::of(info.Env());
  uint64_t expected = 0;
  if (!recording.compare_exchange_strong(expected, environment.life->id()))
    throw Error(kState, expected == environment.life->id()
                            ? "a profile is being recorded already; profiles do not nest"
                            : "another thread of this process is recording a profile; there is one at a time");
  std::set<ActivityType> activities{ActivityType::CPU};
  if (info[0].ToBoolean()) activities.insert(ActivityType::CUDA);
  const ProfilerConfig config(ProfilerState::KINETO, info[1].ToBoolean(), info[2].ToBoolean());
  try {
    torch::autograd::profiler::prepareProfiler(config, activities);
    torch::autograd::profiler::enableProfiler(config, activities);
  } catch (...) {
    recording = 0;
    throw;
  }
  if (!environment.cleansProfile) napi_add_env_cleanup_hook(info.Env(), abandon, &environment);
  environment.cleansProfile = true;
  return info.Env().Undefined();
}

// Assigns numbers to strings, because names and shapes repeat.
class Texts {
 public:
  double number(const std::string& text) {
    const auto [at, added] = numbers_.emplace(text, list_.size());
    if (added) list_.push_back(&at->first);
    return static_cast<double>(at->second);
  }
  Napi::Value toJs(Napi::Env env) const {
    auto array = Napi::Array::New(env, list_.size());
    for (size_t i = 0; i < list_.size(); i++) array.Set(i, *list_[i]);
    return array;
  }

 private:
  std::unordered_map<std::string, size_t> numbers_;
  std::vector<const std::string*> list_;
};

// As JSON: [[2, 3], []].
std::string shapesOf(const KinetoEvent& event) {
  std::string text = "[";
  for (const auto& shape : event.shapes()) {
    if (text.size() > 1) text += ",";
    text += "[";
    for (size_t i = 0; i < shape.size(); i++) text += (i > 0 ? "," : "") + std::to_string(shape[i]);
    text += "]";
  }
  return text + "]";
}

// profileStop() => {names, shapes, columns, events, trace}: events as rows of numbers, see src/tensor/profile-events.ts
Napi::Value stop(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (recording.load() != Environment::of(env).life->id())
    throw Error(kState, "no profile is being recorded in this thread");
  std::unique_ptr<ProfilerResult> profile;
  endRanges();
  try {
    profile = torch::autograd::profiler::disableProfiler();
  } catch (...) {
    recording = 0;
    throw;
  }
  recording = 0;

  Texts names, shapes;
  std::vector<double> rows;
  const auto& events = profile->events();
  const uint64_t origin = profile->trace_start_ns();
  for (const KinetoEvent& event : events) {
    const bool async = event.isAsync() || event.startThreadId() != event.endThreadId();
    const double row[] = {
        names.number(event.name()),
        static_cast<double>(event.activityType()),
        static_cast<double>(event.deviceType()),
        static_cast<double>(event.deviceIndex()),
        // An operator that began before the trace has a negative start.
        static_cast<double>(static_cast<int64_t>(event.startNs() - origin)),
        static_cast<double>(event.durationNs()),
        static_cast<double>(event.startThreadId()),
        static_cast<double>(event.correlationId()),
        static_cast<double>(event.linkedCorrelationId()),
        static_cast<double>(async),
        static_cast<double>(event.nBytes()),
        event.hasShapes() ? shapes.number(shapesOf(event)) : -1.0,
        static_cast<double>(event.deviceResourceId()),
        static_cast<double>(event.isHiddenEvent()),
    };
    rows.insert(rows.end(), std::begin(row), std::end(row));
  }
  auto numbers = Napi::Float64Array::New(env, rows.size());
  std::copy(rows.begin(), rows.end(), numbers.Data());
  auto result = Napi::Object::New(env);
  result.Set("names", names.toJs(env));
  result.Set("shapes", shapes.toJs(env));
  result.Set("columns", static_cast<double>(events.empty() ? 1 : rows.size() / events.size()));
  result.Set("events", numbers);
  result.Set("trace", Napi::External<ProfilerResult>::New(env, profile.release(),
                                                          [](Napi::Env, ProfilerResult* held) { delete held; }));
  return result;
}

// profileSave(trace, file): writes a Chrome trace. Call it once per trace.
Napi::Value save(const Napi::CallbackInfo& info) {
  info[0].As<Napi::External<ProfilerResult>>().Data()->save(info[1].As<Napi::String>().Utf8Value());
  return info.Env().Undefined();
}

// rangeBegin(name): starts an event that covers the work of this thread until rangeEnd().
Napi::Value rangeBegin(const Napi::CallbackInfo& info) {
  auto range = std::make_unique<at::RecordFunction>(at::RecordScope::USER_SCOPE);
  if (range->isActive()) range->before(info[0].As<Napi::String>().Utf8Value());
  ranges.push_back(std::move(range));
  return info.Env().Undefined();
}

Napi::Value rangeEnd(const Napi::CallbackInfo& info) {
  if (!ranges.empty()) ranges.pop_back();
  return info.Env().Undefined();
}

}  // namespace

void exportProfile(Napi::Env, Napi::Object exports) {
  define<activities>(exports, "profileActivities");
  define<start>(exports, "profileStart");
  define<stop>(exports, "profileStop");
  define<save>(exports, "profileSave");
  define<rangeBegin>(exports, "rangeBegin");
  define<rangeEnd>(exports, "rangeEnd");
}

}  // namespace srrl
