"""The Python side of bench/ops.mjs: reads the name of a case from each line, answers with nanoseconds a call."""
import sys
import time

import torch

calls = int(sys.argv[1])
torch.set_num_threads(1)
a, b = torch.randn(8, 8), torch.randn(8, 8)


def add():
    began = time.perf_counter_ns()
    for _ in range(calls):
        a + b
    return (time.perf_counter_ns() - began) / calls


cases = {"add 8x8": add}
print(f"Python {sys.version.split()[0]}, torch {torch.__version__}", flush=True)
for line in sys.stdin:
    print(cases[line.strip()](), flush=True)
