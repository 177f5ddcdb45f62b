import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  distill,
  evaluate,
  type Features,
  Loader,
  loadStudent,
  models,
  openDataset,
  type StudentSetup,
  Teacher,
  type TrainEvent,
  train,
} from '../../src/index.js';
import torch, { nn, type Tensor } from '../../src/torch.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-options-'));
afterAll(() => rmSync(folder, { recursive: true }));
const data = await openDataset('shapes:72?test=240');

/** Without batch normalization, in float64: what is summed in another order stays equal to 1e-12. */
class Plain extends models.Classifier {
  readonly featureChannels = 6;
  readonly numClasses = 12;
  readonly conv = new nn.Conv2d(3, 6, 5, { stride: 2 });
  readonly fc = new nn.Linear(6, 12);

  forwardFeatures(images: Tensor): Features {
    const map = this.conv.forward(images.to(this.conv.weight.dtype)).tanh();
    const pooled = map.mean([2, 3]);
    return { map, pooled, logits: this.fc.forward(pooled), stages: [map] };
  }
}

async function trained(options: Partial<StudentSetup> = {}): Promise<{ student: Plain; events: TrainEvent[] }> {
  torch.manualSeed(1);
  const student = new Plain().to({ dtype: 'float64' });
  const events: TrainEvent[] = [];
  for await (const event of train({ data, student, epochs: 3, batchSize: 24, ...options })) events.push(event);
  return { student, events };
}

/** Of the student that a run left. */
async function accuracyIn(out: string) {
  const { student } = loadStudent(out);
  student.to({ memoryFormat: 'channelsLast' });
  return evaluate((images) => student.forward(images), new Loader(data, 'test', { batchSize: 200 }));
}

const difference = (a: Plain, b: Plain): number => {
  const others = new Map(b.namedParameters());
  return Math.max(
    ...[...a.namedParameters()].map(([name, p]) =>
      Number(
        p
          .sub(others.get(name) as Tensor)
          .abs()
          .max()
          .item(),
      ),
    ),
  );
};
const epochs = (events: TrainEvent[]) => events.filter((event) => event.type === 'epoch');
const end = (events: TrainEvent[]) => events.at(-1) as Extract<TrainEvent, { type: 'end' }>;

