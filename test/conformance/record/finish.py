"""Runs a noted call by itself, and adds what PyTorch computes: results, changed arguments, gradients."""

import torch

from codec import base_kind, decode_call, encode
from collect import full_name


def operator_of(name):
    base, _, overload = name.removeprefix("aten::").partition(".")
    return getattr(getattr(torch.ops.aten, base), overload or "default")


def finish(call):
    """The complete record. Raises where PyTorch does."""
    operator = operator_of(call["operator"])
    schema = operator._schema
    args, kwargs = decode_call(call)
    with torch.no_grad():
        results = results_of(schema, operator(*args, **kwargs))
    complete = {
        **call,
        "results": [encode(value, base_kind(r.type), False) for value, r in zip(results, schema.returns)],
    }
    written = {}
    for i, argument in enumerate(schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            key = i if i < len(args) else argument.name
            value = args[i] if i < len(args) else kwargs.get(argument.name)
            written[str(key)] = encode(value, "TensorType", False)
    if written:
        return {**complete, "written": written}
    gradients = gradients_of(call, operator)
    return {**complete, "gradients": gradients} if gradients else complete


def results_of(schema, returned):
    if len(schema.returns) == 0:
        return []
    return [returned] if len(schema.returns) == 1 else list(returned)


def gradients_of(call, operator):
    """None where the operator is not differentiable here."""
    args, kwargs = decode_call(call)
    leaves = [(path, leaf) for path, leaf in paths_of([*enumerate(args), *kwargs.items()]) if differentiable(leaf)]
    for _, leaf in leaves:
        leaf.requires_grad_()
    try:
        results = results_of(operator._schema, operator(*args, **kwargs))
        outputs = [(path, value) for path, value in paths_of(enumerate(results)) if value.requires_grad]
        if not leaves or not outputs:
            return None
        upstream = [ramp(value) for _, value in outputs]
        inputs = [leaf for _, leaf in leaves]
        gradients = torch.autograd.grad([value for _, value in outputs], inputs, upstream, allow_unused=True)
    except (RuntimeError, NotImplementedError):
        return None
    return {
        "inputs": [path for path, _ in leaves],
        "outputs": [path for path, _ in outputs],
        "upstream": [encode(value, "TensorType", False) for value in upstream],
        "values": [encode(value, "TensorType", False) for value in gradients],
    }


def differentiable(tensor):
    return tensor.is_floating_point() or tensor.is_complex()


def paths_of(items):
    for key, value in items:
        if isinstance(value, torch.Tensor):
            yield [key], value
        elif isinstance(value, (list, tuple)):
            yield from (([key, i], item) for i, item in enumerate(value) if isinstance(item, torch.Tensor))


def ramp(like):
    """An upstream gradient that is no two neighbours' own: element i is ((i * 7919) % 2003) / 1001.5 - 1."""
    steps = torch.arange(like.numel(), dtype=torch.int64)
    values = ((steps * 7919) % 2003).double() / 1001.5 - 1
    if like.is_complex():
        values = torch.complex(values, values.flip(0))
    return values.reshape(like.shape).to(like.dtype)


def variants(complete):
    """Calls of the overloads that do the same in place or into given tensors."""
    operator = operator_of(complete["operator"])
    schema = operator._schema
    base = schema.name.removeprefix("aten::")
    in_place = getattr(torch.ops.aten, base + "_", None)
    overload = schema.overload_name or "default"
    if in_place is not None and overload in in_place.overloads():
        yield {
            "operator": full_name(getattr(in_place, overload)._schema),
            "args": complete["args"],
            "kwargs": complete["kwargs"],
        }
    packet = getattr(torch.ops.aten, base)
    own = [(argument.name, str(argument.type)) for argument in schema.arguments]
    for name in packet.overloads():
        other = getattr(packet, name)._schema
        outs = [argument for argument in other.arguments if argument.is_out]
        taken = [(argument.name, str(argument.type)) for argument in other.arguments if not argument.is_out]
        if outs and taken == own and len(outs) == len(complete["results"]):
            given = {argument.name: blank(result) for argument, result in zip(outs, complete["results"])}
            yield {"operator": full_name(other), "args": complete["args"], "kwargs": {**complete["kwargs"], **given}}


def blank(result):
    """A tensor of zeros to write the result into."""
    if result is None or "tensor" not in result:
        if result is not None and "list" in result:
            return {"list": [blank(item) for item in result["list"]]}
        raise ValueError("only tensors can be written into")
    tensor = result["tensor"]
    zeros = torch.zeros(tensor["shape"], dtype=getattr(torch, tensor["dtype"]))
    return encode(zeros, "TensorType", False)
