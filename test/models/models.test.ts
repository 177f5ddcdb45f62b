import { describe, expect, it } from 'vitest';
import { ConfigError, models } from '../../src/index.js';
import { StochasticDepth } from '../../src/models/blocks.js';
import torch, { nn, type Tensor } from '../../src/torch.js';
import { expectClose, expectCloseNumber } from '../helpers/compare.js';
import { fixture, ramp } from '../helpers/inputs.js';

interface ResNetCase {
  keys: string[];
  logits: number[];
  loss: number;
  gradientNorms: Record<string, number>;
  fc: number[];
  evaluated: number[];
}
const { resnet8, counts } = fixture<{ resnet8: ResNetCase; counts: Record<string, number> }>('nn');

/** Stages of 64x64 images, from the papers' tables: channels and size. */
const square = (...stages: [channels: number, size: number][]) => stages.map(([c, size]) => [c, size, size]);
const mobile = square([24, 16], [40, 8], [112, 4], [160, 2]);
const stagesOf: Record<string, number[][]> = {
  resnet8: square([16, 64], [32, 32], [64, 16]),
  wrn_16_2: square([32, 64], [64, 32], [128, 16]),
  vgg8: square([128, 32], [256, 16], [512, 8], [512, 4]),
  ResNet50: square([256, 64], [512, 32], [1024, 16], [2048, 8]),
  MobileNetV2: square([12, 32], [16, 16], [48, 8], [160, 4]),
  ShuffleV1: square([240, 32], [480, 16], [960, 8]),
  ShuffleV2: square([116, 32], [232, 16], [464, 8]),
  resnet18: square([64, 16], [128, 8], [256, 4], [512, 2]),
  resnet50: square([256, 16], [512, 8], [1024, 4], [2048, 2]),
  mobilenet_v1: square([128, 16], [256, 8], [512, 4], [1024, 2]),
  mobilenet_v2: square([24, 16], [32, 8], [96, 4], [320, 2]),
  mobilenet_v3_small: square([16, 16], [24, 8], [48, 4], [96, 2]),
  mobilenet_v3_large: mobile,
  shufflenet_v2_x1_0: square([116, 8], [232, 4], [464, 2]),
  efficientnet_b0: [...mobile.slice(0, 3), [320, 2, 2]],
  vgg16_bn: square([64, 64], [128, 32], [256, 16], [512, 8], [512, 4]),
  convnext_tiny: square([96, 16], [192, 8], [384, 4], [768, 2]),
  vit_small_patch16_224: square([384, 4], [384, 4], [384, 4], [384, 4]),
};
/** Their classifier has more than one layer, or its linear layer sees something else than a mean. */
const notMeans = /^mobilenet_v3|^vgg16_bn|^convnext|^(vit|deit)/;

describe('registry', () => {
  it.each(models.list())('%s hands out its features for other images and classes', (name) => {
    torch.scope(() => {
      const model = models.create(name, { numClasses: 7, inChannels: 1, imageSize: 64 }).eval();
      let logits: readonly number[] = [];
      const { pooled, map, stages, pooledIsMeanOfMap } = models.measureFeatures(
        (images) => {
          const features = model.forwardFeatures(images);
          logits = features.logits.shape;
          return features;
        },
        [1, 64, 64],
      );
      expect(logits).toEqual([2, 7]);
      expect(pooled).toBe(model.featureChannels);
      expect(pooledIsMeanOfMap).toBe(!notMeans.test(name));
      expect(map?.length).toBe(3);
      if (stagesOf[name]) expect(stages).toEqual(stagesOf[name]);
      expect(stages.length).toBeGreaterThanOrEqual(3);
      model.dispose();
    });
  });

  it('makes wide ResNets that are not listed', () => {
    const model = models.create('wrn_22_3', { numClasses: 5 });
    expect(model.featureChannels).toBe(192);
    expect(() => models.create('wrn_17_2', { numClasses: 5 })).toThrow(/'wrn_17_2': the depth must be 6n \+ 4/);
    expect(() => models.create('wrn_4_2', { numClasses: 5 })).toThrow(ConfigError);
    expect(() => models.create('wrn_16', { numClasses: 5 })).toThrow(/Did you mean wrn_16_/);
  });

  it('suggests names and refuses sizes', () => {
    expect(() => models.create('resnet9', { numClasses: 3 })).toThrow(ConfigError);
    expect(() => models.create('resnet8x', { numClasses: 3 })).toThrow(/Did you mean resnet8/);
    expect(() => models.create('resnet8', { numClasses: 0 })).toThrow(/numClasses/);
    expect(() => models.create('resnet8', { numClasses: 3, inChannels: 1.5 })).toThrow(/inChannels/);
  });

  it('describes an architecture and leaves the default generator alone', () => {
    torch.manualSeed(3);
    const expected = Number(torch.rand([1]).item());
    torch.manualSeed(3);
    expect(models.describe('resnet18')).toEqual({
      name: 'resnet18',
      summary: 'ResNet for 224x224 images (torchvision)',
      input: [3, 224, 224],
      numClasses: 1000,
      // torchvision documents 1.814 giga multiply-accumulates.
      flops: 3_628_146_688,
      parameters: 11_689_512,
      featureChannels: 512,
    });
    expect(Number(torch.rand([1]).item())).toBe(expected);
    expect(models.describe('wrn_40_2')).toMatchObject({ input: [3, 32, 32], parameters: 2_255_156 });
    expect(() => models.describe('resnet19')).toThrow(/Did you mean/);
  });
});

