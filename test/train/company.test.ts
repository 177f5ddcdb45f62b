/**
 * Students whose steps a device does in one graph end with the bits that each has alone, whatever happens to one of
 * them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { weightBytes } from '../../src/distill/saved-student.js';
import {
  DeviceLostError,
  type DistillSetup,
  DivergenceError,
  distill,
  distillTogether,
  type Features,
  type Method,
  models,
  NativeError,
  OutOfMemoryError,
  openDataset,
  Teacher,
  type TogetherEvent,
  type TrainEvent,
} from '../../src/index.js';
import { DeviceGraph } from '../../src/tensor/index.js';
import torch, { nn, type Tensor } from '../../src/torch.js';
import { CompanySteps } from '../../src/train/company-steps.js';
import { addDevice, device, isMock, isThere } from '../helpers/device.js';

addDevice();

const folder = mkdtempSync(join(tmpdir(), 'srrl-company-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

const data = await openDataset('shapes:72?test=12');
torch.manualSeed(3);
const teacher = Teacher.of(models.create('resnet14', { numClasses: 12 }).to({ device }), 'resnet14');
/** Without graphs of evaluations, so that all graphs are those of steps. */
const trained = { evaluateEvery: 100 } as const;
const common = {
  ...trained,
  teacher,
  data,
  batchSize: 12,
  dataSeed: 5,
  epochs: 2,
  lr: 0.01,
  device,
  deterministic: true,
} as const;

type Students = Record<string, Partial<DistillSetup>>;

const small: Students = {
  srrl: { student: 'resnet8', seed: 1, ema: 0.9 },
  kd: { student: 'resnet8', seed: 2, method: 'kd', optimizer: 'adamw', lr: 1e-3, clipNorm: 1, schedule: 'cosine' },
};

/** Cross-entropy that does something to the batch that image 30 is in. */
const sometimes = (change: (loss: Tensor, bad: Tensor) => Tensor) =>
  ({
    name: 'sometimes',
    options: {},
    setUp: () => ({
      modules: {},
      terms: ({ student, labels, indices }: { student: Features; labels: Tensor; indices: Tensor }) => {
        const loss = nn.functional.crossEntropy(student.logits, labels);
        return { loss: { weight: 1, value: change(loss, indices.eq(30).any().to('float32')) } };
      },
    }),
  }) as unknown as Method;
const sometimesNaN = sometimes((loss, bad) => loss.div(bad.rsub(1)));

let runs = 0;

async function together(students: Students, shared: Partial<DistillSetup> = {}) {
  const out = join(folder, `${runs++}`);
  const setups = Object.fromEntries(
    Object.entries(students).map(([name, own]) => [name, { ...common, out: join(out, name), ...shared, ...own }]),
  ) as Record<string, DistillSetup>;
  const events: TogetherEvent[] = [];
  let error: unknown;
  try {
    for await (const event of distillTogether(setups)) events.push(event);
  } catch (reason) {
    error = reason;
  }
  return { out, setups, events, error };
}

async function alone(setups: Record<string, DistillSetup>) {
  const [out, events, errors] = [join(folder, `${runs++}`), {}, {}] as [
    string,
    Record<string, TrainEvent[]>,
    Record<string, unknown>,
  ];
  for (const [name, setup] of Object.entries(setups)) {
    events[name] = [];
    try {
      for await (const event of distill({ ...setup, out: join(out, name) })) events[name].push(event);
    } catch (reason) {
      errors[name] = reason;
    }
  }
  return { out, events, errors };
}

const weights = (out: string, name: string) => weightBytes(join(out, name, 'student.safetensors'));
/** What was said of steps. */
const messages = (events: (TrainEvent | TogetherEvent)[], name?: string) =>
  events.flatMap((event) =>
    event.type === 'notice' &&
    !/chance/.test(event.message) &&
    (name === undefined || ('student' in event && event.student === name))
      ? [event.message]
      : [],
  );

/** Each student must end with what it has alone, and have been told the same. */
async function expectAsAlone({ out, setups, events, error }: Awaited<ReturnType<typeof together>>) {
  if (error) throw error;
  const single = await alone(setups);
  for (const name of Object.keys(setups)) {
    if (isMock) expect(weights(out, name).equals(weights(single.out, name)), name).toBe(true);
    const skipped = (list: string[]) => list.filter((message) => /skipped/.test(message));
    expect(skipped(messages(events, name))).toEqual(skipped(messages(single.events[name] ?? [])));
  }
}

