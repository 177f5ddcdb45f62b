import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { type AnalysisSetup, analyze } from '../../src/analysis/index.js';
import type { Dataset } from '../../src/data/dataset.js';
import { ConfigError } from '../../src/errors.js';
import type { Features } from '../../src/flow.js';
import torch, { type Tensor } from '../../src/torch.js';
import { expectCloseNumber } from '../helpers/compare.js';
import { fixture, ramp } from '../helpers/inputs.js';
import { tinyData } from '../helpers/tiny-data.js';

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

// The first two pixels of an image say which one it is.
const pixels = Uint8Array.from({ length: n * 4 }, (_, i) => [(i >> 2) % 256, i >> 10, i * 7, i * 31][i % 4] as number);
const set = { images: pixels, labels: Uint8Array.from(expected.labels) };
const data = tinyData(set, k);

/** Networks that give image i row i of these logits and features. */
function networks(zS: Tensor, hS: Tensor, zT: Tensor, hT: Tensor): Pick<AnalysisSetup, 'student' | 'teacher'> {
  const give =
    (logits: Tensor, pooled: Tensor) =>
    (images: Tensor): Features => {
      const bytes = images.mul(255).round().to('int64').flatten(1);
      const rows = bytes.select(1, 0).add(bytes.select(1, 1).mul(256));
      return { logits: logits.indexSelect(0, rows), pooled: pooled.indexSelect(0, rows), stages: [] };
    };
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

const decoded = (uri = '') =>
  sharp(Buffer.from(uri.replace(/^data:image\/webp;base64,/, ''), 'base64'))
    .raw()
    .toBuffer({ resolveWithObject: true });

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
    const record = await analyze({ ...same, data, batchSize: 64 });
    expect(torch.memory().tensors).toBe(before);
    expect(record.overall).toEqual({ count: n, agreement: 1, klDivergence: 0, logitError: 0, featureError: 0 });
    expectCloseNumber(record.cka as number, 1, 1e-12);
    expect(record.nmi.between).toBeCloseTo(1, 12);
    expect(record.nmi.teacher).toBe(record.nmi.student);
  });

  it('shows the firmest mistakes and hits of each class, with the pixels of the data', async () => {
    // Rows of a ramp differ by a constant, so confidences would tie but for rounding; factors keep them apart.
    const sharp = zS.mul(ramp([n, 1], { scale: 0.3, offset: 1, step: 577 }));
    const { classes, examples } = await analyze({ ...networks(sharp, hS, zT, hT), data, batchSize: 128 });
    const verdicts = [sharp, zT].map((logits) =>
      (logits.tolist() as number[][]).map((row) => {
        const most = Math.max(...row);
        const sum = row.reduce((all, z) => all + Math.exp(z - most), 0);
        return { predicted: row.indexOf(most), confidence: 1 / sum };
      }),
    );
    const [student = [], teacher = []] = verdicts;
    const ofClass = (label: number, right: boolean) =>
      student
        .flatMap((verdict, sample) => (expected.labels[sample] === label ? [{ ...verdict, sample }] : []))
        .filter(({ predicted }) => (predicted === label) === right)
        .sort((a, b) => b.confidence - a.confidence || a.sample - b.sample)
        .slice(0, 3)
        .map(({ sample }) => sample);
    const ranked = classes
      .map(({ studentAccuracy }, label) => ({ label, accuracy: studentAccuracy as number }))
      .sort((a, b) => a.accuracy - b.accuracy);
    expect(examples.map(({ sample }) => sample)).toEqual(
      ranked.flatMap(({ label }) => [...ofClass(label, false), ...ofClass(label, true)]),
    );
    expect(examples.length).toBeGreaterThan(20);
    for (const { sample, label, image, ...said } of examples) {
      expect(label).toBe(expected.labels[sample]);
      for (const [who, known] of [['student', student] as const, ['teacher', teacher] as const]) {
        expect(said[who].predicted).toBe(known[sample]?.predicted);
        expect(said[who].confidence).toBeCloseTo(known[sample]?.confidence as number, 12);
      }
      const { data: shown, info } = await decoded(image);
      expect([info.width, info.height]).toEqual([2, 2]);
      expect([...shown].filter((_, i) => i % info.channels === 0)).toEqual([
        ...pixels.subarray(sample * 4, sample * 4 + 4),
      ]);
    }
  });

  it('shows colors as they are, large images smaller, and nothing of what is not a picture', async () => {
    const numClasses = 24;
    const made = (channels: number, height: number, width: number): Dataset => {
      const size = channels * height * width;
      const images = Uint8Array.from({ length: numClasses * 2 * size }, (_, i) => (i * 13 + (i >> 7)) % 256);
      const labels = Uint8Array.from({ length: numClasses * 2 }, (_, i) => i % numClasses);
      const split = { images, labels };
      const [mean, std] = [new Array(channels).fill(0.5), new Array(channels).fill(0.25)];
      return {
        ...data,
        classes: [...labels.slice(0, numClasses)].map(String),
        channels,
        mean,
        std,
        height,
        width,
        train: split,
        test: split,
      };
    };
    // Every other class is never found.
    const logits = torch.eye(numClasses).mul(torch.arange(numClasses).remainder(2)).repeat(2, 1);
    const rows = () => ({ logits, pooled: logits, stages: [] });
    const contract = { numClasses, featureChannels: numClasses };
    const both = {
      student: { ...contract, training: false, forwardFeatures: rows },
      teacher: { ...contract, forward: rows },
    };
    const small = made(3, 8, 10);
    const { examples } = await analyze({ ...both, data: small });
    // Ten of the classes that are never found and ten of those that always are, two images each.
    expect(examples.map(({ label, student }) => student.predicted === label)).toEqual(
      Array.from({ length: 40 }, (_, i) => i >= 20),
    );
    for (const { sample, image } of examples) {
      const { data: shown } = await decoded(image);
      const planes = (small.test as { images: Uint8Array }).images.subarray(sample * 240, sample * 240 + 240);
      expect([...shown]).toEqual(Array.from({ length: 240 }, (_, i) => planes[(i % 3) * 80 + Math.floor(i / 3)]));
    }
    const [large] = (await analyze({ ...both, data: made(3, 120, 60) })).examples;
    expect((await decoded(large?.image)).info).toMatchObject({ width: 48, height: 96 });
    expect((await analyze({ ...both, data: made(2, 8, 8) })).examples).toEqual([]);
  });

  it('refuses other classes, training mode and too few images', async () => {
    const good = networks(zS, hS, zT, hT);
    const other = { ...good.teacher, numClasses: 7 };
    await expect(analyze({ ...good, teacher: other, data })).rejects.toThrow(/5, 7, and 5 in made/);
    const training = { ...good.student, training: true };
    await expect(analyze({ ...good, student: training, data })).rejects.toThrow(/student\.eval\(\)/);
    const few = { ...data, test: { images: new Uint8Array(4), labels: Uint8Array.of(0) } };
    await expect(analyze({ ...good, data: few })).rejects.toThrow(ConfigError);
    await expect(analyze({ ...good, data, split: 'validation' })).rejects.toThrow(/no validation split.*holdOut/);
  });
});