describe('vision transformers', () => {
  const create = (imageSize: number) => models.create('vit_small_patch16_224', { numClasses: 3, imageSize });

  it('take images of one size, a multiple of the patch', () => {
    expect(() => create(40)).toThrow(/multiple of the patch size 16, not 40/);
    const model = create(32);
    expect(() => model.forward(torch.zeros([1, 3, 48, 32]))).toThrow(/32x32 images and got \[1, 3, 48, 32\]/);
  });
});

describe('StochasticDepth', () => {
  const ones = torch.ones([400, 2, 3], { dtype: 'float64' });

  it('keeps or drops whole samples, and the mean', () => {
    torch.manualSeed(1);
    const rows = new StochasticDepth(0.25).forward(ones).reshape([400, 6]);
    const [low, high] = [rows.amin([1]), rows.amax([1])];
    expect(torch.equal(low, high)).toBe(true);
    const kept = Number(high.gt(0).sum().item());
    expect(kept).toBeGreaterThan(260);
    expect(kept).toBeLessThan(340);
    expectCloseNumber(Number(high.max().item()), 4 / 3);
  });

  it('does nothing in evaluation mode', () => {
    expect(new StochasticDepth(0.25).eval().forward(ones)).toBe(ones);
  });
});

describe('CIFAR ResNets', () => {
  it.each(Object.entries(counts))('%s has as many parameters as the original', (name, count) => {
    expect(models.create(name, { numClasses: 100 }).numParameters()).toBe(count);
  });

  it('computes and learns as the original in float64', () => {
    const model = models.create('resnet8', { numClasses: 10 }).to({ dtype: 'float64' }).train();
    expect(Object.keys(model.stateDict())).toEqual(resnet8.keys);
    torch.noGrad(() => {
      for (const [i, p] of [...model.parameters()].entries()) {
        const fan = p.ndim > 1 ? p.numel() / (p.shape[0] as number) : 1;
        p.copy_(ramp(p.shape, { scale: 1 / fan ** 0.5, offset: p.ndim === 1 ? 0.5 : 0, step: 31 + 2 * i }));
      }
    });
    const images = ramp([2, 3, 12, 12], { step: 37 });
    const logits = model.forward(images);
    const loss = nn.functional.crossEntropy(logits, torch.tensor([3, 7]));
    loss.backward();
    expectClose(logits, resnet8.logits, 1e-9);
    expectCloseNumber(Number(loss.item()), resnet8.loss, 1e-9);
    for (const [key, p] of model.namedParameters())
      expectCloseNumber(Number(p.grad?.norm().item()), resnet8.gradientNorms[key] as number, 1e-9);
    const fc = [...model.namedParameters()].find(([key]) => key === 'fc.weight')?.[1];
    expectClose(fc?.grad as Tensor, resnet8.fc, 1e-9);
    expectClose(model.eval().forward(images), resnet8.evaluated, 1e-9);
  });
});
