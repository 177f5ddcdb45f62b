/** Images that a device makes in bfloat16, because all networks round them to it first. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { distill, Loader, models, openDataset, Teacher } from '../../src/index.js';
import torch, { type Tensor } from '../../src/torch.js';
import { addDevice, device, emulateKernels, isThere } from '../helpers/device.js';

addDevice();
emulateKernels();
afterEach(() => void vi.restoreAllMocks());

const data = await openDataset('shapes:24?test=12');

function network(name: string, seed: number) {
  torch.manualSeed(seed);
  return models.create(name, { numClasses: data.classes.length }).to({ device });
}

function onlyFloat32(images: Tensor): Tensor {
  if (images.dtype !== 'float32') throw new Error('These images are not float32.');
  return images;
}

/** The dtypes that a run chose for its images, and the weights after it. */
async function trained(options: object, rounds: boolean, change = (images: Tensor) => images) {
  const [student, teacherNetwork] = [network('resnet8', 1), network('resnet14', 2)];
  const forward = student.forwardFeatures;
  student.forwardFeatures = (images) => forward.call(student, change(images));
  const teacher = Teacher.of(teacherNetwork, 'resnet14');
  const chosen: string[] = [];
  const round = Loader.prototype.roundImages;
  vi.spyOn(Loader.prototype, 'roundImages').mockImplementation(function (this: Loader, dtype) {
    chosen.push(dtype);
    if (rounds) round.call(this, dtype);
  });
  const common = { data, epochs: 2, batchSize: 10, lr: 0.01, device, precision: 'bfloat16', deterministic: true };
  for await (const event of distill({ student, teacher, ...common, ...options } as Parameters<typeof distill>[0]))
    if (event.type === 'notice') expect(event.message).not.toMatch(/not captured/);
  const state = Object.entries(student.stateDict()).map(([name, tensor]) => [name, tensor.to('cpu')] as const);
  return { chosen, state: Object.fromEntries(state) as Record<string, Tensor> };
}

describe.runIf(isThere)('images', () => {
  it.each([
    ['plain views', {}],
    ['changed views', { augmentation: { randomErasing: { p: 0.5 } } }],
    ['parts of a batch', { microBatch: 5 }],
    ['the operators of libtorch', { kernels: 'plain' }],
  ])('in bfloat16 lead to the same weights with %s', async (_what, options) => {
    const [rounded, wide] = [await trained(options, true), await trained(options, false)];
    expect(rounded.chosen).toEqual(['bfloat16']);
    for (const [name, tensor] of Object.entries(wide.state))
      expect(tensor.equal(rounded.state[name] as Tensor), name).toBe(true);
  });

  it.each([
    ['a network that changes them in float32 first', {}, (images: Tensor) => images.mul(1.01)],
    ['a network that refuses other types', {}, onlyFloat32],
    ['a run in float32', { precision: 'float32' }, undefined],
    ['a run in float16', { precision: 'float16' }, undefined],
  ])('are left in float32 for %s', async (_what, options, change) => {
    const { chosen } = await trained({ ...options, epochs: 1 }, true, change);
    expect(chosen).toEqual([]);
  });
});
