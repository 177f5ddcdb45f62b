"""One training step, as the authors' code does it and as PyTorch does it best: plain, SRRL with the teacher, SRRL with kept features."""
import time

import torch
from torch import nn
from torch.nn import functional as F

import networks
from common import serve


class Connector(nn.Module):
    """1x1 convolution, normalization, ReLU on the last map, then the average."""

    def __init__(self, i, o):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(i, o, 1, bias=False), nn.BatchNorm2d(o)

    def forward(self, feature_map):
        return F.relu(self.bn(self.conv(feature_map)), inplace=True).mean((2, 3))


class Step:
    def __init__(self, question):
        self.kind, self.batch, variant = question["kind"], question["batchSize"], question["variant"]
        # The authors' code leaves layout and optimizer as they are.
        plain = variant == "eager"
        layout = torch.contiguous_format if plain else torch.channels_last
        self.device, self.narrow = question["device"], question["precision"] == "bfloat16"
        if self.device.startswith("cuda"):
            torch.backends.cudnn.benchmark = True
        self.steps = question.get("steps", 1)
        state = torch.load(question["file"], weights_only=True, map_location=self.device)
        self.batches = [
            (images.contiguous(memory_format=layout), labels)
            for images, labels in zip(state["images"].split(self.batch), state["labels"].split(self.batch))
        ]
        classes = question["numClasses"]
        self.student = self.loaded(networks.create(question["student"], classes), state["student"], layout).train()
        trained = [*self.student.parameters()]
        if self.kind != "ce":
            self.teacher = self.loaded(networks.create(question["teacher"], classes), state["teacher"], layout)
            self.teacher.eval().requires_grad_(False)
            width = state["connector"]["conv.weight"].shape
            self.connector = self.loaded(Connector(width[1], width[0]), state["connector"], layout).train()
            trained += self.connector.parameters()
        if self.kind == "cached":
            with torch.no_grad():
                self.features = torch.cat([self.teacher(images)[1] for images, _ in self.batches]).half()
        settings = {"lr": question["lr"], "momentum": question["momentum"], "weight_decay": question["weightDecay"]}
        self.optimizer = torch.optim.SGD(trained, **settings, **({} if plain else {"fused": True}))
        self.terms = self.losses
        if question["compiled"]:
            mode = None if variant in ("compile", "compiled-graph") else variant
            self.terms = torch.compile(self.losses, mode=mode)
        self.in_graph = variant in ("graph", "compiled-graph")
        self.graph = None
        self.number = 0

    @staticmethod
    def loaded(module, state, layout):
        module.load_state_dict(state)
        return module.to(next(iter(state.values())).device, memory_format=layout)

    def losses(self, images, labels, kept):
        """The terms; `kept` are the teacher's features of these images, or None."""
        with torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=self.narrow):
            return self.precise_losses(images, labels, kept)

    def precise_losses(self, images, labels, kept):
        feature_map, _, logits = self.student(images)
        ce = F.cross_entropy(logits, labels)
        if self.kind == "ce":
            return (ce,)
        h_t, z_t = self.targets(images, kept)
        r = self.connector(feature_map)
        return ce, F.mse_loss(r, h_t), F.mse_loss(self.teacher.fc(r), z_t)

    def targets(self, images, kept):
        with torch.no_grad():
            if kept is not None:
                return kept, self.teacher.fc(kept)
            _, h_t, z_t = self.teacher(images)
            return h_t, z_t

    def inputs(self):
        """Images, labels and kept features, or None, of the next batch."""
        place = self.number % len(self.batches)
        self.number += 1
        images, labels = self.batches[place]
        kept = None
        if self.kind == "cached":
            rows = torch.arange(place * self.batch, place * self.batch + len(labels), device=self.device)
            kept = self.features[rows].float()
        return images, labels, kept

    def work(self, images, labels, kept):
        self.optimizer.zero_grad()
        terms = self.terms(images, labels, kept)
        sum(terms).backward()
        self.optimizer.step()
        return terms

    def step(self):
        inputs = self.inputs()
        if self.graph is None:
            return self.work(*inputs)
        for held, tensor in zip(self.held, inputs):
            if held is not None:
                held.copy_(tensor)
        self.graph.replay()
        return self.held_terms

    def capture(self):
        """The whole step as one CUDA graph, with gradients that each replay writes anew."""
        self.held = [tensor if tensor is None else tensor.clone() for tensor in self.inputs()]
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(3):
                self.work(*self.held)
        torch.cuda.current_stream().wait_stream(beside)
        self.optimizer.zero_grad()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.held_terms = self.work(*self.held)
        self.graph = graph

    def check(self):
        """The terms of the first steps, for comparison; they also warm up."""
        names = ("ce", "fm", "sr")
        values = {}
        for number in range(1, len(self.batches) + 1):
            for name, term in zip(names, self.step()):
                values[f"{name} of step {number}"] = term.item()
        return values

    def measure(self):
        """Images a second."""
        if self.in_graph and self.graph is None:
            self.capture()
        began = time.perf_counter()
        for _ in range(self.steps):
            self.step()
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()
        return self.steps * self.batch / (time.perf_counter() - began)


if __name__ == "__main__":
    serve(Step)
