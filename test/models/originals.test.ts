import { describe, expect, it } from 'vitest';
import { models } from '../../src/index.js';
import { loadPth, type Tensor } from '../../src/torch.js';
import { fixturePath } from '../helpers/inputs.js';
import { expectSameFacts, expectSameNumbers, large, originals } from './originals.js';

it('has the original of every network', () => {
  expect(models.list().filter((name) => !originals[name])).toEqual([]);
});

describe.each(Object.keys(originals))('%s', (name) => {
  it('has the names, parameters and initial weights of the original', () => expectSameFacts(name));
  it.skipIf(large.includes(name))('computes and learns as the original in float64', () => expectSameNumbers(name));
});

it('loads a state dict of torchvision by its names', async () => {
  const state = (await loadPth(fixturePath('resnet18.pth'))) as Record<string, Tensor>;
  const model = models.create('resnet18', { numClasses: 1000 });
  expect(Object.keys(model.stateDict())).toEqual(Object.keys(state));
  expect(model.loadStateDict(state)).toEqual({ missingKeys: [], unexpectedKeys: [] });
  expect(Number(model.stateDict()['layer4.1.bn2.running_var']?.mean().item())).toBe(0.5);
});
