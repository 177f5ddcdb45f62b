"""One step of an optimizer over all parameters of a network."""
import time

import torch

from common import serve

forms = {"default": {}, "foreach": {"foreach": True}, "fused": {"fused": True}}


class Steps:
    def __init__(self, question):
        state = torch.load(question["file"], weights_only=True)
        self.params = [torch.nn.Parameter(value.clone()) for value in state["params"]]
        for param, gradient in zip(self.params, state["gradients"]):
            param.grad = gradient.clone()
        kind = getattr(torch.optim, question["name"])
        self.optimizer = kind(self.params, **question["settings"], **forms[question["variant"]])
        self.steps = question["steps"]

    def several(self):
        for _ in range(self.steps):
            self.optimizer.step()

    def check(self):
        self.several()
        magnitudes = torch.stack([param.detach().abs().mean() for param in self.params])
        return {"mean magnitude of the parameters": magnitudes.mean().item()}

    def measure(self):
        """Milliseconds a step."""
        began = time.perf_counter()
        self.several()
        return 1e3 * (time.perf_counter() - began) / self.steps


if __name__ == "__main__":
    serve(Steps)
