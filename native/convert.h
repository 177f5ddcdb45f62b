// Conversion between JavaScript values and IValues by the types of a schema. Only this file switches over kinds.
//
// Arguments are passed flat: a list is its length followed by its elements, so that no JavaScript array is read here.
// undefined or a missing trailing argument means the default; null means None. The length -1 means None, and -2 a list
// kept on the native side, followed by its handle. A Scalar is a number (an integer if it is whole), a bigint, a
// boolean, or a Float64Array of one element (always a float) or two (complex).
#pragma once

#include <napi.h>

#include "environment.h"

namespace srrl {

class ArgumentReader {
 public:
  ArgumentReader(napi_env env, const HandleTable& handles, const napi_value* values, size_t count)
      : env_(env), handles_(handles), values_(values), end_(values + count) {}

  // Consumes the values of one argument. Throws Error(kType) that names the argument, what was expected and what was
  // passed.
  c10::IValue read(const Argument& argument);
  bool done() const { return values_ == end_; }

 private:
  napi_value next(const Argument& argument);
  c10::IValue one(const Argument& argument, napi_value value) const;
  c10::IValue list(const Argument& argument, napi_value length);
  const at::Tensor& tensor(const Argument& argument, napi_value value) const;
  const at::Tensor& tensor(const Argument& argument, double handle) const;
  int64_t integer(const Argument& argument, napi_value value) const;
  double number(const Argument& argument, napi_value value) const;
  bool boolean(const Argument& argument, napi_value value) const;
  at::Scalar scalar(const Argument& argument, napi_value value) const;
  [[noreturn]] void mismatch(const Argument& argument, napi_value value) const;

  napi_env env_;
  const HandleTable& handles_;
  const napi_value* values_;
  const napi_value* end_;
};

// A tensor becomes a new handle, an undefined tensor null, an integer beyond 2^53 a bigint, a complex number [re, im].
napi_value toJs(napi_env env, HandleTable& handles, c10::IValue&& value);

std::string text(napi_env env, napi_value value);
// Returns an integer if the number is whole and fits into int64. -0 stays a float, because integers have no -0.
at::Scalar scalarOf(double number);
// Throws Error(kType) if a bigint fits into neither int64 nor uint64.
at::Scalar scalarOf(napi_env env, napi_value bigint);
napi_value toJs(napi_env env, int64_t value);
napi_value toJs(napi_env env, const at::Scalar& value);

}  // namespace srrl