describe('options of training', () => {
  it('accumulates micro-batches to the same step', async () => {
    const whole = await trained();
    expect(difference(whole.student, (await trained({ microBatch: 24 })).student)).toBe(0);
    for (const microBatch of [8, 7])
      expect(difference(whole.student, (await trained({ microBatch })).student)).toBeLessThan(1e-12);
    expect(difference(whole.student, (await trained({ batchSize: 12 })).student)).toBeGreaterThan(1e-6);
  });

  it('clips gradients, smooths labels, warms up, and leaves norms without decay', async () => {
    const plain = await trained();
    for (const options of [
      { clipNorm: 1e-3 },
      { labelSmoothing: 0.2 },
      { warmupEpochs: 2 },
      { optimizer: 'adamw', lr: 1e-3 },
      { optimizer: 'lion', lr: 1e-4 },
      { decayNorms: false, weightDecay: 0.1 },
      { augment: false },
      { augmentation: { cutout: { length: 8 }, flip: false } },
      { augmentation: { mixup: { alpha: 0.4 } } },
    ] as const)
      expect(difference(plain.student, (await trained(options)).student)).toBeGreaterThan(1e-9);
    const { events } = await trained({ warmupEpochs: 2, schedule: 'constant', lr: 0.3 });
    expect(epochs(events).map(({ lr }) => Number(lr.toFixed(6)))).toEqual([0.1, 0.2, 0.3]);
  });

  it('computes in a narrow type where it is asked to', async () => {
    const losses: number[] = [];
    for (const precision of ['float32', 'bfloat16', 'float16'] as const) {
      const setup = { data, student: 'resnet8', epochs: 1, batchSize: 36, precision };
      for await (const event of train(setup)) if (event.type === 'epoch') losses.push(event.loss);
    }
    const [single = 0, ...narrow] = losses;
    for (const loss of narrow) {
      expect(loss).not.toBe(single);
      expect(Math.abs(loss - single) / single).toBeLessThan(0.05);
    }
  });

  it('says what share of the images was right as they were seen', async () => {
    // The first epoch of a student that does not learn: what it makes of the images as they are, counted without the
    // trainer.
    const still = { lr: 1e-30, epochs: 1, augment: false } as const;
    const { student, events } = await trained(still);
    const loader = new Loader(data, 'train', { batchSize: 72 });
    const right = torch.scope(() => {
      const { images, labels } = loader.batch(0);
      const logits = student.forward(images).tolist() as number[][];
      return (labels.tolist() as number[]).filter(
        (label, i) => logits[i]?.indexOf(Math.max(...(logits[i] ?? []))) === label,
      );
    });
    loader.dispose();
    expect(right.length).toBeGreaterThan(0);
    expect(epochs(events)[0]?.trainTop1).toBeCloseTo((100 * right.length) / 72, 10);
    const inParts = epochs((await trained({ ...still, microBatch: 7 })).events);
    expect(inParts[0]?.trainTop1).toBe(epochs(events)[0]?.trainTop1);
  });

  it('does not call mixed images right or wrong, nor a student that predicts through another classifier', async () => {
    const mixed = epochs((await trained({ epochs: 1, augmentation: { mixup: { alpha: 0.4 } } })).events);
    const teacher = Teacher.of(models.create('resnet14', { numClasses: 12 }));
    const setup = { data, teacher, student: 'resnet8', method: 'simkd', epochs: 1 };
    for await (const event of distill(setup)) if (event.type === 'epoch') mixed.push(event);
    expect(mixed.map((record) => 'trainTop1' in record)).toEqual([false, false]);
  });

  it('evaluates and keeps averaged weights', async () => {
    const out = join(folder, 'ema');
    const run = train({ data, student: 'resnet8', epochs: 2, batchSize: 24, ema: 0.5, out });
    let test: unknown;
    for await (const event of run) if (event.type === 'end') test = event.test;
    expect(await accuracyIn(out)).toEqual(test);
  });

  it('chooses by held-out images, and never shows them in training', async () => {
    const out = join(folder, 'validation');
    const events: TrainEvent[] = [];
    for await (const event of train({ data, student: 'resnet8', epochs: 4, batchSize: 12, validation: 0.25, out }))
      events.push(event);
    const records = epochs(events);
    // A quarter of the six images of each of twelve classes, rounded.
    expect(records.map(({ validation }) => validation?.count)).toEqual([24, 24, 24, 24]);
    const best = records.reduce((a, b) => ((b.validation?.top1 ?? 0) > (a.validation?.top1 ?? 0) ? b : a));
    expect(end(events)).toMatchObject({ epoch: best.epoch, test: best.test });
    expect(readFileSync(join(out, 'metrics.csv'), 'utf8').split('\n')[0]).toContain('validation_top1');
    expect(await accuracyIn(out)).toEqual(best.test);
  });

  it('evaluates some epochs and the last, and chooses among those', async () => {
    const out = join(folder, 'some');
    const events: TrainEvent[] = [];
    const setup = { data, student: 'resnet8', epochs: 5, batchSize: 24, validation: 0.25, evaluateEvery: 2, out };
    for await (const event of train(setup)) events.push(event);
    const records = epochs(events);
    expect(records.map(({ test, validation }) => [test?.count, validation?.count])).toEqual(
      [1, 2, 3, 4, 5].map((epoch) => (epoch === 1 || epoch === 3 ? [undefined, undefined] : [240, 24])),
    );
    const [second, fourth, fifth] = records.filter(({ test }) => test);
    const top1 = (record?: (typeof records)[number]) => record?.validation?.top1 ?? 0;
    const best = [fourth, fifth].reduce((a, b) => (top1(b) > top1(a) ? b : a), second);
    expect(end(events)).toMatchObject({ epoch: best?.epoch, test: best?.test });
    expect(await accuracyIn(out)).toEqual(best?.test);
    const rows = readFileSync(join(out, 'metrics.csv'), 'utf8').trim().split('\n');
    const [head = [], ...cells] = rows.map((row) => row.split(','));
    expect(new Set(cells.map(({ length }) => length))).toEqual(new Set([head.length]));
    for (const name of ['validation_top1', 'validation_top5', 'top1', 'top5', 'test_loss'])
      expect(cells.map((row) => row[head.indexOf(name)] !== '')).toEqual([false, true, false, true, true]);
  });

  it('ends early after an evaluation only, and says where the last whole epoch was not evaluated', async () => {
    const early = await trained({ epochs: 40, validation: 0.25, earlyStop: 1, evaluateEvery: 3, lr: 1e-9 });
    expect(end(early.events).stopped).toBe('early stop');
    expect(epochs(early.events).length % 3).toBe(0);
    const run = train({ data, student: 'resnet8', epochs: 4, batchSize: 24, evaluateEvery: 4 });
    let kept: TrainEvent | undefined;
    for await (const event of run) {
      if (event.type === 'epoch') run.stop();
      kept = event;
    }
    expect(kept).toMatchObject({ type: 'end', stopped: 'asked', epoch: 1, test: { count: 0 } });
  });

  it('keeps the averaged weights of the best epoch where both are asked for', async () => {
    const out = join(folder, 'both');
    let kept: unknown;
    const setup = { data, student: 'resnet8', epochs: 4, batchSize: 12, validation: 0.25, ema: 0.8, out };
    for await (const event of train(setup)) if (event.type === 'end') kept = event.test;
    expect(await accuracyIn(out)).toEqual(kept);
  });

  it('leaves the student of the last whole epoch when it is stopped within one', async () => {
    const out = join(folder, 'within');
    const run = train({ data, student: 'resnet8', epochs: 4, batchSize: 12, out });
    let kept: Extract<TrainEvent, { type: 'end' }> | undefined;
    for await (const event of run) {
      if (event.type === 'step' && event.step === 9) run.stop();
      if (event.type === 'end') kept = event;
    }
    expect(kept).toMatchObject({ epoch: 1, stopped: 'asked' });
    expect(await accuracyIn(out)).toEqual(kept?.test);
  });

  it('refuses to choose by images that nobody held out', async () => {
    for (const options of [{ best: 'validation' }, { earlyStop: 2 }] as const)
      await expect(trained(options)).rejects.toThrow(/--validation 0\.1/);
  });

  it('writes nothing in a dry run', async () => {
    const out = join(folder, 'dry');
    for await (const _event of train({ data, student: 'resnet8', epochs: 2, dryRun: true, out }));
    expect(existsSync(out)).toBe(false);
  });

  it('stops early, by the clock, or before the first step', async () => {
    const early = await trained({ epochs: 40, validation: 0.25, earlyStop: 1, lr: 1e-9 });
    expect(end(early.events).stopped).toBe('early stop');
    expect(epochs(early.events).length).toBeLessThan(5);
    expect(end((await trained({ epochs: 1000, timeBudget: 0.005 })).events).stopped).toBe('time budget');
    const dry = await trained({ dryRun: true });
    expect(dry.events.map(({ type }) => type)).toEqual(['start', 'end']);
    torch.manualSeed(1);
    expect(difference(dry.student, new Plain().to({ dtype: 'float64' }))).toBe(0);
  });

  it('takes the statistics of a skipped step back', async () => {
    class Failing extends Plain {
      readonly bn = new nn.BatchNorm2d(3);
      forwards = 0;

      override forwardFeatures(images: Tensor): Features {
        // The second training step goes wrong in front of the normalization.
        const wrong = this.training && ++this.forwards === 3;
        return super.forwardFeatures(this.bn.forward(wrong ? images.mul(Number.NaN) : images));
      }
    }
    const student = new Failing();
    const notices: string[] = [];
    for await (const event of train({ data, student, epochs: 1, batchSize: 24, onNonFinite: 'skip' }))
      if (event.type === 'notice') notices.push(event.message);
    expect(notices).toEqual(['step 2 was skipped: the term ce is NaN or Inf']);
    expect(student.bn.running_mean.isfinite().all().item()).toBe(true);
    expect(Number(student.bn.num_batches_tracked.item())).toBe(2);
  });

  it('skips steps with NaN or Inf when asked to', async () => {
    const poisoned = { ...data, std: [1e-45, 0.25, 0.25] };
    const events: TrainEvent[] = [];
    const setup = { data: poisoned, student: 'resnet8', epochs: 1, batchSize: 36, onNonFinite: 'skip' } as const;
    for await (const event of train(setup)) events.push(event);
    expect(events.filter(({ type }) => type === 'notice').map((event) => 'message' in event && event.message)).toEqual([
      'step 1 was skipped: the term ce is NaN or Inf',
      'step 2 was skipped: the term ce is NaN or Inf',
    ]);
  });
});
