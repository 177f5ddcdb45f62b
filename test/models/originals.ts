/** Compares a network with what its original gave (test/fixtures/make/models.py). */
import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { models } from '../../src/index.js';
import { StochasticDepth } from '../../src/models/blocks.js';
import torch, { nn } from '../../src/torch.js';
import { expectClose, expectCloseNumber } from '../helpers/compare.js';
import { fixture, ramp } from '../helpers/inputs.js';

interface Original {
  keys: number;
  hash: string;
  parameters: number;
  initial: Record<string, number>;
  size: number;
  /** Default 2. */
  batch?: number;
  logits: number[];
  loss: number;
  gradients: Record<string, number>;
  evaluated: number[];
  /** Norms; of the benchmark's networks only. */
  stages?: number[];
  pooled?: number;
}
export const originals = fixture<{ models: Record<string, Original> }>('models').models;
/** Too slow in float64 for every run of the tests; each has a smaller relative that is not. */
export const large = [
  'resnet56',
  'resnet110',
  'resnet32x4',
  'wrn_28_10',
  'wrn_40_4',
  'vgg13',
  'vgg16',
  'vgg19',
  'resnet34',
  'resnet101',
  'wide_resnet50_2',
  'shufflenet_v2_x1_5',
  'shufflenet_v2_x2_0',
  'vgg16_bn',
  'deit_small_patch16_224',
];

/** Parameters by the formula of the fixture, float64, no dropout. */
export function fill(model: models.Classifier): models.Classifier {
  model.apply((module) => {
    if (module instanceof nn.Dropout || module instanceof StochasticDepth) Object.assign(module, { p: 0 });
  });
  model.to({ dtype: 'float64' });
  torch.noGrad(() => {
    for (const [i, p] of [...model.parameters()].entries()) {
      const fan = p.ndim > 1 ? p.numel() / (p.shape[0] as number) : 1;
      p.copy_(ramp(p.shape, { scale: 1 / fan ** 0.5, offset: p.ndim === 1 ? 0.5 : 0, step: 31 + 2 * i }));
    }
  });
  return model;
}

/** Names in the state dict, parameters, initial weights of seed 7, for the classes that it was published for. */
export function expectSameFacts(name: string): void {
  const original = originals[name] as Original;
  torch.scope(() => {
    torch.manualSeed(7);
    const { numClasses } = models.modelFamilies.find((family) => family.names.includes(name)) ?? { numClasses: 100 };
    const model = models.create(name, { numClasses });
    const keys = Object.keys(model.stateDict());
    const hash = createHash('sha256').update(keys.join('\n')).digest('hex').slice(0, 16);
    const parameters = new Map(model.namedParameters());
    expect({ keys: keys.length, hash, parameters: model.numParameters() }).toEqual({
      keys: original.keys,
      hash: original.hash,
      parameters: original.parameters,
    });
    // libtorch's vectorized and plain normal distributions differ in the last digits.
    for (const [key, value] of Object.entries(original.initial))
      expectCloseNumber(Number(parameters.get(key)?.flatten().at(-1).item()), value, 1e-4);
    model.dispose();
  });
}

/** Logits, loss and gradients in training mode, logits and features in evaluation mode. */
export function expectSameNumbers(name: string): void {
  const original = originals[name] as Original;
  torch.scope(() => {
    const model = fill(models.create(name, { numClasses: 7, imageSize: original.size })).train();
    const { batch = 2, size } = original;
    const images = ramp([batch, 3, size, size], { step: 37 });
    const logits = model.forward(images);
    const loss = nn.functional.crossEntropy(logits, torch.tensor([3, 5, 0, 6].slice(0, batch)));
    loss.backward();
    expectClose(logits, original.logits, 1e-9);
    expectCloseNumber(Number(loss.item()), original.loss, 1e-9);
    const parameters = new Map(model.namedParameters());
    for (const [key, norm] of Object.entries(original.gradients))
      expectCloseNumber(Number(parameters.get(key)?.grad?.norm().item()), norm, 1e-9);
    for (const [key, { grad, shape }] of parameters) expect([key, grad?.shape]).toEqual([key, shape]);
    const evaluated = torch.noGrad(() => model.eval().forwardFeatures(images));
    expectClose(evaluated.logits, original.evaluated, 1e-9);
    if (original.stages) {
      const norms = torch.stack(evaluated.stages.map((stage) => stage.norm()));
      expectClose(norms, original.stages, 1e-9);
      expectCloseNumber(Number(evaluated.pooled.norm().item()), original.pooled as number, 1e-9);
    }
    model.dispose();
  });
}
