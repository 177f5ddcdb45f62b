"""Where calls come from: PyTorch's own samples of inputs, run forwards and backwards."""

import contextlib
import itertools
import signal

import torch
from torch.testing._internal import common_methods_invocations as samples
from torch.testing._internal.common_modules import module_db
from torch.utils._pytree import tree_map

SAMPLES = {
    torch.float64: 12,
    torch.float32: 4,
    torch.int64: 4,
    torch.bool: 2,
    torch.complex128: 3,
    torch.bfloat16: 1,
}
SECONDS_FOR_ONE = 12


class TooLong(Exception):
    pass


@contextlib.contextmanager
def time_limit(seconds):
    def stop(*_):
        raise TooLong

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def run_all(collector, only=None):
    for op in samples.op_db:
        if only is None or op.name in only:
            run_one(collector, op)
    for group in ("unary", "binary", "pointwise", "reduce", "other"):
        for op in getattr(samples, f"foreach_{group}_op_db", []):
            run_one(collector, op, {torch.float64: 4, torch.float32: 2, torch.int64: 2}, foreach=True)
    if only is None:
        run_modules(collector)
        run_optimizers(collector)


def run_one(collector, op, counts=SAMPLES, foreach=False):
    for dtype, count in counts.items():
        if not op.supports_dtype(dtype, "cpu"):
            continue
        torch.manual_seed(0)
        # A sample that PyTorch itself cannot run says nothing about anybody else.
        with contextlib.suppress(Exception), time_limit(SECONDS_FOR_ONE):
            for sample in itertools.islice(op.sample_inputs("cpu", dtype), count):
                run_sample(collector, op, sample, dtype, foreach)


def run_sample(collector, op, sample, dtype, foreach):
    call = (sample.input, *sample.args)
    variants = [op.op, op.method_variant, op.inplace_variant]
    for function in variants:
        if function is None:
            continue
        with contextlib.suppress(RuntimeError, NotImplementedError, TypeError, ValueError):
            with torch.no_grad(), collector:
                function(*fresh(call), **fresh(sample.kwargs))
        # Without autograd's keys, operators that are made of others are seen under their own names as well.
        with contextlib.suppress(RuntimeError, NotImplementedError, TypeError, ValueError):
            given = fresh(call), fresh(sample.kwargs)
            with torch.inference_mode(), collector:
                function(*given[0], **given[1])
    if dtype in (torch.float64, torch.float32) and not foreach:
        with contextlib.suppress(RuntimeError, NotImplementedError, TypeError, ValueError):
            backwards(collector, op.op, fresh(call, requires_grad=True), fresh(sample.kwargs))


def backwards(collector, function, args, kwargs):
    """Also runs the kernels of gradients, which have names of their own."""
    with collector:
        results = function(*args, **kwargs)
        results = results if isinstance(results, (list, tuple)) else [results]
        outputs = [result for result in results if isinstance(result, torch.Tensor) and result.requires_grad]
        if outputs:
            torch.autograd.backward(outputs, [torch.randn_like(output) for output in outputs])


def run_modules(collector):
    """Layers call operators that no function of PyTorch does, as those of recurrent networks."""
    for info, training in itertools.product(module_db, (True, False)):
        torch.manual_seed(0)
        with contextlib.suppress(Exception), time_limit(SECONDS_FOR_ONE):
            inputs = info.module_inputs_func(
                info, device="cpu", dtype=torch.float64, requires_grad=True, training=training
            )
            for given in itertools.islice(inputs, 4):
                make, forward = given.constructor_input, given.forward_input
                module = info.module_cls(*make.args, **make.kwargs).to(torch.float64).train(training)
                if forward is None:
                    continue
                with contextlib.suppress(RuntimeError, NotImplementedError, TypeError, ValueError):
                    backwards(collector, module, forward.args, forward.kwargs)
                with contextlib.suppress(RuntimeError, NotImplementedError, TypeError, ValueError):
                    with torch.inference_mode(), collector:
                        module(*forward.args, **forward.kwargs)


def run_optimizers(collector):
    """The fused steps, which are operators of their own."""
    for name, options in itertools.product(("SGD", "Adam", "AdamW", "Adagrad"), ({}, {"maximize": True})):
        torch.manual_seed(0)
        parameters = [torch.randn(3, 4, requires_grad=True), torch.randn(5, requires_grad=True)]
        for parameter in parameters:
            parameter.grad = torch.randn_like(parameter)
        optimizer = getattr(torch.optim, name)(parameters, lr=0.1, fused=True, **options)
        with collector:
            optimizer.step()
            optimizer.step()


def fresh(value, requires_grad=False):
    def copy(item):
        if not isinstance(item, torch.Tensor):
            return item
        differentiable = requires_grad and item.is_floating_point()
        copied = item.detach().clone() if item.is_contiguous() else item.detach()
        return copied.requires_grad_() if differentiable else copied

    return tree_map(copy, value)
