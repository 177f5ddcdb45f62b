"""A process from its start to its end."""

import subprocess
import sys
import time

import memory
from common import serve

programs = {"a first tensor": "import torch; torch.zeros(1)", "nothing at all": ""}


class Process:
    def __init__(self, question):
        self.program = programs[question["variant"]]

    def check(self):
        return {}

    def measure(self):
        """Milliseconds."""
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", self.program], check=True)
        return 1e3 * (time.perf_counter() - began)


def process(question):
    """A program, or a training of some steps."""
    return memory.Process(question) if "steps" in question else Process(question)


if __name__ == "__main__":
    serve(process)
