/**
 * Steps that a device repeats as one graph are those that are done one by one, also where NaN turns up, and the host
 * waits for none of them.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { weightBytes } from '../../src/distill/saved-student.js';
import {
  DeviceLostError,
  type DistillSetup,
  DivergenceError,
  distill,
  type Features,
  type Method,
  models,
  NativeError,
  OutOfMemoryError,
  openDataset,
  Teacher,
  type TrainEvent,
} from '../../src/index.js';
import { DeviceGraph, hostTraffic } from '../../src/tensor/index.js';
import torch, { loadSafetensors, nn, type Tensor } from '../../src/torch.js';
import { DeviceSteps } from '../../src/train/device-steps.js';
import { LateNumber } from '../../src/train/late-number.js';
import { addDevice, device, isMock, isThere } from '../helpers/device.js';

addDevice();

const folder = mkdtempSync(join(tmpdir(), 'srrl-whole-step-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

const data = await openDataset('shapes:72?test=12');
torch.manualSeed(3);
const teacher = Teacher.of(models.create('resnet14', { numClasses: 12 }).to({ device }), 'resnet14');

/**
 * Its loss is NaN, or only a gradient is, or a gradient overflows in float16, for a batch with image 30, which no step
 * but one of an epoch has.
 */
const method = (what: 'loss' | 'gradient' | 'overflow') =>
  ({
    name: 'sometimes',
    options: {},
    setUp: () => ({
      modules: {},
      terms: ({ student, labels, indices }: { student: Features; labels: Tensor; indices: Tensor }) => {
        const bad = indices.eq(30).any().to('float32');
        const loss = nn.functional.crossEntropy(student.logits, labels);
        // The slope of a root is infinite at 0, and times 0 NaN.
        const value = {
          loss: () => loss.div(bad.rsub(1)),
          gradient: () => loss.add(loss.mul(bad.rsub(1)).sqrt().mul(0)),
          overflow: () => loss.add(student.logits.sum().mul(bad.mul(10))),
        }[what]();
        return { loss: { weight: 1, value }, other: { weight: 0, value: loss.detach().mul(2) } };
      },
    }),
  }) as unknown as Method;

/** Without graphs of evaluations, which begin with the second one. */
const trained = { evaluateEvery: 100 } as const;
const common = { student: 'resnet8', teacher, data, batchSize: 6, lr: 0.01, device, deterministic: true } as const;

async function all(options: Partial<DistillSetup>): Promise<TrainEvent[]> {
  const list: TrainEvent[] = [];
  for await (const event of distill({ ...common, ...options })) list.push(event);
  return list;
}

const notices = (list: TrainEvent[]) =>
  list.flatMap((event) => (event.type === 'notice' && /step/.test(event.message) ? [event.message] : []));

/** What an epoch came to, but for the time that it took. */
const epochs = (list: TrainEvent[]) =>
  list.flatMap((event) => {
    if (event.type !== 'epoch') return [];
    const { seconds: _seconds, imagesPerSecond: _speed, ...rest } = event;
    return [rest];
  });

const optimizers: [string, Partial<DistillSetup>][] = [
  ['SGD', {}],
  ['AdamW, averages and clipping', { optimizer: 'adamw', lr: 1e-3, ema: 0.9, clipNorm: 1 }],
  ['Lion', { optimizer: 'lion', lr: 1e-4, weightDecay: 0.1 }],
];

