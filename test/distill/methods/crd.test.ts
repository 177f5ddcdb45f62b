import { describe, expect, it } from 'vitest';
import { Contrast, NegativeSampler, noiseContrastiveLoss } from '../../../src/distill/contrast.js';
import { ConfigError, CRD } from '../../../src/index.js';
import torch, { type nn, type Tensor } from '../../../src/torch.js';
import { expectClose, expectCloseNumber } from '../../helpers/compare.js';
import { ramp } from '../../helpers/inputs.js';
import { check, expected, fill, settingOf, studentFeatures, teacherFeatures, valuesOf, weightsOf } from './cases.js';

const options = { samples: 11, dim: 5, temperature: 0.07, momentum: 0.5 };

describe('the contrastive loss', () => {
  it('value, gradients and memory banks of two steps against PyTorch', () => {
    const contrast = new Contrast(6, 8, options);
    fill(contrast);
    contrast.student.bank.copy_(ramp([11, 5], { step: 71 }));
    contrast.teacher.bank.copy_(ramp([11, 5], { step: 73 }));
    const [student, teacher] = [studentFeatures([]), teacherFeatures([])];
    const { indices, negatives, steps } = expected.crd;
    for (const [i, step] of steps.entries()) {
      const loss = contrast.forward(
        student.pooled,
        teacher.pooled,
        torch.tensor(indices[i] as number[]),
        torch.tensor(negatives[i] as number[][]),
      );
      contrast.zeroGrad();
      check({ weight: 1, value: loss }, step, student, contrast);
      expectClose(contrast.student.bank, step.banks.student as number[], 1e-9);
      expectClose(contrast.teacher.bank, step.banks.teacher as number[], 1e-9);
    }
  });

  it('is least where the positive scores highest', () => {
    const loss = (...scores: number[]) => Number(noiseContrastiveLoss(torch.tensor([scores]), 10).item());
    expect(loss(5, 0.1, 0.1)).toBeLessThan(loss(1, 0.1, 0.1));
    expect(loss(1, 0.1, 0.1)).toBeLessThan(loss(1, 2, 2));
    // One negative of 10 samples: the noise is 1/10.
    expectCloseNumber(loss(0.3, 0.4), -Math.log(0.3 / 0.4) - Math.log(0.1 / 0.5), 1e-6);
  });

  it('keeps its banks with the modules: they are saved, and not trained', () => {
    const contrast = new Contrast(6, 8, options);
    expect(Object.keys(contrast.stateDict())).toEqual([
      'student.bank',
      'student.normalizer',
      'student.embed.weight',
      'student.embed.bias',
      'teacher.bank',
      'teacher.normalizer',
      'teacher.embed.weight',
      'teacher.embed.bias',
    ]);
    expect([...contrast.namedParameters()].map(([name]) => name)).toEqual(
      Object.keys(contrast.stateDict()).filter((name) => name.includes('embed')),
    );
    const bound = Math.sqrt(3 / 5);
    const largest = Number(contrast.student.bank.abs().max().item());
    expect(largest).toBeGreaterThan(0.8 * bound);
    expect(largest).toBeLessThanOrEqual(bound);
  });

  it('continues from a checkpoint as if there had been none', () => {
    torch.manualSeed(1);
    const [one, two] = [new Contrast(6, 8, options), new Contrast(6, 8, options)];
    const step = (contrast: Contrast, i: number): number => {
      const [hS, hT] = [
        torch
          .ones([2, 6])
          .mul(i + 0.3)
          .cos(),
        torch.ones([2, 8]).mul(i).sin(),
      ];
      const negatives = torch.tensor([
        [5, 6],
        [7, 8],
      ]);
      return Number(contrast.forward(hS, hT, torch.tensor([i, i + 1]), negatives).item());
    };
    step(one, 1);
    two.loadStateDict(one.stateDict());
    expect(step(two, 2)).toBe(step(one, 2));
    expect(step(two, 3)).toBe(step(one, 3));
  });
});

describe('negatives', () => {
  const labels = Uint8Array.from({ length: 40 }, (_, i) => [2, 0, 4, 4, 0][i % 5] as number);

  it('are uniform over the samples of all other classes, and never of the own', () => {
    torch.manualSeed(2);
    const sampler = new NegativeSampler(labels);
    const draws = 20000;
    const classes = [0, 2, 4, 4];
    const drawn = sampler.draw(torch.tensor(classes), draws);
    expect([drawn.shape, drawn.dtype]).toEqual([[4, draws], 'int64']);
    for (const [row, own] of classes.entries()) {
      const counts = [...(torch.bincount(drawn.select(0, row), { minlength: 40 }).toTypedArray() as BigInt64Array)].map(
        Number,
      );
      const allowed = [...labels].filter((label) => label !== own).length;
      const mean = draws / allowed;
      for (const [sample, count] of counts.entries()) {
        if (labels[sample] === own) expect(count).toBe(0);
        // Six standard deviations of a binomial count.
        else expect(Math.abs(count - mean)).toBeLessThan(6 * Math.sqrt(mean));
      }
    }
    expect(drawn.select(0, 2).equal(drawn.select(0, 3))).toBe(false);
    sampler.dispose();
  });

  it('come from the default generator', () => {
    const sampler = new NegativeSampler(labels);
    const draw = (seed: number) => {
      torch.manualSeed(seed);
      return sampler.draw(torch.tensor([0, 2]), 50);
    };
    expect(draw(3).equal(draw(3))).toBe(true);
    expect(draw(3).equal(draw(4))).toBe(false);
  });

  it('need two classes', () => {
    expect(() => new NegativeSampler(Uint8Array.of(3, 3, 3))).toThrow(ConfigError);
    const setting = { ...settingOf({}), trainLabels: Uint8Array.of(1, 1) };
    expect(() => new CRD().setUp(setting)).toThrow(/all training samples are of one/);
  });
});

describe('CRD', () => {
  it('is as long as the training data, and trains both embeddings', () => {
    torch.manualSeed(3);
    const objective = new CRD({ negatives: 6, dim: 12 }).setUp(settingOf({}));
    const contrast = objective.modules.contrast as Contrast;
    expect(contrast.student.bank.shape).toEqual([4, 12]);
    contrast.to({ dtype: 'float64' });
    const before = contrast.student.bank.clone();
    const student = studentFeatures([]);
    const terms = objective.terms(valuesOf(student, teacherFeatures([])));
    expect(weightsOf(terms)).toEqual({ ce: 1, crd: 0.8 });
    terms.crd?.value.backward();
    for (const parameter of [...(contrast as nn.Module).parameters(), student.pooled])
      expect(Number((parameter.grad as Tensor).abs().sum().item())).toBeGreaterThan(0);
    expect(contrast.student.bank.equal(before)).toBe(false);
    objective.dispose?.();
  });

  it('leaves nothing behind when it is disposed of', () => {
    const before = torch.memory().tensors;
    torch.scope(() => {
      const { modules, dispose } = new CRD({ negatives: 6 }).setUp(settingOf({}));
      for (const module of Object.values(modules)) module.dispose();
      dispose?.();
    });
    expect(torch.memory().tensors).toBe(before);
  });
});
