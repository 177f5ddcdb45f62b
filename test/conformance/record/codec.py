"""Values of operator calls <-> the JSON of docs/conformance.md."""

import base64
import math

import torch

DTYPES = (
    "uint8 int8 int16 int32 int64 float16 float32 float64 complex64 complex128 bool bfloat16 uint16 uint32 uint64"
).split()
MEMORY_FORMATS = {
    torch.contiguous_format: "contiguous_format",
    torch.preserve_format: "preserve_format",
    torch.channels_last: "channels_last",
    torch.channels_last_3d: "channels_last_3d",
}


class Unrecordable(Exception):
    """A value that the format has no form for."""


def base_kind(type_):
    """The kind of the innermost element: `TensorType`, `IntType`, ..."""
    while type_.kind() in ("OptionalType", "ListType"):
        type_ = type_.getElementType()
    return type_.kind()


def encode(value, kind, strided=True):
    """`kind` decides what Python leaves open: a bool given for an int, an int given for a float."""
    if value is None:
        return None
    if isinstance(value, torch.Tensor):
        return {"tensor": encode_tensor(value, strided)}
    if isinstance(value, (list, tuple)):
        return {"list": [encode(item, kind, strided) for item in value]}
    if isinstance(value, bool) and kind not in ("IntType", "SymIntType"):
        return {"bool": value}
    if isinstance(value, int):
        return encode_float(float(value)) if kind == "FloatType" else {"int": encode_int(int(value))}
    if isinstance(value, float):
        return encode_float(value)
    if isinstance(value, complex):
        return {"complex": [encode_float(value.real)["float"], encode_float(value.imag)["float"]]}
    if isinstance(value, str):
        return {"str": value}
    if isinstance(value, torch.dtype):
        return {"dtype": dtype_name(value)}
    if isinstance(value, torch.layout):
        return {"layout": str(value).removeprefix("torch.")}
    if isinstance(value, torch.memory_format):
        return {"memory_format": MEMORY_FORMATS[value]}
    if isinstance(value, torch.device):
        return {"device": str(value)}
    raise Unrecordable(type(value).__name__)


def encode_int(value):
    return value if abs(value) < 2**53 else str(value)


def encode_float(value):
    if math.isnan(value):
        return {"float": "nan"}
    if math.isinf(value):
        return {"float": "inf" if value > 0 else "-inf"}
    if value == 0 and math.copysign(1, value) < 0:
        return {"float": "-0"}
    return {"float": value}


def dtype_name(dtype):
    name = str(dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise Unrecordable(name)
    return name


def encode_tensor(tensor, strided):
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter) or tensor.layout != torch.strided:
        raise Unrecordable("a tensor that is not plain and strided")
    if tensor.device.type != "cpu" or tensor.is_nested or tensor.is_quantized:
        raise Unrecordable("a tensor that is not plain and strided")
    tensor = tensor.detach().resolve_conj().resolve_neg()
    # Gradients of steps, as of sgn, are zeros without memory, which numpy() refuses.
    tensor = tensor.clone() if tensor._is_zerotensor() else tensor
    encoded = {"dtype": dtype_name(tensor.dtype), "shape": list(tensor.shape)}
    span = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride()))
    if strided and tensor.numel() > 0 and not tensor.is_contiguous() and span <= 4 * tensor.numel():
        encoded["strides"] = list(tensor.stride())
        flat = tensor.as_strided((span,), (1,)).contiguous()
    else:
        flat = tensor.contiguous().reshape(-1)
    encoded["data"] = base64.b64encode(flat.view(torch.uint8).numpy().tobytes()).decode() if flat.numel() else ""
    return encoded


def decode(encoded):
    if encoded is None:
        return None
    ((kind, value),) = encoded.items()
    if kind == "tensor":
        return decode_tensor(value)
    if kind == "list":
        return [decode(item) for item in value]
    if kind in ("int", "float"):
        return int(value) if kind == "int" else float(value)
    if kind == "complex":
        return complex(float(value[0]), float(value[1]))
    if kind in ("dtype", "layout", "memory_format"):
        return getattr(torch, value)
    return torch.device(value) if kind == "device" else value


def decode_tensor(encoded):
    dtype = getattr(torch, encoded["dtype"])
    data = bytearray(base64.b64decode(encoded["data"]))
    flat = torch.frombuffer(data, dtype=dtype).clone() if data else torch.zeros(0, dtype=dtype)
    if "strides" in encoded:
        return flat.as_strided(encoded["shape"], encoded["strides"])
    return flat.reshape(encoded["shape"])


def decode_call(call):
    return [decode(value) for value in call["args"]], {key: decode(value) for key, value in call["kwargs"].items()}
