#include "errors.h"

#include <c10/util/Exception.h>

#include "environment.h"

namespace srrl {

namespace {

void raise(Napi::Env env, const char* kind, const char* context, const std::string& message) {
  const std::string whole = context ? std::string(context) + ": " + message : message;
  auto& factory = Environment::of(env).makeError;
  const Napi::Value error = factory.IsEmpty()
                                ? Napi::Error::New(env, whole).Value()
                                : factory.Call({Napi::String::New(env, kind), Napi::String::New(env, whole)});
  napi_throw(env, error);
}

}  // namespace

void throwCurrent(Napi::Env env, const char* context) noexcept {
  try {
    try {
      throw;
    } catch (const Napi::Error& error) {
      if (!speaksOfKinds(error.Message())) throw;
      raise(env, kType, context, "a value of the wrong kind: " + error.Message());
    } catch (const Error& error) {
      // If a rank failed, the operator in which this one waited is irrelevant.
      raise(env, error.kind, error.kind == kDistributed ? nullptr : context, error.what());
    } catch (const c10::IndexError& error) {
      raise(env, kIndex, context, withoutAdvice(error.what_without_backtrace()));
    } catch (const c10::OutOfMemoryError& error) {
      raise(env, kMemory, context, withoutAdvice(error.what_without_backtrace()));
    } catch (const c10::TypeError& error) {
      raise(env, kType, context, withoutAdvice(error.what_without_backtrace()));
    } catch (const c10::Error& error) {
      const std::string message = withoutAdvice(error.what_without_backtrace());
      const bool memory = message.find("not enough memory") != std::string::npos;
      raise(env, memory ? kMemory : speaksOfShapes(message) ? kShape : kTorch, context, message);
    } catch (const std::bad_alloc&) {
      raise(env, kMemory, context, "out of memory");
    } catch (const std::exception& error) {
      const std::string message = interpreterReason(error.what());
      raise(env, speaksOfShapes(message) ? kShape : kTorch, context, message);
    } catch (...) {
      raise(env, kTorch, context, "an exception of unknown type");
    }
  } catch (const Napi::Error& error) {
    error.ThrowAsJavaScriptException();
  }
}

}  // namespace srrl
