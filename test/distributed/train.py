"""What train.mjs does, by PyTorch: python train.py OUT, or as one rank of DistributedDataParallel."""

import os
import sys

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(1)
steps, batch, size, classes = 50, 16, 8, 5


def wave(shape, start, scale):
    i = np.arange(int(np.prod(shape)), dtype=np.float64)
    values = scale * np.sin(start + 1.7 * i + 0.01 * (i % 97) ** 2)
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1, stride=2, bias=False)
        self.bn2 = nn.BatchNorm2d(16)
        self.fc = nn.Linear(16, classes)

    def forward(self, x):
        x = F.silu(self.bn1(self.conv1(x)))
        return self.fc(F.silu(self.bn2(self.conv2(x))).mean((2, 3)))


ranks = int(os.environ.get("WORLD_SIZE", 1))
rank = int(os.environ.get("RANK", 0))
network = Network()
with torch.no_grad():
    for i, parameter in enumerate(network.parameters()):
        if parameter.ndim > 1:
            parameter.copy_(wave(parameter.shape, i, 0.2))
    network.fc.bias.zero_()
if ranks > 1:
    dist.init_process_group("gloo")
model = nn.parallel.DistributedDataParallel(network) if ranks > 1 else network
optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
own = batch // ranks
for step in range(steps):
    images = wave((batch, 3, size, size), step, 1.0)[rank * own : (rank + 1) * own]
    labels = torch.tensor([(7 * i + step) % classes for i in range(batch)])[rank * own : (rank + 1) * own]
    optimizer.zero_grad()
    F.cross_entropy(model(images), labels).backward()
    optimizer.step()
if rank == 0:
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, sys.argv[1])
if ranks > 1:
    dist.destroy_process_group()
