#include "tensors.h"

#include <ATen/TracerMode.h>
#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include <ATen/ScalarOps.h>

#include <cmath>

#include "arguments.h"
#include "convert.h"
#include "plain.h"
#include "script/trace.h"

namespace srrl {

namespace {

// ---- lifetime -----------------------------------------------------------------------------------------------------

Napi::Value release(const Napi::CallbackInfo& info) {
  auto& environment = Environment::of(info.Env());
  for (size_t i = 0; i < info.Length(); i++) environment.handles.release(handleOf(info[i]));
  environment.buffers->drain(info.Env());
  return info.Env().Undefined();
}

// releaseAll(Float64Array of handles, bytes): bulk release for the FinalizationRegistry. `bytes` is what weigh()
// reported to V8.
Napi::Value releaseAll(const Napi::CallbackInfo& info) {
  auto& environment = Environment::of(info.Env());
  const auto handles = info[0].As<Napi::Float64Array>();
  for (size_t i = 0; i < handles.ElementLength(); i++) environment.handles.release(toHandle(handles[i]));
  environment.buffers->drain(info.Env());
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(),
                                               -static_cast<int64_t>(info[1].As<Napi::Number>().DoubleValue()));
  return info.Env().Undefined();
}

Napi::Value alive(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), Environment::of(info.Env()).handles.alive(handleOf(info[0])));
}

Napi::Value pushScope(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).handles.pushScope();
  return info.Env().Undefined();
}

// popScope([escaping handles])
Napi::Value popScope(const Napi::CallbackInfo& info) {
  auto& environment = Environment::of(info.Env());
  environment.handles.popScope(handlesOf(info[0]));
  environment.buffers->drain(info.Env());
  return info.Env().Undefined();
}

Napi::Value keep(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).handles.keep(handleOf(info[0]));
  return info.Env().Undefined();
}

// Bytes of a tensor beyond its elements: the tensor and storage objects, its slot, overhead of malloc.
constexpr double kTensorOverhead = 400;

// weigh(Float64Array of handles) => Float64Array of bytes that each holds: 0 for a released handle, negative for a
// tensor that is large or has a graph and should be freed soon. The sum is reported to V8, whose garbage collector sees
// only small objects.
Napi::Value weigh(const Napi::CallbackInfo& info) {
  const auto& table = Environment::of(info.Env()).handles;
  const auto handles = info[0].As<Napi::Float64Array>();
  auto weights = Napi::Float64Array::New(info.Env(), handles.ElementLength());
  double sum = 0;
  for (size_t i = 0; i < handles.ElementLength(); i++) {
    const auto handle = toHandle(handles[i]);
    weights[i] = 0;
    if (!table.alive(handle)) continue;
    const c10::IValue& value = table.at(handle);
    double bytes = kTensorOverhead;
    bool light = false;
    if (value.isTensor()) {
      const at::Tensor& tensor = value.toTensor();
      light = tensor.has_storage() && !tensor.requires_grad() && tensor.storage().nbytes() <= 1024;
      for (const at::Tensor& part : partsOf(tensor)) {
        const c10::Storage& storage = part.storage();
        // Tensors that share a storage count a share each.
        if (tensor.is_cpu()) bytes += static_cast<double>(storage.nbytes()) / static_cast<double>(storage.use_count());
      }
    }
    sum += bytes;
    weights[i] = light ? bytes : -bytes;
  }
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), static_cast<int64_t>(sum));
  return weights;
}

