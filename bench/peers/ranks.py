"""What bench/ranks.mjs does, by PyTorch's DistributedDataParallel: python bench/peers/ranks.py [STEPS]."""

import json
import os
import sys
import time

import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
steps = int(sys.argv[1]) if len(sys.argv) > 1 else 20
batch, channels, size = 32, 128, 32
dist.init_process_group("gloo")
rank, ranks = dist.get_rank(), dist.get_world_size()
torch.manual_seed(0)


def block(source, target, stride):
    return [nn.Conv2d(source, target, 3, padding=1, stride=stride, bias=False), nn.BatchNorm2d(target), nn.ReLU()]


network = nn.Sequential(
    *block(3, channels, 2),
    *block(channels, channels, 1),
    *block(channels, channels, 2),
    *block(channels, 2 * channels, 2),
    *block(2 * channels, 2 * channels, 1),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(2 * channels, 10),
).to(memory_format=torch.channels_last)
model = nn.parallel.DistributedDataParallel(network)
optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
own = batch // ranks
images = torch.randn(own, 3, size, size).contiguous(memory_format=torch.channels_last)
labels = torch.randint(0, 10, (own,))


def step():
    optimizer.zero_grad()
    F.cross_entropy(model(images), labels).backward()
    optimizer.step()


for _ in range(3):
    step()
dist.barrier()
began = time.perf_counter()
for _ in range(steps):
    step()
dist.barrier()
seconds = time.perf_counter() - began
if rank == 0:
    print(
        json.dumps(
            {
                "ranks": ranks,
                "threads": torch.get_num_threads(),
                "imagesPerSecond": steps * batch / seconds,
                "secondsPerStep": seconds / steps,
            }
        )
    )
dist.destroy_process_group()
