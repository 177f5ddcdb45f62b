"""Peak resident memory of a process that does a short run.

    python memory.py <threads>          the peer
    python memory.py <threads> <json>   the process that is measured: prints its peak in MiB
"""
import json
import resource
import subprocess
import sys

import torch

from common import serve
from step import Step


def peak_mib():
    """Linux's own count begins anew with a program; what getrusage reports may be that of the process it came from."""
    if sys.platform == "linux":
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


class Process:
    def __init__(self, question):
        self.question = question

    def check(self):
        return {}

    def measure(self):
        """MiB."""
        command = [sys.executable, __file__, str(self.question["threads"]), json.dumps(self.question)]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def run(question):
    torch.set_num_threads(question["threads"])
    training = Step(question)
    for _ in range(question["steps"]):
        training.step()
    print(peak_mib())


if __name__ == "__main__":
    if len(sys.argv) > 2:
        run(json.loads(sys.argv[2]))
    else:
        serve(Process)