describe.runIf(isThere)('steps that are repeated', () => {
  it.each(optimizers)('skip what has NaN as steps one by one do: %s', async (_, options) => {
    for (const what of ['loss', 'gradient'] as const) {
      const run = (recordSteps: boolean) =>
        all({ ...options, method: method(what), epochs: 2, onNonFinite: 'skip', recordSteps });
      const [repeated, alone] = [await run(true), await run(false)];
      expect(notices(alone)).toHaveLength(2);
      expect(notices(alone)[0]).toMatch(what === 'loss' ? /the term loss is NaN or Inf/ : /a gradient is NaN or Inf/);
      expect(notices(repeated)).toEqual(notices(alone));
      if (isMock) expect(epochs(repeated)).toEqual(epochs(alone));
    }
  });

  it.each(optimizers)('stop at the same step with the same weights: %s', async (_, options) => {
    const run = async (recordSteps: boolean) => {
      const out = join(folder, `${options.optimizer ?? 'sgd'}-${recordSteps}`);
      const error = await all({ ...options, method: method('loss'), epochs: 2, recordSteps, out }).catch((e) => e);
      expect(error).toBeInstanceOf(DivergenceError);
      const { step, term, checkpoint } = error as DivergenceError;
      const { tensors } = loadSafetensors(checkpoint as string);
      return { step, term, tensors };
    };
    const [repeated, alone] = [await run(true), await run(false)];
    expect([repeated.step, repeated.term]).toEqual([alone.step, alone.term]);
    expect(alone.step).toBeGreaterThan(3);
    expect(Object.keys(repeated.tensors)).toEqual(Object.keys(alone.tensors));
    for (const [name, tensor] of Object.entries(alone.tensors))
      if (isMock) expect(repeated.tensors[name]?.equal(tensor), name).toBe(true);
  });

  it('are judged at a later look as at once, where steps are quick', async () => {
    // Without a clock that moves, steps take no time, so that each look is about the steps up to the one before.
    vi.spyOn(performance, 'now').mockReturnValue(0);
    const read = vi.spyOn(LateNumber.prototype, 'read');
    for (const onNonFinite of ['skip', 'stop'] as const) {
      const run = async (recordSteps: boolean) => {
        const out = join(folder, `late-${onNonFinite}-${recordSteps}`);
        const options = { ...trained, method: method('loss'), epochs: 2, ema: 0.9, onNonFinite, recordSteps, out };
        const list = await all(options).catch((error) => error);
        if (onNonFinite === 'skip')
          return { weights: weightBytes(join(out, 'student.safetensors')), list: notices(list) };
        const { step, checkpoint } = list as DivergenceError;
        const { tensors } = loadSafetensors(checkpoint as string);
        return { step, tensors: Object.values(tensors).map((tensor) => tensor.tolist()) };
      };
      read.mockClear();
      const repeated = await run(true);
      expect(read.mock.calls.length).toBeGreaterThan(1);
      const alone = await run(false);
      if (isMock) expect(repeated).toEqual(alone);
    }
  });

  it('ask the host for nothing between two looks', async () => {
    // Without a clock that moves, twice as many steps follow after each look.
    vi.spyOn(performance, 'now').mockReturnValue(0);
    const look = vi.spyOn(DeviceSteps.prototype, 'look');
    const replay = vi.spyOn(DeviceGraph.prototype, 'replay');
    const seen: { looks: number; traffic: number }[] = [];
    replay.mockImplementation(function (this: DeviceGraph) {
      seen.push({ looks: look.mock.calls.length, traffic: hostTraffic.count });
    });
    const steps: number[] = [];
    for await (const event of distill({ ...common, ...trained, method: 'srrl', epochs: 4, ema: 0.9, clipNorm: 1 }))
      if (event.type === 'step') steps.push(event.step);
    expect(seen).toHaveLength(46);
    const between = seen.slice(1).flatMap(({ looks, traffic }, i) => {
      const before = seen[i] as (typeof seen)[number];
      return looks === before.looks ? [traffic - before.traffic] : [];
    });
    expect(between.length).toBeGreaterThan(30);
    expect(new Set(between)).toEqual(new Set([0]));
    // Two steps one by one; looks after 1, 2, 2 and 4 replays, all but the first for the steps up to the look before;
    // and at the end of each epoch, for all.
    expect(steps).toEqual([1, 2, 3, 5, 7, 12, 24, 36, 48]);
  });

  it.each(['dkd', 'review-kd', 'srrl'])('are captured once, whatever epoch and schedule say: %s', async (name) => {
    const record = vi.spyOn(DeviceGraph, 'record');
    // A captured step of ReviewKD keeps gradients that are otherwise added to in place, in another layout, whose sums
    // are rounded otherwise: its weights stay where they are, so that no step carries that on.
    const lr = name === 'review-kd' ? 1e-9 : 0.01;
    const options = { ...trained, method: name, epochs: 3, lr, schedule: 'cosine', warmupEpochs: 1 } as const;
    const repeated = epochs(await all(options));
    expect(record).toHaveBeenCalledTimes(1);
    record.mockClear();
    const alone = epochs(await all({ ...options, recordSteps: false }));
    expect(record).not.toHaveBeenCalled();
    if (isMock) expect(repeated).toEqual(alone);
    for (const [i, { loss }] of alone.entries())
      expect(Math.abs((repeated[i]?.loss as number) - loss)).toBeLessThan(1e-3 * loss);
  });

  it('have the features that a method looks at, also where these change with the epoch', async () => {
    const changing = {
      name: 'changing',
      options: {},
      needsTeacher: true,
      setUp: () => ({
        modules: {},
        terms: ({ student, teacher, epoch }: { student: Features; teacher: Features; epoch: number }) => {
          const of = ({ logits, pooled, stages }: Features) =>
            epoch === 1 ? logits.mean(1) : epoch === 2 ? pooled.mean(1) : (stages[1] as Tensor).mean([1, 2, 3]);
          return { loss: { weight: 1, value: nn.functional.mseLoss(of(student), of(teacher)) } };
        },
      }),
    } as unknown as Method;
    const record = vi.spyOn(DeviceGraph, 'record');
    const run = async (recordSteps: boolean) =>
      epochs(await all({ ...trained, method: changing, epochs: 4, recordSteps }));
    const captured = await run(true);
    expect(record).toHaveBeenCalledTimes(4);
    const alone = await run(false);
    if (isMock) expect(captured).toEqual(alone);
  });

  it.each<[string, Partial<DistillSetup>]>([
    ['the last batch of an epoch', { batchSize: 16 }],
    ['batches in parts', { batchSize: 16, microBatch: 6 }],
  ])('are %s as well, as soon as two of them were sound', async (_, options) => {
    const replay = vi.spyOn(DeviceGraph.prototype, 'replay');
    for (const own of [
      { method: 'srrl', clipNorm: 1 },
      { method: method('loss'), onNonFinite: 'skip', ema: 0.9 },
    ] as const) {
      replay.mockClear();
      const run = (recordSteps: boolean) => all({ ...options, ...own, epochs: 5, recordSteps });
      const repeated = await run(true);
      // 25 steps: two of each size come first; a step with NaN among these does not count.
      expect(replay.mock.calls.length).toBeGreaterThanOrEqual(20);
      const alone = await run(false);
      expect(notices(repeated)).toEqual(notices(alone));
      if (isMock) expect(epochs(repeated)).toEqual(epochs(alone));
    }
  });

  it.each(['bfloat16', 'float16'] as const)('are those one by one in %s, also with overflows', async (precision) => {
    const options = {
      ...trained,
      method: 'srrl',
      precision,
      epochs: 2,
      optimizer: 'adamw',
      lr: 1e-3,
      ema: 0.9,
      clipNorm: 1,
    } as const;
    const unsound = { method: method('loss'), onNonFinite: 'skip' } as const;
    for (const [name, own] of Object.entries({ srrl: {}, unsound, overflow: { method: method('overflow') } })) {
      const record = vi.spyOn(DeviceGraph, 'record');
      const run = async (recordSteps: boolean) => {
        const out = join(folder, `${precision}-${name}-${recordSteps}`);
        const list = await all({ ...options, ...own, out, recordSteps });
        const last = readdirSync(out)
          .filter((file) => file.startsWith('checkpoint'))
          .sort()
          .at(-1) as string;
        const { scaler } = JSON.parse(loadSafetensors(join(out, last)).metadata.checkpoint as string);
        return { list, scale: scaler?.scale };
      };
      const repeated = await run(true);
      expect(record).toHaveBeenCalledTimes(1);
      const alone = await run(false);
      expect(notices(repeated.list)).toEqual(notices(alone.list));
      expect(repeated.scale).toBe(alone.scale);
      if (precision === 'float16') expect(alone.scale).toBe(name === 'overflow' ? 65536 / 4 : 65536);
      if (isMock) expect(epochs(repeated.list)).toEqual(epochs(alone.list));
      record.mockRestore();
    }
  });

  it('go through in smaller parts where there is no memory to capture them', async () => {
    const record = vi.spyOn(DeviceGraph, 'record').mockImplementation(() => {
      throw new OutOfMemoryError('CUDA out of memory');
    });
    const list = await all({ method: 'srrl', epochs: 1, batchSize: 8, microBatch: 8 }).catch((error: unknown) => error);
    expect(list).toBeInstanceOf(OutOfMemoryError);
    record.mockRestore();
    let tries = 0;
    const real = DeviceGraph.record.bind(DeviceGraph);
    vi.spyOn(DeviceGraph, 'record').mockImplementation((...args) => {
      // The teacher next to the student, the teacher in the step, and then in two parts.
      if (tries++ < 2) throw new OutOfMemoryError('CUDA out of memory');
      return real(...args);
    });
    const events = await all({ method: 'srrl', epochs: 2, batchSize: 8 });
    expect(notices(events)).toEqual([]);
    expect(events).toContainEqual({
      type: 'notice',
      message: expect.stringMatching(/from now on 4 images go through/),
    });
    expect(tries).toBeGreaterThan(2);
    expect(epochs(events)).toHaveLength(2);
  });

  it('end with the newest checkpoint named where the device fails for good', async () => {
    const out = join(folder, 'lost');
    let calls = 0;
    const replay = vi.spyOn(DeviceGraph.prototype, 'replay').mockImplementation(() => {
      if (++calls === 14) throw new NativeError('graphReplay: CUDA error: an illegal memory access was encountered');
    });
    const error = await all({ method: 'srrl', epochs: 2, out }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DeviceLostError);
    const { checkpoint, message } = error as DeviceLostError;
    expect(checkpoint).toBe(join(out, 'checkpoint-000000012.safetensors'));
    expect(message).toMatch(
      /failed: .*illegal memory access.*\nThe newest checkpoint is .*resume the run with --resume/,
    );
    replay.mockRestore();
    const resumed = await all({ method: 'srrl', epochs: 2, out, resume: true });
    expect(resumed).toContainEqual(expect.objectContaining({ type: 'start', resumedAt: 12 }));
  });

  it('resume bit-exactly in the middle of an epoch', async () => {
    const weights = (out: string) => weightBytes(join(out, 'student.safetensors'));
    const [whole, parts] = [join(folder, 'whole'), join(folder, 'parts')];
    const options = { method: 'srrl', epochs: 2, optimizer: 'adamw', lr: 1e-3, ema: 0.9 } as const;
    await all({ ...options, out: whole });
    const stop = new AbortController();
    const run = distill({ ...common, ...options, out: parts, signal: stop.signal });
    await expect(async () => {
      for await (const event of run) if (event.type === 'step' && event.step >= 17) stop.abort();
    }).rejects.toThrow();
    await all({ ...options, out: parts, resume: true });
    expect(weights(parts).equals(weights(whole))).toBe(true);
  });
});

