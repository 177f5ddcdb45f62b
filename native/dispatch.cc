#include "dispatch.h"

#include <ATen/core/LegacyTypeDispatch.h>

#include "convert.h"
#include "errors.h"
#include "guards.h"

namespace srrl {

namespace {

constexpr size_t kUsualArguments = 32;

// Whether autograd has nothing to do: no tensor has autograd state, and all are on the CPU.
bool beneathAutograd(const c10::Stack& stack) {
  for (const c10::IValue& value : stack) {
    if (!value.isTensor()) continue;
    const at::TensorImpl* tensor = value.toTensor().unsafeGetTensorImpl();
    if (tensor->autograd_meta() || !tensor->is_cpu()) return false;
  }
  return true;
}

void run(const Operator& op, c10::Stack& stack) {
  refuseStrayMkldnn(stack);
  if (op.pureOnCpu && beneathAutograd(stack)) {
    // Skips the autograd kernel, which would also find that there is nothing to record.
    const at::AutoDispatchBelowADInplaceOrView guard;
    op.run(stack);
  } else {
    runWhole(op, stack);
  }
}

napi_value results(napi_env env, Environment& environment, c10::Stack& stack) {
  napi_value result;
  if (stack.size() == 1) {
    result = toJs(env, environment.handles, std::move(stack[0]));
    environment.spareStack = std::move(stack);
    return result;
  }
  if (stack.empty()) {
    napi_get_undefined(env, &result);
    return result;
  }
  napi_create_array_with_length(env, stack.size(), &result);
  for (size_t i = 0; i < stack.size(); i++) {
    napi_set_element(env, result, i, toJs(env, environment.handles, std::move(stack[i])));
  }
  return result;
}

// call(number, ...flat arguments): the hot path. It uses plain Node-API, because each C++ wrapper costs as much as the
// work.
napi_value call(napi_env env, napi_callback_info info) {
  napi_value usual[kUsualArguments];
  std::vector<napi_value> many;
  napi_value* values = usual;
  size_t count = kUsualArguments;
  void* data;
  napi_get_cb_info(env, info, &count, usual, nullptr, &data);
  if (count > kUsualArguments) {
    many.resize(count);
    values = many.data();
    napi_get_cb_info(env, info, &count, values, nullptr, &data);
  }
  auto& environment = *static_cast<Environment*>(data);
  const Operator* called = nullptr;
  try {
    uint32_t number = UINT32_MAX;
    if (count > 0) napi_get_value_uint32(env, values[0], &number);
    called = &environment.operators.at(number);
    ArgumentReader reader(env, environment.handles, values + 1, count - 1);
    // A hook can re-enter this function; it then finds no spare stack and allocates one.
    c10::Stack stack = std::move(environment.spareStack);
    stack.clear();
    for (const Argument& argument : called->arguments) stack.push_back(reader.read(argument));
    if (!reader.done()) throw Error(kType, "too many arguments");
    run(*called, stack);

    return results(env, environment, stack);
  } catch (...) {
    throwCurrent(env, called ? called->name.c_str() : nullptr);
    return nullptr;
  }
}

// prepare(number, ...flat arguments) => id of a call in which only the tensors change. A module calls one convolution
// with the same strides many times; this reads them once.
Napi::Value prepare(const Napi::CallbackInfo& info) {
  auto& environment = Environment::of(info.Env());
  std::vector<napi_value> values(info.Length());
  for (size_t i = 0; i < values.size(); i++) values[i] = info[i];
  const Operator& op = environment.operators.at(info[0].As<Napi::Number>().Uint32Value());
  ArgumentReader reader(info.Env(), environment.handles, values.data() + 1, values.size() - 1);
  PreparedCall prepared{&op, {}, {}};
  for (const Argument& argument : op.arguments) {
    c10::IValue value = reader.read(argument);
    if (value.isTensor()) {
      prepared.tensors.push_back(prepared.stack.size());
      value = c10::IValue();
    }
    prepared.stack.push_back(std::move(value));
  }
  if (!reader.done()) throw Error(kType, "too many arguments");
  if (prepared.tensors.size() >= kUsualArguments)
    throw Error(kType, "an operator with 32 or more tensors cannot be prepared");
  environment.prepared.push_back(std::move(prepared));
  return Napi::Number::New(info.Env(), static_cast<double>(environment.prepared.size() - 1));
}

// callPrepared(id, ...tensors)
napi_value callPrepared(napi_env env, napi_callback_info info) {
  napi_value values[kUsualArguments];
  size_t count = kUsualArguments;
  void* data;
  napi_get_cb_info(env, info, &count, values, nullptr, &data);
  auto& environment = *static_cast<Environment*>(data);
  const PreparedCall* call = nullptr;
  try {
    uint32_t id = UINT32_MAX;
    if (count > 0) napi_get_value_uint32(env, values[0], &id);
    if (id >= environment.prepared.size()) throw Error(kType, "no such prepared call");
    call = &environment.prepared[id];
    if (count - 1 != call->tensors.size()) throw Error(kType, "a prepared call got a wrong number of tensors");
    c10::Stack stack = std::move(environment.spareStack);
    stack.assign(call->stack.begin(), call->stack.end());
    for (size_t i = 0; i < call->tensors.size(); i++) {
      double handle;
      if (napi_get_value_double(env, values[i + 1], &handle) != napi_ok) throw Error(kType, "expected a tensor");
      const size_t position = call->tensors[i];
      try {
        stack[position] = environment.handles.tensor(toHandle(handle));
      } catch (const Error& error) {
        throw Error(error.kind, "tensor '" + call->op->arguments[position].name + "' cannot be used: " + error.what());
      }
    }
    run(*call->op, stack);
    return results(env, environment, stack);
  } catch (...) {
    throwCurrent(env, call ? call->op->name.c_str() : nullptr);
    return nullptr;
  }
}

Napi::Value resolve(const Napi::CallbackInfo& info) {
  auto& environment = Environment::of(info.Env());
  const size_t number = environment.operators.resolve(info[0].As<Napi::String>(), info[1].As<Napi::String>());
  return Napi::Number::New(info.Env(), static_cast<double>(number));
}

// schema(number) => {name, arguments: [{name, type, keywordOnly, out, written, hasDefault}], results: [{name, type}]}
Napi::Value schema(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Operator& op = Environment::of(env).operators.at(info[0].As<Napi::Number>().Uint32Value());
  auto arguments = Napi::Array::New(env, op.arguments.size());
  for (size_t i = 0; i < op.arguments.size(); i++) {
    const Argument& argument = op.arguments[i];
    auto entry = Napi::Object::New(env);
    entry.Set("name", argument.name);
    entry.Set("type", argument.type.text());
    entry.Set("keywordOnly", argument.keywordOnly);
    entry.Set("out", argument.out);
    entry.Set("written", argument.written);
    entry.Set("hasDefault", argument.initial.has_value());
    arguments.Set(i, entry);
  }
  auto results = Napi::Array::New(env, op.results.size());
  for (size_t i = 0; i < op.results.size(); i++) {
    auto entry = Napi::Object::New(env);
    entry.Set("name", op.resultNames[i]);
    entry.Set("type", op.results[i].text());
    results.Set(i, entry);
  }
  auto result = Napi::Object::New(env);
  result.Set("name", op.name);
  result.Set("arguments", arguments);
  result.Set("results", results);
  return result;
}

// operatorNames() => ["aten::add.Tensor", ...]
Napi::Value names(const Napi::CallbackInfo& info) {
  const auto all = operatorNames();
  auto result = Napi::Array::New(info.Env(), all.size());
  for (size_t i = 0; i < all.size(); i++) {
    result.Set(i, all[i].overload_name.empty() ? all[i].name : all[i].name + "." + all[i].overload_name);
  }
  return result;
}

}  // namespace

void exportDispatch(Napi::Env env, Napi::Object exports) {
  napi_value function;
  napi_create_function(env, "call", NAPI_AUTO_LENGTH, call, &Environment::of(env), &function);
  exports.Set("call", function);
  napi_create_function(env, "callPrepared", NAPI_AUTO_LENGTH, callPrepared, &Environment::of(env), &function);
  exports.Set("callPrepared", function);
  exports.Set("prepare", Napi::Function::New<guarded<prepare>>(env, "prepare"));
  exports.Set("resolve", Napi::Function::New<guarded<resolve>>(env, "resolve"));
  exports.Set("schema", Napi::Function::New<guarded<schema>>(env, "schema"));
  exports.Set("operatorNames", Napi::Function::New<guarded<names>>(env, "operatorNames"));
}

}  // namespace srrl
