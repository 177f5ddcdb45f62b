"""The frozen teacher's features and logits of a batch."""
import time
import warnings

import torch

import networks
from common import serve


class Teacher:
    def __init__(self, question):
        variant = question["variant"]
        layout = torch.contiguous_format if variant == "eager" else torch.channels_last
        state = torch.load(question["file"], weights_only=True)
        self.images = state["images"].contiguous(memory_format=layout)
        model = networks.create(question["teacher"], question["numClasses"])
        model.load_state_dict(state["teacher"])
        model = model.eval().requires_grad_(False).to(memory_format=layout)
        if variant == "frozen":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                traced = torch.jit.freeze(torch.jit.trace(model, self.images))
                self.forward = torch.jit.optimize_for_inference(traced)
        elif question["compiled"]:
            self.forward = torch.compile(model, mode=None if variant == "compile" else variant)
        else:
            self.forward = model

    @torch.no_grad()
    def check(self):
        _, feature, logits = self.forward(self.images)
        # TorchScript rewrites its graph at the second call.
        self.forward(self.images)
        return {
            "feature": feature.abs().mean().item(),
            "logits": logits.abs().mean().item(),
            "logits of the last image": logits[-1].abs().mean().item(),
        }

    @torch.no_grad()
    def measure(self):
        """Images a second."""
        began = time.perf_counter()
        self.forward(self.images)
        return len(self.images) / (time.perf_counter() - began)


if __name__ == "__main__":
    serve(Teacher)
