#include "errors.h"

#include <c10/util/Exception.h>

#include "environment.h"

namespace srrl {

// libtorch appends lists of registered kernels, interpreter stacks and pointers to web pages; the first paragraph says
// what happened. CUDA's advice stands in the first paragraph, after the reason: the same lines for every error of the
// driver.
std::string withoutAdvice(std::string text) {
  for (const char* tail : {"\nThis could be because", " This could be because", "\nException raised from", "\nSearch for `cuda",
                           "\nCUDA kernel errors might be", "\nFor debugging consider passing CUDA_LAUNCH_BLOCKING",
                           "\nDevice-side assertions were", "\nCompile with `TORCH_USE_CUDA_DSA`", "\n\n"}) {
    text = text.substr(0, text.find(tail));
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

namespace {

// The TorchScript interpreter puts its stack first and the reason after the last "RuntimeError: ".
std::string interpreterReason(const std::string& text) {
  const auto at = text.rfind("RuntimeError: ");
  return withoutAdvice(at == std::string::npos ? text : text.substr(at + 14));
}

bool speaksOfShapes(const std::string& text) {
  for (const char* phrase : {"size of tensor", "shapes cannot be multiplied", "must match", "invalid for input of size",
                             "Expected more than 1 value", "Given groups=", "Sizes of tensors", "expand(", "Expected 3D"}) {
    if (text.find(phrase) != std::string::npos) return true;
  }
  return false;
}

// Node-API's complaints about the kind of an argument, which say neither of which function nor of which argument.
bool speaksOfKinds(const std::string& text) {
  for (const char* whole : {"Invalid argument", "An object was expected", "A string was expected", "A string or symbol was expected",
                            "A function was expected", "A number was expected", "A boolean was expected", "An array was expected",
                            "A bigint was expected", "An arraybuffer was expected", "A date was expected"}) {
    if (text == whole) return true;
  }
  return false;
}

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
      // Of a rank that failed, it matters little in which operator this one waited.
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
