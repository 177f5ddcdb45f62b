/**
 * Which operators training asks a device for: none that has no deterministic form on NVIDIA GPUs, where it would throw
 * under --deterministic.
 */
import { describe, expect, it } from 'vitest';
import { methodKinds } from '../../src/distill/methods/index.js';
import { distill, models, openDataset, Teacher, train } from '../../src/index.js';
import { modelFamilies } from '../../src/models/index.js';
import torch, { nn, type Tensor } from '../../src/torch.js';
import { addDevice, device, isThere } from '../helpers/device.js';

addDevice();

/** From the documentation of torch.use_deterministic_algorithms of PyTorch 2.11: what throws for tensors on CUDA. */
const refused = [
  ...['_adaptive_avg_pool2d_backward', '_adaptive_avg_pool3d_backward', 'avg_pool3d_backward'],
  ...['adaptive_max_pool2d_backward', 'adaptive_max_pool3d_backward', 'max_pool3d_with_indices_backward'],
  ...['fractional_max_pool2d_backward', 'fractional_max_pool3d_backward', 'max_unpool2d', 'max_unpool3d'],
  ...['upsample_linear1d_backward', 'upsample_bilinear2d_backward', 'upsample_trilinear3d_backward'],
  ...['upsample_bicubic2d_backward', '_upsample_bilinear2d_aa_backward', '_upsample_bicubic2d_aa_backward'],
  ...['reflection_pad1d_backward', 'reflection_pad2d_backward', 'reflection_pad3d_backward'],
  ...['replication_pad1d_backward', 'replication_pad2d_backward', 'replication_pad3d_backward'],
  ...['nll_loss2d_forward', 'nll_loss2d_backward', '_ctc_loss_backward', '_embedding_bag', 'embedding_bag'],
  ...['grid_sampler_2d_backward', 'grid_sampler_3d_backward', 'put_', 'histc', 'bincount', 'kthvalue', 'median'],
  ...['scatter_reduce', 'scatter_reduce_', '_segment_reduce_backward'],
];
/** Refused for floating point numbers only. */
const refusedOfFloats = ['cumsum', 'cumsum_'];

async function asked(body: () => unknown, also: readonly string[] = refusedOfFloats): Promise<string[]> {
  const profile = await torch.profile(async () => body());
  const names = new Set(profile.events.map(({ name }) => name.replace(/^aten::/, '')));
  expect(names.size).toBeGreaterThan(0);
  return [...refused, ...also].filter((name) => names.has(name));
}

const data = await openDataset('shapes:12?test=6');

describe.runIf(isThere)('operators without a deterministic form are not asked for', () => {
  it.each(methodKinds.map(({ name }) => name))('by the method %s', async (method) => {
    // Maps of other sizes and widths, at all stages.
    const teacher = Teacher.of(models.create('wrn_16_2', { numClasses: 12 }).to({ device }), 'wrn_16_2');
    const common = { data, teacher, batchSize: 4, epochs: 1, device, dryRun: true } as const;
    const run = async (student: string) => {
      for await (const _ of distill({ ...common, student, method }));
    };
    expect(await asked(() => run('resnet8'))).toEqual([]);
    teacher.dispose();
  });

  it.each(modelFamilies.map(({ names }) => names[0] as string))('by the model %s', async (name) => {
    const size = /^(vit|convnext)/.test(name) ? 32 : 64;
    const step = () =>
      torch.scope(() => {
        const model = models.create(name, { numClasses: 5, imageSize: size }).to({ device }).train();
        const logits = model.forward(torch.randn([2, 3, size, size]).to({ device }));
        nn.functional.crossEntropy(logits, torch.zeros([2], { dtype: 'int64', device })).backward();
      });
    expect(await asked(step)).toEqual([]);
  });

  it('by augmentations', async () => {
    const augmentation = {
      crop: 'resized',
      randAugment: { n: 3 },
      colorJitter: { brightness: 0.4, contrast: 0.4, hue: 0.1 },
      randomErasing: { p: 1 },
      mixup: { alpha: 0.2 },
    } as const;
    const step = async () => {
      const setup = { data, student: 'resnet8', batchSize: 4, epochs: 1, device, augmentation };
      for await (const _ of train(setup));
    };
    // Tones are counted by whole numbers.
    expect(await asked(step, [])).toEqual([]);
  });
});

describe.runIf(isThere)('adaptive average pooling on a device', () => {
  const pools = {
    1: [nn.functional.adaptiveAvgPool1d, torch.adaptiveAvgPool1d],
    2: [nn.functional.adaptiveAvgPool2d, torch.adaptiveAvgPool2d],
    3: [nn.functional.adaptiveAvgPool3d, torch.adaptiveAvgPool3d],
  } as const;

  it.each([
    [[8], [4]],
    [[7], [3]],
    [
      [8, 6],
      [4, 2],
    ],
    [
      [7, 5],
      [3, 5],
    ],
    [
      [5, 4],
      [7, 8],
    ],
    [
      [4, 6, 2],
      [2, 3, 1],
    ],
    [
      [5, 6, 3],
      [2, 3, 2],
    ],
  ])('takes %j to %j as the CPU does, with gradients', async (from, to) => {
    torch.manualSeed(1);
    const [ours, plain] = pools[from.length as 1 | 2 | 3];
    const images = torch.randn([2, 3, ...from]);
    const weights = torch.randn([2, 3, ...to]);
    const run = (on: string, pool: (x: Tensor, size: number[]) => Tensor) => {
      const x = images.to({ device: on }).detach();
      x.requiresGrad = true;
      const output = pool(x, to);
      output
        .mul(weights.to({ device: on }))
        .sum()
        .backward();
      return [output, x.grad as Tensor].map((tensor) => tensor.to({ device: 'cpu' }));
    };
    let made: Tensor[] = [];
    const names = await asked(() => {
      made = run(device, ours);
    });
    expect(names).toEqual([]);
    for (const [i, expected] of run('cpu', plain).entries())
      expect(torch.allclose(made[i] as Tensor, expected, 1e-5, 1e-6)).toBe(true);
  });
});
