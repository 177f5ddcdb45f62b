import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { methodKinds } from '../../src/distill/methods/index.js';
import {
  ConfigError,
  type Dataset,
  type DistillSetup,
  distill,
  distillTogether,
  type Features,
  type ImageSet,
  type Method,
  models,
  openDataset,
  type Split,
  Teacher,
  type TrainEvent,
} from '../../src/index.js';
import torch, { loadSafetensors, nn, type Tensor } from '../../src/torch.js';
import { addDevice, device, isMock, isThere } from '../helpers/device.js';
import { fixturePath } from '../helpers/inputs.js';

// A device of its own memory: a tensor that was left behind on the CPU is an error there.
addDevice();

const folder = mkdtempSync(join(tmpdir(), 'srrl-device-'));
afterAll(() => rmSync(folder, { recursive: true }));

const shapes = await openDataset('shapes:24?test=60');
const { images, labels } = shapes.test as ImageSet;
const data: Dataset = { ...shapes, test: { images: images.subarray(0, 12 * 3072), labels: labels.subarray(0, 12) } };

async function all<Event>(events: AsyncIterable<Event>): Promise<Event[]> {
  const list: Event[] = [];
  for await (const event of events) list.push(event);
  return list;
}

/** A trained-looking teacher: its statistics are not those of a fresh one. */
function teacherOn(on: string, numClasses: number) {
  torch.manualSeed(3);
  const network = models.create('resnet14', { numClasses }).train();
  torch.noGrad(() => torch.scope(() => void network.forward(torch.randn([32, 3, 32, 32]))));
  return Teacher.of(network.to({ device: on }), 'resnet14');
}

// A GPU's fastest algorithms may add in another order each time: what is compared bit by bit runs with those that do
// not.
const common = { student: 'resnet8', data, epochs: 2, batchSize: 10, lr: 0.01, deterministic: true };

/** Whether two numbers are equal up to a share of the larger one, or of 1. */
const isNear = (a: number, b: number, share: number) =>
  Math.abs(a - b) <= share * Math.max(1, Math.abs(a), Math.abs(b));

async function events(on: string, options: Partial<DistillSetup> = {}) {
  const teacher = options.teacher ?? teacherOn(on, data.classes.length);
  const list = await all(distill({ ...common, device: on, ...options, teacher }));
  if (!options.teacher && typeof teacher !== 'string') teacher.dispose();
  return list;
}

const of = <Type extends TrainEvent['type']>(list: TrainEvent[], type: Type) =>
  list.filter((event): event is Extract<TrainEvent, { type: Type }> => event.type === type);

const unrecorded = (list: TrainEvent[]) =>
  of(list, 'notice').flatMap(({ message }) => (message.includes('captured') ? [message] : []));

