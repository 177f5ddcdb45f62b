"""JPEG files to batches of augmented images, as torchvision's ImageFolder and transforms do it."""

import math
import os
import time

import torch
from torch.utils.data import DataLoader, Dataset

from common import Unavailable, serve

try:
    import numpy
    from PIL import Image
except ImportError as problem:
    Image = None
    missing = str(problem)


def random_box(width, height, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3)):
    """RandomResizedCrop: a part of random area and shape."""
    for _ in range(10):
        area = width * height * torch.empty(1).uniform_(*scale).item()
        aspect = math.exp(torch.empty(1).uniform_(math.log(ratio[0]), math.log(ratio[1])).item())
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            top = torch.randint(0, height - h + 1, (1,)).item()
            left = torch.randint(0, width - w + 1, (1,)).item()
            return left, top, left + w, top + h
    edge = min(width, height)
    left, top = (width - edge) // 2, (height - edge) // 2
    return left, top, left + edge, top + edge


class Photos(Dataset):
    def __init__(self, folder, size, mean, std):
        self.size = size
        self.mean, self.std = (torch.tensor(values).view(3, 1, 1) for values in (mean, std))
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
        self.files = []
        for label, name in enumerate(names):
            for path, _, files in os.walk(os.path.join(folder, name)):
                images = (file for file in sorted(files) if file.lower().endswith((".jpg", ".jpeg", ".png", ".webp")))
                self.files += [(os.path.join(path, file), label) for file in images]

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        file, label = self.files[index]
        with open(file, "rb") as stream:
            image = Image.open(stream).convert("RGB")
        image = image.crop(random_box(*image.size)).resize((self.size, self.size), Image.Resampling.BILINEAR)
        if torch.rand(1) < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(numpy.array(image)).permute(2, 0, 1).contiguous().float().div_(255)
        return pixels.sub_(self.mean).div_(self.std), label


class Epochs:
    def __init__(self, question):
        if Image is None:
            raise Unavailable(missing)
        photos = Photos(question["folder"], question["size"], question["mean"], question["std"])
        # Workers stay from epoch to epoch: starting them is not what is measured.
        self.loader = DataLoader(
            photos, question["batchSize"], shuffle=True, num_workers=question["workers"], persistent_workers=True
        )

    def check(self):
        return {"images": len(self.loader.dataset), "batches an epoch": len(self.loader)}

    def measure(self):
        """Images a second, over one epoch."""
        began = time.perf_counter()
        for _ in self.loader:
            pass
        return len(self.loader.dataset) / (time.perf_counter() - began)


if __name__ == "__main__":
    serve(Epochs)
