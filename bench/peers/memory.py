"""Memory of a process that trains for a few steps, a number of times over, and the time that it takes.

python memory.py <threads>          the peer
python memory.py <threads> <json>   the process that is measured: prints MiB
"""

import gc
import json
import resource
import subprocess
import sys
import time

import torch

import device
from common import serve
from step import Step


def resident():
    """The peak. Linux's own count begins anew with a program; what getrusage reports may be that of the process it
    came from."""
    if sys.platform == "linux":
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def allocated():
    """The peak of what tensors took on the device."""
    return torch.cuda.max_memory_allocated() / 2**20


def held():
    """What is taken from the device now."""
    return torch.cuda.memory_reserved() / 2**20


counts = {"resident": resident, "allocated": allocated, "held": held}


class Process:
    """A process of its own; what it prints, or the milliseconds that it takes where nothing is counted."""

    def __init__(self, question):
        self.question = question

    def check(self):
        return {}

    def measure(self):
        command = [sys.executable, __file__, str(self.question["threads"]), json.dumps(self.question)]
        began = time.perf_counter()
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        spent = 1e3 * (time.perf_counter() - began)
        return float(printed) if self.question["count"] else spent


def run(question):
    torch.set_num_threads(question["threads"])
    for _ in range(question["runs"]):
        training = Step(question)
        for _ in range(question["steps"]):
            terms = training.step()
        # Only now is the last step done.
        terms[0].item()
        del training, terms
        gc.collect()
        device.release()
    if question["count"]:
        # Memory of a GPU is nothing that the CPU has.
        count = question["count"] if device.on_gpu(question["device"]) else "resident"
        print(counts[count]())


if __name__ == "__main__":
    if len(sys.argv) > 2:
        run(json.loads(sys.argv[2]))
    else:
        serve(Process)
