// Events: points in the work of a device that can be waited for, and the time between two of them.
#include "event.h"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "arguments.h"
#include "device.h"

namespace srrl {

namespace {

c10::EventFlag flagFor(bool timing) {
  return timing ? c10::EventFlag::BACKEND_DEFAULT : c10::EventFlag::PYTORCH_DEFAULT;
}

struct Mark : torch::CustomClassHolder {
  Mark(c10::Device device, bool timing) : event(device.type(), flagFor(timing)), device(device) {}
  c10::Stream stream() const { return c10::impl::VirtualGuardImpl(device.type()).getStream(device); }
  c10::Event event;
  c10::Device device;
};

c10::intrusive_ptr<Mark> markOf(const Napi::CallbackInfo& info, size_t index = 0) {
  return capsuleOf<Mark>(info, index, "an event");
}

// eventsTime(device) => whether the events of the device measure time
Napi::Value eventsTime(const Napi::CallbackInfo& info) {
  const c10::Device device = deviceOf(info[0]);
  try {
    Mark begin(device, true), end(device, true);
    begin.event.record(begin.stream());
    end.event.record(end.stream());
    end.event.synchronize();
    begin.event.elapsedTime(end.event);
    return Napi::Boolean::New(info.Env(), true);
  } catch (const c10::Error&) {
    return Napi::Boolean::New(info.Env(), false);
  }
}

// eventCreate(device, timing) => handle
Napi::Value eventCreate(const Napi::CallbackInfo& info) {
  auto mark = c10::make_intrusive<Mark>(deviceOf(info[0]), info[1].ToBoolean().Value());
  auto& handles = Environment::of(info.Env()).handles;
  return Napi::Number::New(info.Env(), static_cast<double>(handles.insert(c10::IValue::make_capsule(std::move(mark)))));
}

// eventRecord(event): records it on the current stream, behind the work queued so far.
Napi::Value eventRecord(const Napi::CallbackInfo& info) {
  const auto mark = markOf(info);
  mark->event.record(mark->stream());
  return info.Env().Undefined();
}

// eventWait(event): makes work queued on the current stream from now on wait for the event.
Napi::Value eventWait(const Napi::CallbackInfo& info) {
  const auto mark = markOf(info);
  mark->event.block(mark->stream());
  return info.Env().Undefined();
}

// eventQuery(event) => whether it was reached
Napi::Value eventQuery(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), markOf(info)->event.query());
}

// eventSynchronize(event): blocks until it is reached.
Napi::Value eventSynchronize(const Napi::CallbackInfo& info) {
  markOf(info)->event.synchronize();
  return info.Env().Undefined();
}

// eventElapsed(begin, end) => milliseconds
Napi::Value eventElapsed(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), markOf(info, 0)->event.elapsedTime(markOf(info, 1)->event));
}

}  // namespace

void exportEvent(Napi::Env, Napi::Object exports) {
  define<eventsTime>(exports, "eventsTime");
  define<eventCreate>(exports, "eventCreate");
  define<eventRecord>(exports, "eventRecord");
  define<eventWait>(exports, "eventWait");
  define<eventQuery>(exports, "eventQuery");
  define<eventSynchronize>(exports, "eventSynchronize");
  define<eventElapsed>(exports, "eventElapsed");
}

}  // namespace srrl
