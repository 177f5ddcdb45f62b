"""The Python side of bench/ops.mjs: reads the name of a case from each line, answers with nanoseconds a call."""
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

calls = int(sys.argv[1])
torch.set_num_threads(1)
a, b = torch.randn(8, 8), torch.randn(8, 8)
image, kernel = torch.randn(1, 3, 8, 8), torch.randn(4, 3, 3, 3)
stack = torch.randn(4, 8, 8)
mlp = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
x = torch.randn(1, 16)


def train():
    mlp.zero_grad()
    mlp(x).sum().backward()


cases = {
    "add 8x8": lambda: a + b,
    "conv2d 1x3x8x8": lambda: F.conv2d(image, kernel),
    "sum over dims": lambda: stack.sum((0, 2)),
    "MLP forward and backward": train,
}


def add():
    """Without the lambda, which costs as much as a tenth of the call."""
    began = time.perf_counter_ns()
    for _ in range(calls):
        a + b
    return (time.perf_counter_ns() - began) / calls


def measure(call):
    began = time.perf_counter_ns()
    for _ in range(calls):
        call()
    return (time.perf_counter_ns() - began) / calls


print(f"Python {sys.version.split()[0]}, torch {torch.__version__}", flush=True)
for line in sys.stdin:
    name = line.strip()
    print(add() if name == "add 8x8" else measure(cases[name]), flush=True)