// memory() => {device: {tensors, bytes}}: each handle counts as one tensor; a shared storage counts once.
Napi::Value memory(const Napi::CallbackInfo& info) {
  struct Count {
    size_t tensors = 0;
    size_t bytes = 0;
  };
  std::map<std::string, Count> devices;
  std::set<const void*> seen;
  const auto visit = [&](const at::Tensor& tensor) {
    Count& count = devices[tensor.device().str()];
    count.tensors++;
    for (const at::Tensor& part : partsOf(tensor)) {
      if (seen.insert(part.storage().unsafeGetStorageImpl()).second) count.bytes += part.storage().nbytes();
    }
  };
  Environment::of(info.Env()).handles.forEach([&](const c10::IValue& value) {
    if (value.isTensor()) visit(value.toTensor());
  });
  auto result = Napi::Object::New(info.Env());
  for (const auto& [device, count] : devices) {
    auto entry = Napi::Object::New(info.Env());
    entry.Set("tensors", static_cast<double>(count.tensors));
    entry.Set("bytes", static_cast<double>(count.bytes));
    result.Set(device, entry);
  }
  return result;
}

// ---- properties ---------------------------------------------------------------------------------------------------

Napi::Value shape(const Napi::CallbackInfo& info) {
  const at::Tensor& tensor = tensorOf(info, 0);
  if (tensor.is_nested()) refuse(tensor, "single shape");
  return numbers(info.Env(), tensor.sizes());
}

Napi::Value strides(const Napi::CallbackInfo& info) {
  const at::Tensor& tensor = tensorOf(info, 0);
  if (tensor.layout() != at::kStrided || tensor.is_nested()) refuse(tensor, "strides");
  return numbers(info.Env(), tensor.strides());
}

Napi::Value dim(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(tensorOf(info, 0).dim()));
}
Napi::Value numel(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(tensorOf(info, 0).numel()));
}

// storageOffset(tensor) => offset of its first element in its storage, in elements
Napi::Value storageOffset(const Napi::CallbackInfo& info) {
  const at::Tensor& tensor = tensorOf(info, 0);
  if (tensor.layout() != at::kStrided || tensor.is_nested()) refuse(tensor, "storage offset");
  return Napi::Number::New(info.Env(), static_cast<double>(tensor.storage_offset()));
}

// layout(tensor) => number of the layout, or -1 for a nested tensor
Napi::Value layout(const Napi::CallbackInfo& info) {
  const at::Tensor& tensor = tensorOf(info, 0);
  return Napi::Number::New(info.Env(), tensor.is_nested() ? -1 : static_cast<int>(tensor.layout()));
}

Napi::Value dtype(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<int>(tensorOf(info, 0).scalar_type()));
}

Napi::Value device(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), tensorOf(info, 0).device().str());
}

Napi::Value isContiguous(const Napi::CallbackInfo& info) {
  const auto format = static_cast<at::MemoryFormat>(info[1].As<Napi::Number>().Int32Value());
  const at::Tensor& tensor = tensorOf(info, 0);
  if (tensor.layout() != at::kStrided) refuse(tensor, "order in memory");
  return Napi::Boolean::New(info.Env(), tensor.is_contiguous(format));
}

// wrapNumber(number | bigint | boolean) => 0-dimensional tensor that does not take part in type promotion, as a Python
// number
Napi::Value wrapNumber(const Napi::CallbackInfo& info) {
  const Napi::Value value = info[0];
  at::Scalar scalar;
  if (value.IsBoolean()) {
    scalar = at::Scalar(value.ToBoolean().Value());
  } else if (value.IsBigInt()) {
    scalar = scalarOf(info.Env(), value);
  } else {
    scalar = scalarOf(value.ToNumber().DoubleValue());
  }
  at::Tensor tensor = c10::scalar_to_tensor(scalar);
  tensor.unsafeGetTensorImpl()->set_wrapped_number(true);
  return wrap(info.Env(), std::move(tensor));
}

// sameStorage(a, b)
Napi::Value sameStorage(const Napi::CallbackInfo& info) {
  const at::Tensor &a = tensorOf(info, 0), &b = tensorOf(info, 1);
  return Napi::Boolean::New(info.Env(), a.has_storage() && b.has_storage() && a.is_alias_of(b));
}