const spies = () => ({
  record: vi.spyOn(DeviceGraph, 'record'),
  replay: vi.spyOn(DeviceGraph.prototype, 'replay'),
});

describe.runIf(isThere)('students on one device', () => {
  it('do each step in one replay of one graph, and the teacher runs once for all', async () => {
    const own = Teacher.of(models.create('resnet14', { numClasses: 12 }).to({ device }), 'resnet14');
    const forward = vi.spyOn(own, 'forward');
    const { record, replay } = spies();
    const aside = vi.spyOn(DeviceGraph.prototype, 'aside');
    const three: Students = {
      ...small,
      at: { student: 'resnet8', seed: 3, method: 'at', optimizer: 'lion', lr: 1e-4 },
    };
    const calls = async (epochs: number) => {
      for (const spy of [record, replay, aside, forward]) spy.mockClear();
      const company = await together(three, { epochs, teacher: own, accelerate: false });
      expect(company.error).toBeUndefined();
      // 6 steps an epoch, of which the first two of a run show what is to be captured.
      expect(record).toHaveBeenCalledTimes(1);
      expect(replay).toHaveBeenCalledTimes(6 * epochs - 2);
      // The teacher and three students.
      expect(aside).toHaveBeenCalledTimes(4);
      expect(messages(company.events)).toEqual([]);
      return { company, count: forward.mock.calls.length };
    };
    const [one, three_] = [await calls(1), await calls(3)];
    // The host asks the teacher for nothing in a later epoch.
    expect(three_.count).toBe(one.count);
    const steps = three_.company.events.flatMap((event) =>
      event.type === 'step' ? [`${event.student} ${event.step}`] : [],
    );
    expect(steps).toEqual(
      Array.from({ length: 18 }, (_, i) => ['srrl', 'kd', 'at'].map((s) => `${s} ${i + 1}`)).flat(),
    );
    await expectAsAlone(three_.company);
    own.dispose();
  });

  it.each<[string, Partial<DistillSetup>, Students]>([
    ['the last batch of an epoch is smaller', { batchSize: 16, epochs: 4 }, {}],
    ['one goes through in parts', { batchSize: 16, epochs: 3 }, { kd: { microBatch: 6 } }],
    ['in bfloat16', { precision: 'bfloat16' }, {}],
  ])('have the bits of each alone: %s', async (_, shared, change) => {
    const { replay } = spies();
    const students = Object.fromEntries(
      Object.entries(small).map(([name, own]) => [name, { ...own, ...change[name] }]),
    );
    const company = await together(students, shared);
    const [size, epochs] = [shared.batchSize ?? 12, shared.epochs ?? 2];
    const kinds = 72 % size === 0 ? 1 : 2;
    expect(replay).toHaveBeenCalledTimes(Math.ceil(72 / size) * epochs - 2 * kinds);
    await expectAsAlone(company);
  });

  it('have the bits of each alone where the features of the teacher are kept', async () => {
    const cache = { teacherCache: join(folder, `cache-${runs}`), views: 2 };
    await expectAsAlone(await together(small, { ...cache, epochs: 4 }));
  });

  it('are not changed by NaN in one that skips it', async () => {
    const { replay } = spies();
    const company = await together({
      ...small,
      nan: { student: 'resnet8', method: sometimesNaN, onNonFinite: 'skip' },
    });
    expect(messages(company.events, 'nan')).toHaveLength(2);
    // Two steps more where the step with NaN is one of the first two.
    expect([9, 10]).toContain(replay.mock.calls.length);
    await expectAsAlone(company);
  });

  it('end at the step at which one is stopped by NaN', async () => {
    const { error, setups } = await together({ ...small, nan: { student: 'resnet8', method: sometimesNaN } });
    expect(error).toBeInstanceOf(DivergenceError);
    const { errors } = await alone({ nan: setups.nan as DistillSetup });
    const { step, term } = errors.nan as DivergenceError;
    expect(error).toMatchObject({ step, term });
  });

  it('continue without one that ends early', async () => {
    const step = vi.spyOn(CompanySteps.prototype, 'step');
    const aside = vi.spyOn(DeviceGraph.prototype, 'aside');
    const company = await together(
      { srrl: small.srrl ?? {}, early: { student: 'resnet8', lr: 1e-9, earlyStop: 1 }, kd: small.kd ?? {} },
      { validation: 0.2, epochs: 4, evaluateEvery: 1 },
    );
    const ends = company.events.flatMap((event) => (event.type === 'end' ? [[event.student, event.stopped]] : []));
    expect(ends).toEqual([
      ['early', 'early stop'],
      ['srrl', undefined],
      ['kd', undefined],
    ]);
    expect(company.error).toBeUndefined();
    // 60 images in 5 batches, captured with three students, and from epoch 3 on with two.
    expect(aside).toHaveBeenCalledTimes(4 + 3);
    expect(step.mock.results.filter(({ value }) => value === true)).toHaveLength(4 * 5 - 2);
    await expectAsAlone(company);
  });

  it('resume where all were stopped', async () => {
    const { replay } = spies();
    const whole = await together(small);
    const parts = join(folder, 'parts');
    const setups = Object.fromEntries(
      Object.entries(whole.setups).map(([name, setup]) => [name, { ...setup, out: join(parts, name) }]),
    );
    const first = distillTogether(setups);
    for await (const event of first) if (event.type === 'step' && event.step === 8) first.stop();
    replay.mockClear();
    const resumed = Object.fromEntries(
      Object.entries(setups).map(([name, setup]) => [name, { ...setup, resume: true }]),
    );
    for await (const event of distillTogether(resumed)) if (event.type === 'start') expect(event.resumedAt).toBe(8);
    expect(replay).toHaveBeenCalledTimes(2);
    for (const name of Object.keys(small))
      expect(weights(parts, name).equals(weights(whole.out, name)), name).toBe(true);
  });

  it.each<[string, Partial<DistillSetup>, RegExp | undefined]>([
    ['numbers are read in a step', { method: sometimes((loss) => loss.mul(loss.item() as number)) }, undefined],
    [
      'random numbers are drawn in a step',
      { method: 'crd' },
      /device graph of its own: a student draws random numbers/,
    ],
    ['steps are not to be captured', { recordSteps: false }, undefined],
  ])('have a graph each where one cannot join: %s', async (_, own, notice) => {
    const { replay, record } = spies();
    const company = await together({ ...small, other: { student: 'resnet8', seed: 4, ...own } });
    const captured = notice ? 3 : 2;
    expect(record).toHaveBeenCalledTimes(captured);
    expect(replay).toHaveBeenCalledTimes(captured * 10);
    const apart = messages(company.events).filter((message) => /graph of its own/.test(message));
    expect(apart).toHaveLength(notice ? 1 : 0);
    if (notice) expect(apart[0]).toMatch(notice);
    const unrecorded = messages(company.events, 'other').filter((message) => /operator by operator/.test(message));
    expect(unrecorded).toHaveLength('method' in own && !notice ? 1 : 0);
    await expectAsAlone(company);
  });

  it('have a graph each where there is no memory for one of all, and then smaller parts', async () => {
    let [tries, failing] = [0, 2];
    const real = DeviceGraph.record.bind(DeviceGraph);
    vi.spyOn(DeviceGraph, 'record').mockImplementation((...args) => {
      // The teacher next to the students, and in the step itself.
      if (tries++ < failing) throw new OutOfMemoryError('CUDA out of memory');
      return real(...args);
    });
    const company = await together(small);
    expect(messages(company.events)).toEqual([
      "each student's step is captured in a device graph of its own: CUDA out of memory",
    ]);
    expect(tries).toBe(4);
    [tries, failing] = [0, 3];
    const { events, error } = await together(small);
    expect(error).toBeUndefined();
    expect(messages(events, 'srrl')).toContainEqual(expect.stringMatching(/from now on 6 images go through/));
    expect(messages(events, 'kd')).toEqual([]);
    vi.restoreAllMocks();
    await expectAsAlone(company);
  });

  it('end with the newest checkpoint named where the device fails for good', async () => {
    vi.spyOn(DeviceGraph.prototype, 'replay').mockImplementation(() => {
      throw new NativeError('graphReplay: CUDA error: an illegal memory access was encountered');
    });
    const { error } = await together(small, { checkpointSteps: 1 });
    expect(error).toBeInstanceOf(DeviceLostError);
    expect((error as DeviceLostError).checkpoint).toMatch(/srrl.checkpoint-000000002/);
  });

  it('leave no tensor behind', async () => {
    const before = torch.memory().tensors;
    await together(small);
    expect(torch.memory().tensors).toBeLessThanOrEqual(before);
  });
});
