import { expect, it } from 'vitest';
import { methodKinds } from '../../../src/distill/methods/index.js';
import { distill, type ImageSet, models, openDataset, Teacher } from '../../../src/index.js';
import torch from '../../../src/torch.js';

/** Operators whose result has a size that only the device knows: a CUDA graph cannot hold them. */
const dataDependent = /^aten::(masked_select|nonzero|argwhere|_?unique\w*|bincount|repeat_interleave|masked_scatter)/;

const shapes = await openDataset('shapes:24?test=60');
const { images, labels } = shapes.test as ImageSet;
const data = { ...shapes, test: { images: images.subarray(0, 12 * 3072), labels: labels.subarray(0, 12) } };

const cases = [...methodKinds.map(({ name }) => name), 'dkd:standardize=true', 'kd:standardize=true', 'srrl:kd=1'];
it.each(cases)('a step of %s makes no tensor whose size depends on the data', async (method) => {
  const network = models.create('resnet14', { numClasses: data.classes.length });
  const teacher = Teacher.of(network, 'resnet14');
  const run = distill({ student: 'resnet8', data, teacher, method, epochs: 1, batchSize: 12 });
  const profile = await torch.profile(async () => {
    for await (const { type } of run) if (type === 'epoch') break;
  });
  const names = new Set(profile.events.map(({ name }) => name));
  expect(names).toContain('aten::convolution_backward');
  expect([...names].filter((name) => dataDependent.test(name))).toEqual([]);
});
