"""Photos to classes, as a script with PyTorch and Pillow does it."""

import time

import torch
from torch.utils.data import DataLoader, Dataset

import networks
from common import Unavailable, serve

try:
    import numpy
    from PIL import Image
except ImportError as problem:
    Image = None
    missing = str(problem)


class Photos(Dataset):
    """Resize of the shorter side, CenterCrop, ToTensor and Normalize."""

    def __init__(self, question):
        self.files, self.resize, self.crop = question["files"], question["resize"], question["crop"]
        self.mean, self.std = (torch.tensor(question[name]).view(3, 1, 1) for name in ("mean", "std"))

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        with open(self.files[index], "rb") as stream:
            image = Image.open(stream).convert("RGB")
        width, height = image.size
        long = int(self.resize * max(width, height) / min(width, height))
        size = (self.resize, long) if width <= height else (long, self.resize)
        image = image.resize(size, Image.Resampling.BILINEAR)
        left, top = round((size[0] - self.crop) / 2), round((size[1] - self.crop) / 2)
        image = image.crop((left, top, left + self.crop, top + self.crop))
        pixels = torch.from_numpy(numpy.array(image)).permute(2, 0, 1).contiguous().float().div_(255)
        return pixels.sub_(self.mean).div_(self.std)


class Predictor:
    def __init__(self, question):
        if Image is None:
            raise Unavailable(missing)
        self.layout = torch.channels_last if question["variant"] == "workers" else torch.contiguous_format
        model = networks.create(question["model"], question["numClasses"])
        model.load_state_dict(torch.load(question["weights"], weights_only=True))
        self.model = model.eval().requires_grad_(False).to(memory_format=self.layout)
        # Workers stay from pass to pass: starting them is not what is measured.
        workers = {"num_workers": 2, "persistent_workers": True} if question["variant"] == "workers" else {}
        self.loader = DataLoader(Photos(question), question["batchSize"], **workers)

    @torch.inference_mode()
    def predict(self):
        found = []
        for images in self.loader:
            _, _, logits = self.model(images.contiguous(memory_format=self.layout))
            probability, index = logits.softmax(1).max(1)
            found += zip(probability.tolist(), index.tolist())
        return found

    def check(self):
        found = self.predict()
        mean = sum(probability for probability, _ in found) / len(found)
        return {"images": len(found), "mean probability of the likeliest class": mean}

    def measure(self):
        """Images a second, over all photos."""
        began = time.perf_counter()
        self.predict()
        return len(self.loader.dataset) / (time.perf_counter() - began)


if __name__ == "__main__":
    serve(Predictor)
