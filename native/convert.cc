#include "convert.h"

#include <ATen/core/List.h>

#include <cmath>

#include "errors.h"

namespace srrl {

namespace {

constexpr double kSafeInteger = 9007199254740991.0;
constexpr double kTwoTo63 = 9223372036854775808.0;
constexpr int64_t kNone = -1;
constexpr int64_t kKeptList = -2;

napi_valuetype typeOf(napi_env env, napi_value value) {
  napi_valuetype type;
  napi_typeof(env, value, &type);
  return type;
}

std::string describe(napi_env env, napi_value value) {
  static const char* names[] = {"undefined", "null",      "a boolean",  "a number",    "a string",
                                "a symbol",  "an object", "a function", "an external", "a bigint"};
  const napi_valuetype type = typeOf(env, value);
  if (type != napi_number) return names[type];
  double number;
  napi_get_value_double(env, value, &number);
  return "the number " + std::to_string(number);
}

}  // namespace

at::Scalar scalarOf(double number) {
  // -2^63 is exactly representable as a double, 2^63 - 1 is not.
  const bool whole = number >= -kTwoTo63 && number < kTwoTo63 && number == std::trunc(number);
  return whole && !(number == 0 && std::signbit(number)) ? at::Scalar(static_cast<int64_t>(number))
                                                         : at::Scalar(number);
}

at::Scalar scalarOf(napi_env env, napi_value bigint) {
  int64_t narrow;
  uint64_t wide;
  bool lossless;
  napi_get_value_bigint_int64(env, bigint, &narrow, &lossless);
  if (lossless) return at::Scalar(narrow);
  napi_get_value_bigint_uint64(env, bigint, &wide, &lossless);
  if (lossless) return at::Scalar(wide);
  throw Error(kType, "a bigint does not fit into 64 bits; pass a number, which becomes a float");
}

std::string text(napi_env env, napi_value value) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) throw Error(kType, "expected a string");
  std::string result(length, '\0');
  napi_get_value_string_utf8(env, value, result.data(), length + 1, &length);
  return result;
}

void ArgumentReader::mismatch(const Argument& argument, napi_value value) const {
  throw Error(kType,
              "argument '" + argument.name + "' must be " + argument.type.text() + ", got " + describe(env_, value));
}

napi_value ArgumentReader::next(const Argument& argument) {
  if (values_ == end_) throw Error(kType, "argument '" + argument.name + "' is missing");
  return *values_++;
}

const at::Tensor& ArgumentReader::tensor(const Argument& argument, double handle) const {
  try {
    return handles_.tensor(toHandle(handle));
  } catch (const Error& error) {
    throw Error(error.kind, "tensor '" + argument.name + "' cannot be used: " + error.what());
  }
}

const at::Tensor& ArgumentReader::tensor(const Argument& argument, napi_value value) const {
  double handle;
  if (napi_get_value_double(env_, value, &handle) != napi_ok) mismatch(argument, value);
  return tensor(argument, handle);
}

double ArgumentReader::number(const Argument& argument, napi_value value) const {
  double result;
  if (napi_get_value_double(env_, value, &result) == napi_ok) return result;
  double* data;
  size_t length;
  napi_typedarray_type type;
  bool typed = false;
  napi_is_typedarray(env_, value, &typed);
  if (typed &&
      napi_get_typedarray_info(env_, value, &type, &length, reinterpret_cast<void**>(&data), nullptr, nullptr) ==
          napi_ok &&
      type == napi_float64_array && length == 1) {
    return data[0];
  }
  mismatch(argument, value);
}

int64_t ArgumentReader::integer(const Argument& argument, napi_value value) const {
  double result;
  if (napi_get_value_double(env_, value, &result) == napi_ok) {
    if (std::abs(result) <= kSafeInteger && result == std::trunc(result)) return static_cast<int64_t>(result);
    mismatch(argument, value);
  }
  int64_t big;
  bool lossless;
  if (napi_get_value_bigint_int64(env_, value, &big, &lossless) != napi_ok) mismatch(argument, value);
  if (!lossless) throw Error(kType, "argument '" + argument.name + "' does not fit into 64 bits");
  return big;
}