// setData(tensor, other): gives the tensor the values, dtype and device of `other`. It keeps its identity (handles,
// optimizer state).
Napi::Value setData(const Napi::CallbackInfo& info) {
  tensorOf(info, 0).set_data(tensorOf(info, 1));
  return info.Env().Undefined();
}

// tensorList([handles]) => handle of a list that calls accept instead of its elements
Napi::Value tensorList(const Napi::CallbackInfo& info) {
  c10::List<at::Tensor> list;
  for (const at::Tensor& tensor : tensorsOf(info[0])) list.push_back(tensor);
  return Napi::Number::New(info.Env(),
                           static_cast<double>(Environment::of(info.Env()).handles.insert(std::move(list))));
}

// ---- bytes --------------------------------------------------------------------------------------------------------

struct Bytes {
  uint8_t* data;
  size_t length;
};

Bytes bytesOf(const Napi::Value& value) {
  if (!value.IsTypedArray()) throw Error(kType, "expected a typed array");
  const auto array = value.As<Napi::TypedArray>();
  void* data = nullptr;
  napi_get_typedarray_info(value.Env(), value, nullptr, nullptr, &data, nullptr, nullptr);
  return {static_cast<uint8_t*>(data), array.ByteLength()};
}

std::vector<int64_t> sizesOf(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<int64_t> sizes(array.Length());
  for (size_t i = 0; i < sizes.size(); i++) {
    const double size = array.Get(i).ToNumber().DoubleValue();
    if (!(size >= 0 && size <= 9007199254740991.0 && size == static_cast<double>(static_cast<int64_t>(size)))) {
      throw Error(kShape, "a size must be a whole number of at least 0");
    }
    sizes[i] = static_cast<int64_t>(size);
  }
  return sizes;
}

size_t byteLength(const std::vector<int64_t>& sizes, at::ScalarType type) {
  uint64_t elements = 1;
  for (int64_t size : sizes) {
    if (__builtin_mul_overflow(elements, static_cast<uint64_t>(size), &elements))
      throw Error(kShape, "the sizes overflow");
  }
  uint64_t bytes;
  if (__builtin_mul_overflow(elements, static_cast<uint64_t>(c10::elementSize(type)), &bytes))
    throw Error(kShape, "the sizes overflow");
  return bytes;
}

// A JavaScript buffer whose memory tensors use.
struct Borrowed {
  std::shared_ptr<BufferReaper> owner;
  napi_ref reference;
};

void giveBack(void* context) {
  const std::unique_ptr<Borrowed> borrowed(static_cast<Borrowed*>(context));
  borrowed->owner->retire(borrowed->reference);
}

at::Tensor borrow(const Napi::Value& array, void* data, at::IntArrayRef sizes, const at::TensorOptions& options) {
  napi_ref reference;
  napi_create_reference(array.Env(), array, 1, &reference);
  auto* const borrowed = new Borrowed{Environment::of(array.Env()).buffers, reference};
  return at::for_blob(data, sizes).context(borrowed, giveBack).options(options).make_tensor();
}

// fromBytes(typed array, dtype, sizes, share): with `share` the tensor uses the memory of the buffer and keeps it
// alive, instead of copying it.
Napi::Value fromBytes(const Napi::CallbackInfo& info) {
  // In a traced forward pass the tensor must be a constant, not the result of at::empty.
  const at::tracer::impl::NoTracerDispatchMode untraced;
  const Bytes bytes = bytesOf(info[0]);
  const auto type = static_cast<at::ScalarType>(info[1].As<Napi::Number>().Int32Value());
  if (c10::isQIntType(type)) throw Error(kType, "quantized tensors are not made of bytes; use quantizePerTensor()");
  const std::vector<int64_t> sizes = sizesOf(info[2]);
  if (byteLength(sizes, type) != bytes.length) {
    throw Error(kShape, "the array holds " + std::to_string(bytes.length) + " bytes, the shape needs " +
                            std::to_string(byteLength(sizes, type)));
  }
  const auto options = at::TensorOptions().dtype(type);
  if (!info[3].ToBoolean() || bytes.length == 0) {
    at::Tensor tensor = at::empty(sizes, options);
    if (bytes.length) std::memcpy(tensor.mutable_data_ptr(), bytes.data, bytes.length);
    return wrap(info.Env(), tensor);
  }
  return wrap(info.Env(), borrow(info[0], bytes.data, sizes, options));
}

