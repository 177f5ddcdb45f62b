"""The networks in plain PyTorch, with the keys of their originals: RepDistiller's for 32x32 images, torchvision's for
224x224.

Each gives its last map, that map's average, and the logits.
"""

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval


def conv3x3(i, o, stride=1):
    return nn.Conv2d(i, o, 3, stride, 1, bias=False)


class PreActivationBlock(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(i), conv3x3(i, o, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(o), conv3x3(o, o)
        self.convShortcut = nn.Conv2d(i, o, 1, stride, bias=False) if i != o else None

    def forward(self, x):
        active = F.relu(self.bn1(x), inplace=True)
        out = self.conv2(F.relu(self.bn2(self.conv1(active)), inplace=True))
        return out + (x if self.convShortcut is None else self.convShortcut(active))


class Stage(nn.Module):
    def __init__(self, blocks, i, o, stride):
        super().__init__()
        self.layer = nn.Sequential(*(PreActivationBlock(o if b else i, o, 1 if b else stride) for b in range(blocks)))

    def forward(self, x):
        return self.layer(x)


class WideResNet(nn.Module):
    def __init__(self, depth, width, classes):
        super().__init__()
        blocks = (depth - 4) // 6
        self.conv1 = conv3x3(3, 16)
        self.block1 = Stage(blocks, 16, 16 * width, 1)
        self.block2 = Stage(blocks, 16 * width, 32 * width, 2)
        self.block3 = Stage(blocks, 32 * width, 64 * width, 2)
        self.bn1 = nn.BatchNorm2d(64 * width)
        self.fc = nn.Linear(64 * width, classes)

    def forward(self, x):
        feature_map = F.relu(self.bn1(self.block3(self.block2(self.block1(self.conv1(x))))), inplace=True)
        feature = feature_map.mean((2, 3))
        return feature_map, feature, self.fc(feature)


class BasicBlock(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1, self.bn1 = conv3x3(i, o, stride), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = conv3x3(o, o), nn.BatchNorm2d(o)
        same = stride == 1 and i == o
        self.downsample = None if same else nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        return F.relu(out + (x if self.downsample is None else self.downsample(x)), inplace=True)


def stage(blocks, i, o, stride):
    return nn.Sequential(*(BasicBlock(o if b else i, o, 1 if b else stride) for b in range(blocks)))


class CifarResNet(nn.Module):
    def __init__(self, depth, widths, classes):
        super().__init__()
        blocks = (depth - 2) // 6
        self.conv1, self.bn1 = conv3x3(3, widths[0]), nn.BatchNorm2d(widths[0])
        self.layer1 = stage(blocks, widths[0], widths[1], 1)
        self.layer2 = stage(blocks, widths[1], widths[2], 2)
        self.layer3 = stage(blocks, widths[2], widths[3], 2)
        self.fc = nn.Linear(widths[3], classes)

    def forward(self, x):
        feature_map = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x)), inplace=True))))
        feature = feature_map.mean((2, 3))
        return feature_map, feature, self.fc(feature)


class ResNet(nn.Module):
    def __init__(self, blocks, classes):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = stage(blocks[0], 64, 64, 1)
        self.layer2 = stage(blocks[1], 64, 128, 2)
        self.layer3 = stage(blocks[2], 128, 256, 2)
        self.layer4 = stage(blocks[3], 256, 512, 2)
        self.fc = nn.Linear(512, classes)

    def forward(self, x):
        x = self.maxpool(F.relu(self.bn1(self.conv1(x)), inplace=True))
        feature_map = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        feature = feature_map.mean((2, 3))
        return feature_map, feature, self.fc(feature)


def create(name, classes):
    if name.startswith("wrn_"):
        _, depth, width = name.split("_")
        return WideResNet(int(depth), int(width), classes)
    if name in ("resnet8x4", "resnet32x4"):
        return CifarResNet(int(name[len("resnet") : -len("x4")]), (32, 64, 128, 256), classes)
    return ResNet({"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}[name], classes)


# Normalizations that directly follow a convolution, by the block that has them.
foldable = {
    PreActivationBlock: [("conv1", "bn2")],
    BasicBlock: [("conv1", "bn1"), ("conv2", "bn2")],
    CifarResNet: [("conv1", "bn1")],
    ResNet: [("conv1", "bn1")],
}


def frozen(model, precision):
    """A teacher as fast as plain PyTorch has it: normalizations folded into convolutions, and the weights that autocast
    would cast in each step in that type from the start. Changes the model."""
    for module in list(model.modules()):
        for conv, norm in foldable.get(type(module), ()):
            setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm)))
            setattr(module, norm, nn.Identity())
        if isinstance(module, nn.Sequential) and isinstance(module[-1], nn.BatchNorm2d):
            module[0], module[1] = fuse_conv_bn_eval(module[0], module[1]), nn.Identity()
    if precision == "bfloat16":
        for module in model.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                module.to(torch.bfloat16)
    return model.requires_grad_(False)