describe.runIf(isThere)('the teacher', () => {
  it('is a batch ahead, and runs in the step itself where it cannot go next to it', async () => {
    const options = { method: 'srrl', epochs: 2 } as const;
    const aside = vi.spyOn(DeviceGraph.prototype, 'aside');
    const ahead = epochs(await all(options));
    expect(aside).toHaveBeenCalledTimes(1);
    aside.mockImplementation(() => {
      throw new Error('no second stream');
    });
    const list = await all(options);
    expect(aside).toHaveBeenCalledTimes(2);
    expect(notices(list)).toEqual([]);
    if (isMock) expect(epochs(list)).toEqual(ahead);
  });

  it('is called by the host for the first captured step of a run; all others are the graph, also across epochs', async () => {
    const own = Teacher.of(models.create('resnet14', { numClasses: 12 }).to({ device }), 'resnet14');
    const forward = vi.spyOn(own, 'forward');
    const replay = vi.spyOn(DeviceGraph.prototype, 'replay');
    const calls = async (epochs: number) => {
      for (const spy of [forward, replay]) spy.mockClear();
      await all({ ...trained, method: 'srrl', epochs, teacher: own, accelerate: false });
      return [forward.mock.calls.length, replay.mock.calls.length] as const;
    };
    const [one, three] = [await calls(1), await calls(3)];
    // 12 batches an epoch, of which the first two of a run show what is to be captured.
    expect([one[1], three[1]]).toEqual([10, 34]);
    expect(three[0] - one[0]).toBe(0);
    own.dispose();
  });
});