// toBytes(tensor, typed array): copies the elements in row-major order.
Napi::Value toBytes(const Napi::CallbackInfo& info) {
  refuseReadInTrace();
  const at::Tensor tensor = plain(tensorOf(info, 0).detach()).to(at::kCPU).contiguous();
  const Bytes bytes = bytesOf(info[1]);
  if (tensor.nbytes() != bytes.length) throw Error(kShape, "the array does not have the tensor's size");
  if (bytes.length) std::memcpy(bytes.data, tensor.const_data_ptr(), bytes.length);
  return info.Env().Undefined();
}

// plain(tensor) => handle of a detached tensor with the same values in plain memory
Napi::Value plainTensor(const Napi::CallbackInfo& info) { return wrap(info.Env(), plain(tensorOf(info, 0).detach())); }

// viewBytes(tensor) => ArrayBuffer over the memory of the tensor. It keeps the memory alive and makes it non-resizable.
Napi::Value viewBytes(const Napi::CallbackInfo& info) {
  refuseReadInTrace();
  const at::Tensor& tensor = tensorOf(info, 0);
  if (!isPlain(tensor) || !tensor.device().is_cpu() || !tensor.is_contiguous()) {
    throw Error(
        kState,
        "only a contiguous tensor on the CPU with memory of its own can be viewed; toTypedArray() copies any other");
  }
  // Holds the storage, because set_() and set_data() can give the tensor another one, and forbids operators to
  // reallocate it.
  auto held = std::make_unique<c10::Storage>(tensor.storage());
  void* data = tensor.mutable_data_ptr();
  held->unsafeGetStorageImpl()->set_resizable(false);
  const auto buffer = Napi::ArrayBuffer::New(
      info.Env(), data, tensor.nbytes(), [](Napi::Env, void*, c10::Storage* kept) { delete kept; }, held.get());
  held.release();
  return buffer;
}

}  // namespace

bool usesBuffer(const at::Tensor& tensor) {
  const auto parts = partsOf(tensor);
  return std::any_of(parts.begin(), parts.end(),
                     [](const at::Tensor& part) { return part.storage().data_ptr().get_deleter() == giveBack; });
}

void exportTensors(Napi::Env, Napi::Object exports) {
  define<release>(exports, "release");
  define<releaseAll>(exports, "releaseAll");
  define<alive>(exports, "alive");
  define<pushScope>(exports, "pushScope");
  define<popScope>(exports, "popScope");
  define<keep>(exports, "keep");
  define<weigh>(exports, "weigh");
  define<memory>(exports, "memory");
  define<shape>(exports, "shape");
  define<strides>(exports, "strides");
  define<dim>(exports, "dim");
  define<numel>(exports, "numel");
  define<storageOffset>(exports, "storageOffset");
  define<layout>(exports, "layout");
  define<dtype>(exports, "dtype");
  define<device>(exports, "device");
  define<isContiguous>(exports, "isContiguous");
  define<wrapNumber>(exports, "wrapNumber");
  define<sameStorage>(exports, "sameStorage");
  define<setData>(exports, "setData");
  define<tensorList>(exports, "tensorList");
  define<fromBytes>(exports, "fromBytes");
  define<toBytes>(exports, "toBytes");
  define<plainTensor>(exports, "plain");
  define<viewBytes>(exports, "viewBytes");
}

}  // namespace srrl
