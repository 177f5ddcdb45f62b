import { describe, expect, it } from 'vitest';
import { type AnalysisSetup, analyze } from '../../src/analysis/index.js';
import type { Dataset } from '../../src/data/dataset.js';
import { ConfigError } from '../../src/errors.js';
import type { Features } from '../../src/flow.js';
import torch, { type Tensor } from '../../src/torch.js';
import { expectCloseNumber } from '../helpers/compare.js';
import { fixture, ramp } from '../helpers/inputs.js';

type Numbers = Record<string, number | null>;
interface Network {
  accuracy: number;
  classAccuracy: number[];
  confusion: number[][];
  calibrationError: number;
  binCounts: number[];
  classCounts: number[][];
}
const expected = fixture<{
  sizes: { n: number; k: number; cS: number; cT: number };
  labels: number[];
  overall: Numbers;
  overallWide: Numbers;
  classes: Numbers[];
  cka: number;
  ckaWide: number;
  teacher: Network;
  student: Network;
}>('analysis');
const { n, k, cS, cT } = expected.sizes;

const set = { images: new Uint8Array(n * 4), labels: Uint8Array.from(expected.labels) };
const data: Dataset = {
  source: 'made',
  classes: Array.from({ length: k }, (_, i) => `class ${i}`),
  channels: 1,
  height: 2,
  width: 2,
  mean: [0],
  std: [1],
  augment: { pad: 0, flip: false },
  train: set,
  test: set,
};

/** Networks that give these logits and features, whatever the images. */
function networks(zS: Tensor, hS: Tensor, zT: Tensor, hT: Tensor): Pick<AnalysisSetup, 'student' | 'teacher'> {
  const give = (logits: Tensor, pooled: Tensor) => (): Features => ({ logits, pooled, stages: [] });
  const [numClasses] = zS.shape.slice(1) as [number];
  return {
    student: {
      numClasses,
      featureChannels: hS.shape[1] as number,
      training: false,
      forwardFeatures: give(zS, hS),
    },
    teacher: { numClasses, featureChannels: hT.shape[1] as number, forward: give(zT, hT) },
  };
}
const zS = ramp([n, k], { scale: 3, step: 211 });
const zT = ramp([n, k], { scale: 4, step: 977 });
const hS = ramp([n, cS], { step: 91, offset: 0.5 });
const hT = ramp([n, cT], { step: 57, scale: 2 });

function expectNumbers(actual: object, wanted: Numbers): void {
  for (const [name, value] of Object.entries(wanted)) {
    const found = (actual as Numbers)[name];
    if (value === null) expect([name, found]).toEqual([name, null]);
    else expectCloseNumber(found as number, value, 1e-9);
  }
}

describe('analyze()', () => {
  it('finds what numpy, PyTorch and scikit-learn find', async () => {
    const record = await analyze({ ...networks(zS, hS, zT, hT), data });
    expectNumbers(record.overall, expected.overall);
    expectCloseNumber(record.cka as number, expected.cka, 1e-9);
    for (const [label, wanted] of expected.classes.entries()) {
      const found = record.classes[label] as (typeof record.classes)[number];
      expectNumbers(found, wanted);
      expectCloseNumber(found.teacherAccuracy as number, expected.teacher.classAccuracy[label] as number, 1e-9);
      expectCloseNumber(found.studentAccuracy as number, expected.student.classAccuracy[label] as number, 1e-9);
    }
    for (const who of ['teacher', 'student'] as const) {
      const [found, wanted] = [record[who], expected[who]];
      expectCloseNumber(found.accuracy, wanted.accuracy, 1e-9);
      expect(found.confusion).toEqual(wanted.confusion);
      expectCloseNumber(found.calibration.error, wanted.calibrationError, 1e-9);
      expect(found.calibration.bins.map(({ count }) => count)).toEqual(wanted.binCounts);
      expect(found.calibration.classCounts).toEqual(wanted.classCounts);
      expect(found.confusion.map((row) => row.reduce((sum, count) => sum + count, 0))).toEqual(
        record.classes.map(({ count }) => count),
      );
    }
    expect(JSON.parse(JSON.stringify(record))).toEqual(record);
  });

  it('compares features of equal width by their squared error', async () => {
    const record = await analyze({ ...networks(zS, ramp([n, cT], { step: 43 }), zT, hT), data, split: 'train' });
    expectNumbers(record.overall, expected.overallWide);
    expectCloseNumber(record.cka as number, expected.ckaWide, 1e-9);
    expect(record.split).toBe('train');
  });

  it('finds a network equal to itself, and frees what it made', async () => {
    const same = networks(zT, hT, zT, hT);
    await analyze({ ...same, data });
    const before = torch.memory().tensors;
    const record = await analyze({ ...same, data });
    expect(torch.memory().tensors).toBe(before);
    expect(record.overall).toEqual({ count: n, agreement: 1, klDivergence: 0, logitError: 0, featureError: 0 });
    expectCloseNumber(record.cka as number, 1, 1e-12);
    expect(record.nmi.between).toBeCloseTo(1, 12);
    expect(record.nmi.teacher).toBe(record.nmi.student);
  });

  it('refuses other classes, training mode and too few images', async () => {
    const good = networks(zS, hS, zT, hT);
    const other = { ...good.teacher, numClasses: 7 };
    await expect(analyze({ ...good, teacher: other, data })).rejects.toThrow(/5, 7, and 5 in made/);
    const training = { ...good.student, training: true };
    await expect(analyze({ ...good, student: training, data })).rejects.toThrow(/student\.eval\(\)/);
    const few = { ...data, test: { images: new Uint8Array(4), labels: Uint8Array.of(0) } };
    await expect(analyze({ ...good, data: few })).rejects.toThrow(ConfigError);
  });
});
