"""Notes every call of an aten operator that PyTorch makes, with its arguments."""

import json
import math
from collections import defaultdict

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from codec import Unrecordable, base_kind, encode
from left_out import reason_to_leave_out

LARGEST_CALL = 800  # elements of all tensor arguments together
BEST_CALL = 24
CANDIDATES = 60  # for each overload


class Collector(TorchDispatchMode):
    """Candidates for the corpus: of each overload, calls that differ in dtypes, shapes or kinds of arguments."""

    def __init__(self):
        super().__init__()
        self.calls = defaultdict(dict)
        self.left_out = defaultdict(set)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.note(func, args, kwargs or {})
        return func(*args, **(kwargs or {}))

    def note(self, func, args, kwargs):
        schema = func._schema
        if not schema.name.startswith("aten::") or len(self.calls[full_name(schema)]) >= CANDIDATES:
            return
        reason = reason_to_leave_out(func)
        try:
            call = None if reason else encode_call(schema, args, kwargs)
        except Unrecordable as error:
            reason = f"has a value without a form in the format: {error}"
        except (RuntimeError, NotImplementedError):
            reason = "was only called with tensors whose elements cannot be read"
        if reason:
            self.left_out[reason].add(full_name(schema))
        elif call:
            self.calls[full_name(schema)].setdefault(signature(call), call)

    def chosen(self, name, count):
        """Up to `count` calls: near the best size, and of as many dtypes as there are."""
        ranked = sorted(self.calls[name].values(), key=distance_from_best)
        by_dtypes = {}
        for call in ranked:
            by_dtypes.setdefault(tuple(tensor["dtype"] for tensor in tensors_in(call)), []).append(call)
        rounds = [group[i] for i in range(count) for group in by_dtypes.values() if i < len(group)]
        return rounds[:count]


def full_name(schema):
    return f"{schema.name}.{schema.overload_name}" if schema.overload_name else schema.name


def encode_call(schema, args, kwargs):
    """None where the call is too large to keep."""
    if sum(tensor.numel() for tensor in raw_tensors((args, kwargs))) > LARGEST_CALL:
        return None
    kinds = {argument.name: base_kind(argument.type) for argument in schema.arguments}
    positional = [encode(value, base_kind(argument.type)) for value, argument in zip(args, schema.arguments)]
    named = {key: encode(value, kinds[key]) for key, value in kwargs.items() if value is not None}
    return {"operator": full_name(schema), "args": positional, "kwargs": named}


def raw_tensors(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from raw_tensors(item)
    elif isinstance(value, dict):
        yield from raw_tensors(list(value.values()))


def tensors_in(value):
    if isinstance(value, dict):
        if "data" in value:
            yield value
        else:
            for item in value.values():
                yield from tensors_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from tensors_in(item)


def signature(call):
    """The call without the elements of its tensors."""

    def strip(value):
        if isinstance(value, dict):
            return {key: strip(item) for key, item in value.items() if key != "data"}
        return [strip(item) for item in value] if isinstance(value, list) else value

    return json.dumps(strip(call), sort_keys=True)


def distance_from_best(call):
    elements = [math.prod(tensor["shape"]) for tensor in tensors_in(call)]
    return abs(math.log((sum(elements) + 1e-3) / BEST_CALL)) + (2 if 0 in elements else 0)
