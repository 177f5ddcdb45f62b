"""The Python side of bench/step.mjs: one SRRL step as the authors' code does it; answers with images a second."""
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

batch, steps = int(sys.argv[1]), int(sys.argv[2])


class Block(nn.Module):
    """Pre-activation block of a wide ResNet."""

    def __init__(self, i, o, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(i), nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(o), nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(i, o, 1, stride, bias=False) if i != o else None

    def forward(self, x):
        a = F.relu(self.bn1(x))
        out = self.conv2(F.relu(self.bn2(self.conv1(a))))
        return out + (x if self.shortcut is None else self.shortcut(a))


class WideResNet(nn.Module):
    def __init__(self, depth, width, classes=100):
        super().__init__()
        n, widths = (depth - 4) // 6, [16, 16 * width, 32 * width, 64 * width]
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        blocks = [Block(widths[s] if b == 0 else widths[s + 1], widths[s + 1], 2 if s > 0 and b == 0 else 1) for s in range(3) for b in range(n)]
        self.blocks = nn.Sequential(*blocks)
        self.bn1 = nn.BatchNorm2d(widths[3])
        self.fc = nn.Linear(widths[3], classes)

    def forward(self, x):
        feature_map = F.relu(self.bn1(self.blocks(self.conv1(x))))
        feature = feature_map.mean((2, 3))
        return feature_map, feature, self.fc(feature)


def stepper(channels_last):
    layout = torch.channels_last if channels_last else torch.contiguous_format
    torch.manual_seed(0)
    teacher = WideResNet(40, 2).eval().requires_grad_(False).to(memory_format=layout)
    student = WideResNet(16, 2).train().to(memory_format=layout)
    connector = nn.Sequential(nn.Conv2d(128, 128, 1, bias=False), nn.BatchNorm2d(128), nn.ReLU()).train().to(memory_format=layout)
    optimizer = torch.optim.SGD([*student.parameters(), *connector.parameters()], lr=0.05, momentum=0.9, weight_decay=5e-4)
    images = torch.randn(batch, 3, 32, 32).contiguous(memory_format=layout)
    labels = torch.randint(0, 100, (batch,))

    def step():
        with torch.no_grad():
            _, h_t, z_t = teacher(images)
        feature_map, _, logits = student(images)
        r = connector(feature_map).mean((2, 3))
        loss = F.cross_entropy(logits, labels) + F.mse_loss(r, h_t) + F.mse_loss(teacher.fc(r), z_t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


cases = {"eager": stepper(False), "eager channels_last": stepper(True)}
print(f"Python {sys.version.split()[0]}, torch {torch.__version__}, {torch.get_num_threads()} threads", flush=True)
for line in sys.stdin:
    step = cases[line.strip()]
    began = time.perf_counter()
    for _ in range(steps):
        step()
    print(batch * steps / (time.perf_counter() - began), flush=True)
