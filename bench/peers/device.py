"""What peers do on a GPU: work as one CUDA graph, and time by the device's own clock.

On the CPU the same functions run the same work without a graph, so that all but the capture is tested there.
"""

import sys
import time

import torch


def on_gpu(device):
    return device.startswith("cuda")


def set_up(device):
    if on_gpu(device):
        torch.backends.cudnn.benchmark = True


def milliseconds(device, work):
    """Milliseconds of `work()`: between two events of the device, or on the CPU by the clock."""
    if not on_gpu(device):
        began = time.perf_counter()
        work()
        return 1e3 * (time.perf_counter() - began)
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    begin.record()
    work()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end)


def autocast(device, precision):
    return torch.autocast(device.split(":")[0], torch.bfloat16, enabled=precision == "bfloat16")


def compiled(work, variant):
    """By torch.compile; `variant` is the name of its mode, or one without a mode. One shape, one program."""
    modes = ("reduce-overhead", "max-autotune")
    return torch.compile(work, mode=variant if variant in modes else None, dynamic=False)


def in_graph(variant):
    return variant is not None and variant.endswith("graph")


def capturable(name, device):
    """The options with which an optimizer keeps its step numbers on the device; SGD has none."""
    return {"capturable": True} if on_gpu(device) and name != "SGD" else {}


class Graph:
    """`work(*inputs)` as one CUDA graph: a call copies its inputs into those of the graph, replays it, and returns the
    tensors that `work` returned when it was captured.

    `changed`: tensors that `work` changes; after the warm-up they have the values again that they had before.
    `optimizers`: their state is made by the warm-up and set to zero after it. With `drop` their gradients are dropped
    as well, so that those of the graph lie in the graph's own memory.
    """

    def __init__(self, work, inputs, device, changed=(), optimizers=(), drop=True):
        self.work, self.graph = work, None
        self.held = [tensor if tensor is None else tensor.clone() for tensor in inputs]
        before = [tensor.detach().clone() for tensor in changed]
        self.warm_up(device)
        with torch.no_grad():
            for tensor, value in zip(changed, before):
                tensor.copy_(value)
            for optimizer in optimizers:
                for tensor in state_of(optimizer):
                    tensor.zero_()
        for optimizer in optimizers if drop else ():
            optimizer.zero_grad(set_to_none=True)
        if on_gpu(device):
            torch.cuda.synchronize()
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.results = work(*self.held)

    def warm_up(self, device):
        """Compilers and libraries set themselves up, and what a stream of its own needs is made."""
        self.work(*self.held)
        if not on_gpu(device):
            return
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(3):
                self.work(*self.held)
        torch.cuda.current_stream().wait_stream(beside)

    def __call__(self, *inputs):
        for held, tensor in zip(self.held, inputs):
            if held is not None:
                held.copy_(tensor)
        if self.graph is None:
            return self.work(*self.held)
        self.graph.replay()
        return self.results


def state_of(optimizer):
    """All tensors that an optimizer keeps."""
    return [value for state in optimizer.state.values() for value in state.values() if torch.is_tensor(value)]


def release():
    """Gives up compiled programs and memory between two cases: torch.compile runs a function in eager mode, without a
    word, once it has compiled it for some other cases."""
    if "torch._dynamo" in sys.modules:
        torch._dynamo.reset()
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
