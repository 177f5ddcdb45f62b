import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadExported } from '../../src/distill/exported/load.js';
import { Teacher } from '../../src/index.js';
import torch, { loadPth, type Tensor } from '../../src/torch.js';
import { maxDifference } from '../helpers/compare.js';

/** Networks of PyTorch's own layers, exported in three forms, and what each gives in Python for random images. */
const program = `
import sys, pathlib, torch
from torch import nn
folder, threads = pathlib.Path(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(threads)
torch.manual_seed(0)
x = torch.randn(4, 3, 32, 32)

class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 32, 8, 8)
        self.body = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=True), 2)
        self.head = nn.Linear(32, 10)
    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        return self.head(self.body(x).mean(1))

class Shuffled(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.GroupNorm(4, 16), nn.Hardswish(inplace=True), nn.MaxPool2d(3, 2, 1, ceil_mode=True))
        self.branch = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.BatchNorm2d(8), nn.SiLU(True))
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 16, 1), nn.Hardsigmoid())
        self.up = nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.ConvTranspose2d(16, 12, 2, 2), nn.PReLU())
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(12, 10)
    def forward(self, x):
        x = self.stem(x)
        a, b = x.chunk(2, 1)
        x = torch.cat([a, self.branch(b)], 1)
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        x = x * self.gate(x)
        mask = torch.zeros_like(x)
        mask[:, :, ::2] = 1.0
        x = torch.where(mask > 0, x, x.roll(1, 3)) - x.amax((2, 3), keepdim=True)
        return self.head(self.drop(self.up(x).mean((2, 3))))

class Sized(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.head = nn.Linear(8, 10)
    def forward(self, x):
        n = x.size(0)
        windows = self.conv(x).unfold(2, 5, 5).reshape(n * 8, 180, 5).mean(-1)
        return self.head(windows.reshape(n, 1440)[:, :8] + torch.arange(8) / (x.shape[2] - 1))

expected = {}
for name, model in {"attention": Attention(), "shuffled": Shuffled(), "sized": Sized()}.items():
    model.eval()
    with torch.no_grad():
        for form in ("static", "dynamic", "decomposed"):
            one = torch.export.export(model, (x,), dynamic_shapes=None if form == "static" else ({0: torch.export.Dim("batch")},))
            if form == "decomposed":
                one = one.run_decompositions()
            torch.export.save(one, folder / f"{name}.{form}.pt2")
            expected[f"{name}.{form}.pt2"] = one.module()(x)
torch.save({"x": x, "expected": expected}, folder / "expected.pth")
`;

describe.skipIf(!process.env.SRRL_PYTHON)('exported programs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'srrl-live-'));
  let images: Tensor;
  let expected: Record<string, Tensor>;
  beforeAll(async () => {
    const args = ['-W', 'ignore', '-c', program, folder, String(torch.getNumThreads())];
    const { status, stderr } = spawnSync(process.env.SRRL_PYTHON as string, args, { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    const found = (await loadPth(join(folder, 'expected.pth'))) as unknown as { x: Tensor; expected: typeof expected };
    [images, expected] = [found.x, found.expected];
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  it('give bitwise what Python gives, and as teachers the same', async () => {
    expect(Object.keys(expected).length).toBe(9);
    for (const [name, wanted] of Object.entries(expected)) {
      const file = join(folder, name);
      const { module } = await loadExported(file);
      expect([name, maxDifference(torch.noGrad(() => module.forward(images)) as Tensor, wanted)]).toEqual([name, 0]);
      module.dispose();
      const teacher = await Teacher.load(file);
      teacher.check(images);
      for (const count of [1, 3, 4])
        expect(teacher.forward(images.narrow(0, 0, count)).logits.shape).toEqual([count, 10]);
      teacher.dispose();
    }
  });
});
