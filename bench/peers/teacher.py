"""The frozen teacher's features and logits of a batch."""

import warnings

import torch

import device
import networks
from common import serve


class Teacher:
    def __init__(self, question):
        variant, self.device, self.precision = question["variant"], question["device"], question["precision"]
        device.set_up(self.device)
        layout = torch.contiguous_format if variant == "eager" else torch.channels_last
        state = torch.load(question["file"], weights_only=True, map_location=self.device)
        self.images = state["images"].contiguous(memory_format=layout)
        self.steps = question["steps"]
        model = networks.create(question["teacher"], question["numClasses"])
        model.load_state_dict(state["teacher"])
        self.model = model.eval().requires_grad_(False).to(self.device, memory_format=layout)
        if device.in_graph(variant):
            networks.frozen(self.model, self.precision)
        self.forward = self.form(variant, question["compiled"])

    def form(self, variant, compiled):
        if variant == "frozen":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                traced = torch.jit.freeze(torch.jit.trace(self.model, self.images))
                return torch.jit.optimize_for_inference(traced)
        forward = device.compiled(self.narrow, variant) if compiled else self.narrow
        if device.in_graph(variant):
            with torch.no_grad():
                return device.Graph(forward, (self.images,), self.device)
        return forward

    def narrow(self, images):
        with device.autocast(self.device, self.precision):
            return self.model(images)

    @torch.no_grad()
    def check(self):
        _, feature, logits = self.forward(self.images)
        values = {
            "feature": feature.abs().mean().item(),
            "logits": logits.abs().mean().item(),
            "logits of the last image": logits[-1].abs().mean().item(),
        }
        # TorchScript rewrites its graph at the second call.
        self.forward(self.images)
        return values

    @torch.no_grad()
    def several(self):
        for _ in range(self.steps):
            self.forward(self.images)

    def measure(self):
        """Images a second."""
        return 1e3 * self.steps * len(self.images) / device.milliseconds(self.device, self.several)


if __name__ == "__main__":
    serve(Teacher)
