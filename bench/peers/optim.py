"""One step of an optimizer over all parameters of a network."""

import torch

import device
from common import serve

forms = {"default": {}, "foreach": {"foreach": True}, "fused": {"fused": True}, "graph": {"fused": True}}


class Steps:
    def __init__(self, question):
        variant, self.device = question["variant"], question["device"]
        state = torch.load(question["file"], weights_only=True, map_location=self.device)
        self.params = [torch.nn.Parameter(value.clone()) for value in state["params"]]
        self.gradients = state["gradients"]
        name, settings = question["name"], {**question["settings"], **forms[variant]}
        if device.in_graph(variant):
            settings |= device.capturable(name, self.device)
        self.optimizer = getattr(torch.optim, name)(self.params, **settings)
        self.give_gradients()
        self.run, self.steps = self.optimizer.step, question["steps"]
        if device.in_graph(variant):
            self.run = device.Graph(self.step, (), self.device, self.params, [self.optimizer], drop=False)

    def give_gradients(self):
        for param, gradient in zip(self.params, self.gradients):
            param.grad = gradient.clone()

    def step(self):
        self.optimizer.step()

    def several(self):
        for _ in range(self.steps):
            self.run()

    def check(self):
        self.several()
        magnitudes = torch.stack([param.detach().abs().mean() for param in self.params])
        return {"mean magnitude of the parameters": magnitudes.mean().item()}

    def measure(self):
        """Milliseconds a step."""
        return device.milliseconds(self.device, self.several) / self.steps


if __name__ == "__main__":
    serve(Steps)