bool ArgumentReader::boolean(const Argument& argument, napi_value value) const {
  bool result;
  if (napi_get_value_bool(env_, value, &result) != napi_ok) mismatch(argument, value);
  return result;
}

at::Scalar ArgumentReader::scalar(const Argument& argument, napi_value value) const {
  switch (typeOf(env_, value)) {
    case napi_number: return scalarOf(number(argument, value));
    case napi_bigint: return scalarOf(env_, value);
    case napi_boolean: return at::Scalar(boolean(argument, value));
    default: break;
  }
  double* data;
  size_t length;
  napi_typedarray_type type;
  bool typed = false;
  napi_is_typedarray(env_, value, &typed);
  if (!typed ||
      napi_get_typedarray_info(env_, value, &type, &length, reinterpret_cast<void**>(&data), nullptr, nullptr) !=
          napi_ok ||
      type != napi_float64_array || length < 1 || length > 2) {
    mismatch(argument, value);
  }
  return length == 1 ? at::Scalar(data[0]) : at::Scalar(c10::complex<double>(data[0], data[1]));
}

c10::IValue ArgumentReader::one(const Argument& argument, napi_value value) const {
  switch (argument.type.kind) {
    case Kind::Tensor: return tensor(argument, value);
    case Kind::Int: return integer(argument, value);
    case Kind::Float: return number(argument, value);
    case Kind::Bool: return boolean(argument, value);
    case Kind::Scalar: return scalar(argument, value);
    case Kind::String: return text(env_, value);
    case Kind::DType:
    case Kind::Layout:
    case Kind::MemoryFormat: return integer(argument, value);
    case Kind::Device: return c10::Device(text(env_, value));
    case Kind::Generator: {
      const c10::IValue& held = handles_.at(toHandle(number(argument, value)));
      if (!held.isGenerator()) mismatch(argument, value);
      return held;
    }
    case Kind::Unsupported: break;
  }
  throw Error(kType, "argument '" + argument.name + "' is of a kind that has no JavaScript form");
}

c10::IValue ArgumentReader::list(const Argument& argument, napi_value lengthValue) {
  const int64_t length = integer(argument, lengthValue);
  if (length == kNone) return c10::IValue();
  if (length == kKeptList) {
    const napi_value handle = next(argument);
    const c10::IValue& held = handles_.at(toHandle(number(argument, handle)));
    if (!held.isTensorList()) mismatch(argument, handle);
    return held;
  }
  if (length < 0 || length > end_ - values_)
    throw Error(kType, "argument '" + argument.name + "' has a list of impossible length");
  const auto gather = [&](auto items, auto read) {
    items.reserve(length);
    for (int64_t i = 0; i < length; i++) items.push_back(read(*values_++));
    return c10::IValue(std::move(items));
  };
  switch (argument.type.kind) {
    case Kind::Tensor: {
      if (!argument.type.elementOptional) {
        return gather(c10::List<at::Tensor>(), [&](napi_value value) { return tensor(argument, value); });
      }
      return gather(c10::List<std::optional<at::Tensor>>(), [&](napi_value value) -> std::optional<at::Tensor> {
        if (typeOf(env_, value) == napi_null) return std::nullopt;
        return tensor(argument, value);
      });
    }
    case Kind::Int: return gather(c10::List<int64_t>(), [&](napi_value value) { return integer(argument, value); });
    case Kind::Float: return gather(c10::List<double>(), [&](napi_value value) { return number(argument, value); });
    case Kind::Bool: return gather(c10::List<bool>(), [&](napi_value value) { return boolean(argument, value); });
    case Kind::Scalar: {
      c10::impl::GenericList items(c10::NumberType::get());
      return gather(std::move(items), [&](napi_value value) { return c10::IValue(scalar(argument, value)); });
    }
    case Kind::String: return gather(c10::List<std::string>(), [&](napi_value value) { return text(env_, value); });
    default: throw Error(kType, "argument '" + argument.name + "' is of a kind that has no JavaScript form");
  }
}

