"""Makes the TorchScript teachers in this folder with PyTorch alone.

    node scripts/export-dataset.mjs shapes:20000 /tmp/shapes
    python assets/make-teachers.py /tmp/shapes assets/shapes-teacher.pt --epochs 6
    node scripts/export-dataset.mjs fashion-mnist:DIR /tmp/fashion
    python assets/make-teachers.py /tmp/fashion assets/fashion-mnist-teacher.pt --epochs 6

An ordinary residual network, trained on normalized images by SGD with a one-cycle schedule, and exported by
torch.jit.script. Nothing in
it knows of distillation.
"""

import argparse
import json
import pathlib
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import torchscript


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        same = stride == 1 and inputs == outputs
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, channels, classes, width=24):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.stages = nn.Sequential(
            Block(width, 2 * width, 2),
            Block(2 * width, 2 * width, 1),
            Block(2 * width, 4 * width, 2),
            Block(4 * width, 4 * width, 1),
        )
        self.head = nn.Linear(4 * width, classes)

    def forward(self, x):
        x = self.stages(self.stem(x))
        return self.head(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


def load(folder):
    about = json.loads((folder / "about.json").read_text())
    size = (-1, about["channels"], about["height"], about["width"])
    mean = torch.tensor(about["mean"]).view(1, -1, 1, 1)
    std = torch.tensor(about["std"]).view(1, -1, 1, 1)

    def split(name):
        images = torch.from_numpy(np.fromfile(folder / f"{name}.images.bin", np.uint8).reshape(size))
        labels = torch.from_numpy(np.fromfile(folder / f"{name}.labels.bin", np.uint8)).long()
        return images, labels

    def normalize(images):
        return ((images.float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)

    return about, split("train"), split("test"), normalize


def augment(images, pad, flip):
    n, _, height, width = images.shape
    padded = F.pad(images, (pad,) * 4)
    tops, lefts = torch.randint(0, 2 * pad + 1, (2, n)).tolist()
    crops = torch.stack([padded[i, :, t : t + height, l : l + width] for i, (t, l) in enumerate(zip(tops, lefts))])
    return torch.where(torch.rand(n, 1, 1, 1) < 0.5, crops.flip(3), crops) if flip else crops


def accuracy(model, images, labels, normalize):
    model.eval()
    with torch.no_grad():
        right = sum(
            (model(normalize(x)).argmax(1) == y).sum().item() for x, y in zip(images.split(500), labels.split(500))
        )
    model.train()
    return 100 * right / len(labels)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("out")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    about, (images, labels), test, normalize = load(args.data)
    model = ResNet(about["channels"], len(about["classes"])).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    steps = -(-len(labels) // args.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, epochs=args.epochs, steps_per_epoch=steps)
    began = time.time()
    for epoch in range(args.epochs):
        for chosen in torch.randperm(len(labels)).split(args.batch):
            x = normalize(augment(images[chosen], about["augment"]["pad"], about["augment"]["flip"]))
            loss = F.cross_entropy(model(x), labels[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(
            f"epoch {epoch + 1}/{args.epochs}  loss {loss.item():.3f}  "
            f"test {accuracy(model, *test, normalize):.2f} %  {time.time() - began:.0f} s",
            flush=True,
        )

    model = model.to(memory_format=torch.contiguous_format).eval().requires_grad_(False)
    torchscript.save(torch.jit.script(model), args.out)
    print(f"{args.out}: {sum(p.numel() for p in model.parameters())} parameters")


main()