describe.runIf(isThere)('a run on a device', () => {
  const names = methodKinds.map(({ name }) => name).filter((name) => name !== 'ce');
  it.each(names)('begins with the terms of %s that it has on the CPU', async (method) => {
    const terms = async (on: string) => of(await events(on, { method, dryRun: true }), 'start')[0]?.terms ?? {};
    const [actual, expected] = [await terms(device), await terms('cpu')];
    expect(Object.keys(actual)).toEqual(Object.keys(expected));
    // A GPU multiplies float32 by TensorFloat-32, with 10 bits after the point.
    for (const [name, value] of Object.entries(expected))
      expect(isNear(actual[name] as number, value, isMock ? 1e-5 : 2e-2), `${name}: ${actual[name]}, ${value}`).toBe(
        true,
      );
  });

  it.each<[string, Partial<DistillSetup>]>([
    ['SGD', {}],
    ['AdamW, averages and small parts', { optimizer: 'adamw', lr: 1e-3, ema: 0.9, microBatch: 4, clipNorm: 1 }],
    ['Lion and mixed images', { optimizer: 'lion', lr: 1e-4, augmentation: { mixup: {}, randomErasing: {} } }],
  ])('continues as it does on the processor: %s', async (_, options) => {
    const [actual, expected] = [await events(device, options), await events('cpu', options)];
    const losses = (list: TrainEvent[]) => of(list, 'epoch').map(({ loss }) => loss);
    expect(losses(actual)).toHaveLength(2);
    // Normalizations are computed in another way here and there.
    for (const [epoch, loss] of losses(expected).entries())
      expect(losses(actual)[epoch]).toBeCloseTo(loss, isMock ? 2 : 0);
    expect(of(actual, 'end')[0]?.test.count).toBe(12);
  });

  it('takes a TorchScript teacher there, keeps its features, and leaves no tensor behind', async () => {
    const ten: Dataset = {
      ...data,
      classes: data.classes.slice(0, 10),
      train: tenOf(data.train),
      test: tenOf(data.test),
    };
    const teacher = fixturePath('teachers/plain.scripted.pt');
    const options = { data: ten, teacher, teacherCache: join(folder, 'cache'), views: 1 };
    const before = torch.memory().tensors;
    const first = await events(device, options);
    expect(of(await events(device, options), 'epoch').map(({ loss }) => loss)).toEqual(
      of(first, 'epoch').map(({ loss }) => loss),
    );
    expect(torch.memory().tensors).toBe(before);
  });

  it('continues from a checkpoint bit for bit', async () => {
    const weights = (out: string) => loadSafetensors(join(out, 'student.safetensors')).tensors;
    const [whole, parts] = [join(folder, 'whole'), join(folder, 'parts')];
    await events(device, { out: whole });
    const stop = new AbortController();
    const run = distill({
      ...common,
      device,
      teacher: teacherOn(device, 12),
      out: parts,
      checkpointSteps: 1,
      signal: stop.signal,
    });
    await expect(async () => {
      for await (const event of run) if (event.type === 'step' && event.step >= 3) stop.abort();
    }).rejects.toThrow();
    const resumed = await events(device, { out: parts, resume: true, checkpointSteps: 1 });
    expect(of(resumed, 'start')[0]?.resumedAt).toBeGreaterThan(0);
    const [expected, actual] = [weights(whole), weights(parts)];
    for (const [name, tensor] of Object.entries(expected)) expect(actual[name]?.equal(tensor), name).toBe(true);
  });

  it('trains several students from one teacher', async () => {
    const setup = { ...common, epochs: 1, device, teacher: teacherOn(device, 12), dataSeed: 0 };
    const list = await all(distillTogether({ a: setup, b: { ...setup, seed: 1 } }));
    expect(list.filter(({ type }) => type === 'end').map(({ student }) => student)).toEqual(['a', 'b']);
  });

  it.each(names)('replays steps of %s that are those done one by one', async (method) => {
    const options = { method, batchSize: 5, ema: 0.5 };
    const [replayed, alone] = [await events(device, options), await events(device, { ...options, recordSteps: false })];
    expect(unrecorded(replayed)).toEqual([]);
    const facts = (list: TrainEvent[]) =>
      of(list, 'epoch').map(({ loss, terms, trainTop1, test }) => ({ loss, terms, trainTop1, test }));
    // To the bit; but a recording holds what would otherwise be summed in place, here in another layout, whose sums are
    // rounded otherwise.
    if (isMock && method !== 'review-kd') expect(facts(replayed)).toEqual(facts(alone));
    for (const [epoch, { loss }] of facts(alone).entries())
      expect(isNear(facts(replayed)[epoch]?.loss as number, loss, isMock ? 1e-6 : 1e-3)).toBe(true);
  });

  it('does steps one by one where something in them waits for the device, and says so', async () => {
    const student = () => {
      torch.manualSeed(0);
      const network = models.create('resnet8', { numClasses: data.classes.length });
      // The weight of the new batch is one over their number, which is read.
      network.apply((module) => {
        if (module instanceof nn.BatchNorm2d) Object.assign(module, { momentum: null });
      });
      return network;
    };
    const [list, alone] = [
      await events(device, { student: student() }),
      await events(device, { student: student(), recordSteps: false }),
    ];
    expect(unrecorded(list)).toEqual([expect.stringMatching(/^steps are not captured .*numbers go to JavaScript/)]);
    expect(of(list, 'epoch').map(({ loss }) => loss)).toEqual(of(alone, 'epoch').map(({ loss }) => loss));
  });

  it('takes back a replayed step whose loss is NaN', async () => {
    const teacher = teacherOn(device, 12);
    let calls = 0;
    const method = {
      name: 'sometimes',
      options: {},
      setUp: () => ({
        modules: {},
        terms: ({ student, labels }: { student: Features; labels: Tensor }) => {
          calls++;
          const loss = nn.functional.crossEntropy(student.logits, labels);
          // Only in batches with the first class.
          return { loss: { weight: 1, value: loss.div(labels.ne(0).all().to('float32')) } };
        },
      }),
    } as unknown as Method;
    const options = { teacher, method, batchSize: 3, epochs: 1, onNonFinite: 'skip' } as const;
    const run = async (recordSteps: boolean) => {
      calls = 0;
      const list = await events(device, { ...options, recordSteps });
      return { losses: of(list, 'epoch').map(({ loss }) => loss), notices: of(list, 'notice').length, calls };
    };
    const [replayed, alone] = [await run(true), await run(false)];
    expect(replayed.notices).toBeGreaterThan(0);
    expect(replayed.losses).toEqual(alone.losses);
    expect(Number.isFinite(replayed.losses[0])).toBe(true);
    // The rehearsal, two steps that are taken back, the first one that is not, the recording.
    expect([replayed.calls, alone.calls]).toEqual([5, 9]);
  });

  it.runIf(isMock)('says which devices there are, and where the teacher is', async () => {
    const teacher = teacherOn('cpu', 12);
    await expect(events('cuda', { teacher })).rejects.toThrow(
      /There is no device cuda; available: cpu, hpu:0.*--cuda cu130/s,
    );
    await expect(events(device, { teacher })).rejects.toThrow(ConfigError);
    await expect(events(device, { teacher })).rejects.toThrow(/is on cpu, the run is on hpu:0/);
  });
});

/** The samples of the first ten classes. */
function tenOf(split: Split): Split {
  const rows = [...split.labels.keys()].filter((sample) => (split.labels[sample] as number) < 10);
  return {
    ...(split as ImageSet),
    rows: Int32Array.from(rows),
    labels: Uint8Array.from(rows, (row) => split.labels[row] as number),
  };
}
