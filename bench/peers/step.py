"""One training step, as the authors' code does it and as PyTorch does it best: plain, SRRL with the teacher, SRRL with
kept features."""

import torch
from torch import nn
from torch.nn import functional as F

import device
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
        self.device, self.precision = question["device"], question["precision"]
        device.set_up(self.device)
        self.steps = question.get("steps", 1)
        state = torch.load(question["file"], weights_only=True, map_location=self.device)
        self.batches = [
            (images.contiguous(memory_format=layout), labels)
            for images, labels in zip(state["images"].split(self.batch), state["labels"].split(self.batch))
        ]
        classes = question["numClasses"]
        self.student = self.loaded(networks.create(question["student"], classes), state["student"], layout).train()
        self.trained = [self.student]
        if self.kind != "ce":
            teacher = self.loaded(networks.create(question["teacher"], classes), state["teacher"], layout)
            teacher.eval().requires_grad_(False)
            self.teacher = networks.frozen(teacher, self.precision) if device.in_graph(variant) else teacher
            width = state["connector"]["conv.weight"].shape
            self.connector = self.loaded(Connector(width[1], width[0]), state["connector"], layout).train()
            self.trained.append(self.connector)
        if self.kind == "cached":
            with torch.no_grad(), device.autocast(self.device, self.precision):
                self.features = [self.teacher(images)[1].half() for images, _ in self.batches]
        settings = {"lr": question["lr"], "momentum": question["momentum"], "weight_decay": question["weightDecay"]}
        params = [param for module in self.trained for param in module.parameters()]
        self.optimizer = torch.optim.SGD(params, **settings, **({} if plain else {"fused": True}))
        self.terms = device.compiled(self.losses, variant) if question["compiled"] else self.losses
        self.number = 0
        self.run = self.captured() if device.in_graph(variant) else self.work

    @staticmethod
    def loaded(module, state, layout):
        module.load_state_dict(state)
        return module.to(next(iter(state.values())).device, memory_format=layout)

    def losses(self, images, labels, kept):
        """The terms; `kept` are the teacher's features of these images, or None."""
        with device.autocast(self.device, self.precision):
            if self.kind == "ce":
                return (F.cross_entropy(self.student(images)[2], labels),)
            return self.student_losses(images, labels, *self.targets(images, kept))

    def student_losses(self, images, labels, h_t, z_t):
        feature_map, _, logits = self.student(images)
        r = self.connector(feature_map)
        return F.cross_entropy(logits, labels), F.mse_loss(r, h_t), F.mse_loss(self.teacher.fc(r), z_t)

    def targets(self, images, kept):
        with torch.no_grad():
            if kept is not None:
                h_t = kept.float()
                return h_t, self.teacher.fc(h_t)
            _, h_t, z_t = self.teacher(images)
            return h_t, z_t

    def inputs(self):
        """Images, labels and kept features, or None, of the next batch."""
        place = self.number % len(self.batches)
        self.number += 1
        return *self.batches[place], self.features[place] if self.kind == "cached" else None

    def first_inputs(self):
        """Those of the first batch, which comes again."""
        first = self.inputs()
        self.number = 0
        return first

    def work(self, images, labels, kept):
        self.optimizer.zero_grad()
        terms = self.terms(images, labels, kept)
        sum(terms).backward()
        self.optimizer.step()
        return tuple(term.detach() for term in terms)

    def step(self):
        return self.run(*self.inputs())

    def captured(self):
        """The whole step as one CUDA graph, from the same weights."""
        return device.Graph(self.work, self.first_inputs(), self.device, self.changed(), [self.optimizer])

    def changed(self):
        return [tensor for module in self.trained for tensor in (*module.parameters(), *module.buffers())]

    def check(self):
        """The terms of the first steps, for comparison; they also warm up."""
        names = ("ce", "fm", "sr")
        values = {}
        for number in range(1, len(self.batches) + 1):
            for name, term in zip(names, self.step()):
                values[f"{name} of step {number}"] = term.item()
        return values

    def several(self):
        for _ in range(self.steps):
            self.step()

    def measure(self):
        """Images a second."""
        return 1e3 * self.steps * self.batch / device.milliseconds(self.device, self.several)


if __name__ == "__main__":
    serve(Step)
