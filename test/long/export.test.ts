import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { exportStudent, models } from '../../src/index.js';
import torch from '../../src/torch.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-export-long-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each(models.list())('%s as TorchScript, .pt2 and ONNX', async (name) => {
  const size = models.modelFamilies.find((family) => family.names.includes(name))?.imageSize as number;
  torch.manualSeed(0);
  const model = models.create(name, { numClasses: 10 });
  // Statistics of images, without which deep networks return huge logits.
  torch.noGrad(() => {
    for (let i = 0; i < 10; i++) torch.scope(() => model.train().forward(torch.randn([4, 3, size, size])));
  });
  for (const ending of ['.torchscript.pt', '.pt2', '.onnx']) {
    const file = join(folder, `${name}${ending}`);
    const { verification } = await exportStudent({ model, image: [3, size, size] }, file, { images: 4 });
    expect(verification.sameTop1).toBe(1);
    rmSync(file);
  }
  model.dispose();
});
