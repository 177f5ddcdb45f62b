import { expect, it } from 'vitest';
import { analyze } from '../../src/analysis/index.js';
import { Loader } from '../../src/data/loader.js';
import torch, { type Tensor } from '../../src/torch.js';
import { evaluate } from '../../src/train/evaluate.js';
import { tinyData } from '../helpers/tiny-data.js';

const [count, numClasses] = [24, 8];
const set = {
  images: new Uint8Array(count * 4),
  labels: Uint8Array.from({ length: count }, (_, i) => i % numClasses),
};
const data = tinyData(set, numClasses);
const accuracyOf = async (logits: Tensor) => {
  const loader = new Loader(data, 'test', { batchSize: count });
  const { top1, top5 } = await evaluate(() => logits, loader);
  loader.dispose();
  return [top1, top5];
};

it('of equal logits the class of the lower number ranks first, in every data type', async () => {
  for (const dtype of ['float32', 'float64', 'bfloat16'] as const)
    expect(await accuracyOf(torch.zeros([count, numClasses], { dtype }))).toEqual([100 / 8, 500 / 8]);
});

it('an image with NaN among its logits is never right', async () => {
  expect(await accuracyOf(torch.full([count, numClasses], Number.NaN))).toEqual([0, 0]);
  const logits = torch.eye(numClasses).repeat(count / numClasses, 1);
  expect(await accuracyOf(logits)).toEqual([100, 100]);
  logits.select(1, 0).fill_(Number.NaN);
  expect(await accuracyOf(logits)).toEqual([0, 0]);
});

it('examples whose confidences differ by rounding come in the order of the data', async () => {
  // The later an image, the surer the student, by what rounding may add.
  const noise = torch.arange(count, { dtype: 'float64' }).mul(1e-12).unsqueeze(1);
  const logits = torch
    .eye(numClasses, { dtype: 'float64' })
    .repeat(count / numClasses, 1)
    .mul(noise.add(1));
  const features = { logits, pooled: logits, stages: [] };
  const contract = { numClasses, featureChannels: numClasses };
  const { examples } = await analyze({
    student: { ...contract, training: false, forwardFeatures: () => features },
    teacher: { ...contract, forward: () => features },
    data,
    batchSize: count,
  });
  expect(examples.map(({ sample }) => sample)).toEqual(
    Array.from({ length: count }, (_, i) => Math.floor(i / 3) + numClasses * (i % 3)),
  );
});
