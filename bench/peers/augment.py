"""32x32 images in memory to batches: image by image as torchvision's transforms do it, and whole batches of tensors at
once."""

import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

import device
from common import Unavailable, serve

try:
    import numpy
    from PIL import Image, ImageOps
except ImportError as problem:
    Image = None
    missing = str(problem)


class Images(Dataset):
    """RandomCrop with a border, RandomHorizontalFlip, ToTensor, Normalize."""

    def __init__(self, images, pad, mean, std):
        self.images, self.pad = images.permute(0, 2, 3, 1).contiguous().numpy(), pad
        self.mean, self.std = (torch.tensor(values).view(3, 1, 1) for values in (mean, std))

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = Image.fromarray(self.images[index])
        width, height = image.size
        image = ImageOps.expand(image, border=self.pad, fill=0)
        top = torch.randint(0, 2 * self.pad + 1, (1,)).item()
        left = torch.randint(0, 2 * self.pad + 1, (1,)).item()
        image = image.crop((left, top, left + width, top + height))
        if torch.rand(1) < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(numpy.array(image)).permute(2, 0, 1).contiguous().float().div_(255)
        return pixels.sub_(self.mean).div_(self.std)


class Batches:
    """The same with a few operators a batch."""

    def __init__(self, images, batch, pad, mean, std, variant, compiled):
        self.images, self.batch, self.pad, self.device = images, batch, pad, images.device
        self.mean, self.std = (torch.tensor(each, device=self.device).view(1, 3, 1, 1) * 255 for each in (mean, std))
        self.make = device.compiled(self.views, variant) if compiled else self.views
        if device.in_graph(variant):
            rows = torch.arange(batch, device=self.device)
            self.make = device.Graph(self.make, (rows,), str(self.device))

    def __len__(self):
        return -(-len(self.images) // self.batch)

    def __iter__(self):
        for rows in torch.randperm(len(self.images), device=self.device).split(self.batch):
            yield self.make(rows)

    def views(self, rows):
        padded, place = F.pad(self.images[rows], [self.pad] * 4), {"device": self.device}
        count, _, height, width = padded.shape
        height, width = height - 2 * self.pad, width - 2 * self.pad
        top, left = torch.randint(0, 2 * self.pad + 1, (2, count, 1), **place)
        down, across = top + torch.arange(height, **place), left + torch.arange(width, **place)
        across = torch.where(torch.rand(count, 1, **place) < 0.5, across.flip(1), across)
        images = torch.arange(count, **place).view(-1, 1, 1)
        views = padded[images, :, down.unsqueeze(2), across.unsqueeze(1)].permute(0, 3, 1, 2)
        return views.float().sub_(self.mean).div_(self.std)


class Epochs:
    def __init__(self, question):
        variant, self.device = question["variant"], question["device"]
        images = torch.load(question["file"], weights_only=True, map_location=self.device)["images"]
        batch, self.count = question["batchSize"], len(images)
        form = question["pad"], question["mean"], question["std"]
        if variant not in ("each", "workers"):
            self.loader = Batches(images, batch, *form, variant, question["compiled"])
            return
        if Image is None:
            raise Unavailable(missing)
        workers = 2 if variant == "workers" else 0
        self.loader = DataLoader(
            Images(images, *form), batch, shuffle=True, num_workers=workers, persistent_workers=workers > 0
        )

    def check(self):
        return {"images": self.count, "batches an epoch": len(self.loader)}

    def epoch(self):
        for _ in self.loader:
            pass

    def measure(self):
        """Images a second, over one epoch."""
        return 1e3 * self.count / device.milliseconds(self.device, self.epoch)


if __name__ == "__main__":
    serve(Epochs)
