"""Nanoseconds that a call of an operator costs."""

import time

import torch
from torch import nn
from torch.nn import functional as F

from common import serve

a, b = torch.randn(8, 8), torch.randn(8, 8)
image, kernel = torch.randn(1, 3, 8, 8), torch.randn(4, 3, 3, 3)
stack = torch.randn(4, 8, 8)
mlp = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
x = torch.randn(1, 16)


# Each has its own loop: a call through a function would cost as much as a tenth of the operator's.
def add(calls):
    for _ in range(calls):
        a + b


def conv2d(calls):
    for _ in range(calls):
        F.conv2d(image, kernel)


def sum_over_dims(calls):
    for _ in range(calls):
        stack.sum((0, 2))


def train(calls):
    for _ in range(calls):
        mlp.zero_grad()
        mlp(x).sum().backward()


loops = {"add 8x8": add, "conv2d 1x3x8x8": conv2d, "sum over dims": sum_over_dims, "MLP forward and backward": train}


class Calls:
    def __init__(self, question):
        self.loop, self.calls = loops[question["variant"]], question["calls"]

    def check(self):
        return {}

    def measure(self):
        began = time.perf_counter_ns()
        self.loop(self.calls)
        return (time.perf_counter_ns() - began) / self.calls


if __name__ == "__main__":
    serve(Calls)