c10::IValue ArgumentReader::read(const Argument& argument) {
  if (done() && argument.initial) return *argument.initial;
  const napi_value value = next(argument);
  if (argument.type.kind == Kind::Tensor && !argument.type.list) {
    double handle;
    if (napi_get_value_double(env_, value, &handle) == napi_ok) return tensor(argument, handle);
  }
  const napi_valuetype type = typeOf(env_, value);
  if (type == napi_undefined && argument.initial) return *argument.initial;
  if (type == napi_undefined || type == napi_null) {
    if (!argument.type.optional) mismatch(argument, value);
    return c10::IValue();
  }
  return argument.type.list ? list(argument, value) : one(argument, value);
}

napi_value toJs(napi_env env, int64_t value) {
  napi_value result;
  if (std::abs(static_cast<double>(value)) <= kSafeInteger) {
    napi_create_int64(env, value, &result);
  } else {
    napi_create_bigint_int64(env, value, &result);
  }
  return result;
}

static napi_value toJs(napi_env env, uint64_t value) {
  napi_value result;
  if (value <= static_cast<uint64_t>(kSafeInteger)) {
    napi_create_double(env, static_cast<double>(value), &result);
  } else {
    napi_create_bigint_uint64(env, value, &result);
  }
  return result;
}

napi_value toJs(napi_env env, const at::Scalar& value) {
  napi_value result;
  if (value.isBoolean()) {
    napi_get_boolean(env, value.toBool(), &result);
  } else if (value.isUnsigned()) {
    return toJs(env, value.toUInt64());
  } else if (value.isIntegral(false)) {
    return toJs(env, value.toLong());
  } else if (value.isComplex()) {
    const auto number = value.toComplexDouble();
    napi_create_array_with_length(env, 2, &result);
    napi_value part;
    napi_create_double(env, number.real(), &part);
    napi_set_element(env, result, 0, part);
    napi_create_double(env, number.imag(), &part);
    napi_set_element(env, result, 1, part);
  } else {
    napi_create_double(env, value.toDouble(), &result);
  }
  return result;
}

napi_value toJs(napi_env env, HandleTable& handles, c10::IValue&& value) {
  napi_value result;
  if (value.isTensor()) {
    if (value.toTensor().defined()) {
      napi_create_double(env, static_cast<double>(handles.insert(std::move(value))), &result);
    } else {
      napi_get_null(env, &result);
    }
  } else if (value.isNone()) {
    napi_get_null(env, &result);
  } else if (value.isInt()) {
    return toJs(env, value.toInt());
  } else if (value.isBool()) {
    napi_get_boolean(env, value.toBool(), &result);
  } else if (value.isScalar()) {
    return toJs(env, value.toScalar());
  } else if (value.isString()) {
    const std::string& string = value.toStringRef();
    napi_create_string_utf8(env, string.data(), string.size(), &result);
  } else if (value.isDevice()) {
    napi_create_string_utf8(env, value.toDevice().str().c_str(), NAPI_AUTO_LENGTH, &result);
  } else if (value.isGenerator()) {
    napi_create_double(env, static_cast<double>(handles.insert(std::move(value))), &result);
  } else if (value.isList() || value.isTuple()) {
    const std::vector<c10::IValue> items = value.isList() ? value.toList().vec() : value.toTupleRef().elements().vec();
    napi_create_array_with_length(env, items.size(), &result);
    for (size_t i = 0; i < items.size(); i++)
      napi_set_element(env, result, i, toJs(env, handles, c10::IValue(items[i])));
  } else {
    throw Error(kType, "a result of kind " + value.tagKind() + " has no JavaScript form");
  }
  return result;
}

}  // namespace srrl
