import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  ConfigError,
  type Dataset,
  type DistillSetup,
  distill,
  evaluate,
  type Features,
  type KnownAccuracy,
  knownAccuracy,
  Loader,
  loadStudent,
  models,
  openDataset,
  ScriptTeacher,
  SRRL,
  TeacherError,
  type TrainEvent,
  train,
} from '../../src/index.js';
import torch, { loadSafetensors, nn, type Tensor } from '../../src/torch.js';
import { node, packageRoot } from '../helpers/cli.js';
import { fixturePath } from '../helpers/inputs.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-train-'));
afterAll(() => rmSync(folder, { recursive: true }));
const teacherFile = fixturePath('teachers/plain.scripted.pt');

/** Images of one brightness a class. */
function dataset(count: number, size = 32, numClasses = 10): Dataset {
  const set = (shift: number) => {
    const images = new Uint8Array(count * 3 * size * size);
    const labels = Uint8Array.from({ length: count }, (_, i) => i % numClasses);
    for (let i = 0; i < images.length; i++) {
      const sample = Math.floor(i / (3 * size * size));
      images[i] = (labels[sample] as number) * 20 + ((i * 7 + shift) % 20);
    }
    return { images, labels };
  };
  return {
    source: 'bright',
    classes: Array.from({ length: numClasses }, (_, i) => `class ${i}`),
    channels: 3,
    height: size,
    width: size,
    mean: [0.4, 0.4, 0.4],
    std: [0.25, 0.25, 0.25],
    augment: { pad: 1, flip: true },
    train: set(0),
    test: set(3),
  };
}

async function all(events: AsyncIterable<TrainEvent>): Promise<TrainEvent[]> {
  const list: TrainEvent[] = [];
  for await (const event of events) list.push(event);
  return list;
}

/** Tensors alive; what earlier tests forgot must not be freed while another one counts. */
async function counted(): Promise<number> {
  globalThis.gc?.();
  await new Promise((resolve) => setTimeout(resolve, 50));
  return torch.memory().tensors;
}

const last = (events: TrainEvent[]) => {
  const end = events.at(-1);
  if (end?.type !== 'end') throw new Error('the run did not end');
  return end;
};

describe('distill()', () => {
  const data = dataset(40);
  const setup = (options: Partial<DistillSetup> = {}): DistillSetup => ({
    data,
    teacher: teacherFile,
    student: 'resnet8',
    epochs: 2,
    batchSize: 16,
    ...options,
  });

  it('tells what happens, and leaves a folder from which the student comes back with the same accuracy', async () => {
    const out = join(folder, 'run');
    const events = await all(distill(setup({ out, method: new SRRL({ beta: 2 }), seed: 3 })));
    expect(events.map((event) => event.type)).toEqual([
      'start',
      // The teacher of the fixture was never trained, and a run says so.
      'notice',
      'step',
      'step',
      'step',
      'epoch',
      'step',
      'step',
      'step',
      'epoch',
      'end',
    ]);
    const [start] = events;
    expect(start).toMatchObject({
      type: 'start',
      teacher: { count: 40 },
      config: { srrl: { beta: 2, alpha: 1 }, seed: 3, tap: 'fc' },
      terms: { ce: expect.any(Number), fm: expect.any(Number), sr: expect.any(Number) },
    });
    expect(parse(readFileSync(join(out, 'config.yaml'), 'utf8'))).toMatchObject({
      method: 'srrl',
      student: 'resnet8',
      epochs: 2,
      lr: 0.05,
    });
    const rows = readFileSync(join(out, 'metrics.csv'), 'utf8').trim().split('\n');
    expect(rows[0]).toBe('epoch,lr,loss,ce,fm,sr,train_top1,top1,top5,test_loss,images_per_second,seconds');
    expect(rows).toHaveLength(3);
    expect(
      readFileSync(join(out, 'events.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).type),
    ).toEqual(['start', 'notice', 'epoch', 'epoch', 'end']);

    const epoch = events.filter((event) => event.type === 'epoch')[0];
    if (epoch?.type !== 'epoch') throw new Error('no epoch');
    const { ce = 0, fm = 0, sr = 0 } = epoch.terms;
    expect(epoch.loss).toBeCloseTo(ce + fm + 2 * sr, 5);

    const { student, card } = loadStudent(out);
    expect(card).toMatchObject({ model: 'resnet8', numClasses: 10, inChannels: 3 });
    student.to({ memoryFormat: 'channelsLast' });
    const again = await evaluate((images) => student.forward(images), new Loader(data, 'test', { batchSize: 200 }));
    expect(again).toEqual(last(events).test);
  });

  it('is repeatable bit for bit, and the seed matters', async () => {
    const weights = async (name: string, seed: number) => {
      await all(distill(setup({ out: join(folder, name), seed, epochs: 1 })));
      return loadSafetensors(join(folder, name, 'student.safetensors')).tensors;
    };
    const [a, b, c] = [await weights('a', 1), await weights('b', 1), await weights('c', 2)];
    for (const [name, tensor] of Object.entries(a))
      expect([name, tensor.equal(b[name] as Tensor)]).toEqual([name, true]);
    expect(a['fc.weight']?.equal(c['fc.weight'] as Tensor)).toBe(false);
    expect(Object.keys(a).some((name) => name.includes('connector'))).toBe(false);
  });

  it('takes a loaded teacher and leaves it alive and unchanged', async () => {
    const teacher = ScriptTeacher.load(teacherFile);
    const images = torch.randn([2, 3, 32, 32]);
    const before = teacher.forward(images);
    await all(distill(setup({ teacher, epochs: 1 })));
    expect(teacher.forward(images).logits.equal(before.logits)).toBe(true);
  });

  it('measures the teacher once where it is told what an earlier run found', async () => {
    const teacher = ScriptTeacher.load(teacherFile);
    let forwards = 0;
    const forward = teacher.forward.bind(teacher);
    teacher.forward = (images) => {
      forwards++;
      return forward(images);
    };
    /**
     * What was found before the first step, and how often the teacher was asked for it; its 40 test images are one
     * batch.
     */
    const begin = async (options: Partial<DistillSetup>) => {
      forwards = 0;
      const [start] = await all(distill(setup({ teacher, dryRun: true, ...options })));
      if (start?.type !== 'start') throw new Error('the run did not start');
      return { start, forwards };
    };
    const first = await begin({});
    const teacherAccuracy = knownAccuracy(first.start) as KnownAccuracy;
    const second = await begin({ teacherAccuracy, seed: 1 });
    expect(second.start.teacher).toEqual(first.start.teacher);
    // One batch to look at its classifier, one to count.
    expect(second.forwards).toBe(first.forwards - 2);
    for (const other of [{ teacher: 'another.pt' }, { tap: 'head' }, { data: 'shapes' }])
      expect((await begin({ teacherAccuracy: { ...teacherAccuracy, ...other } })).forwards).toBe(first.forwards);
    expect(second.start.config).not.toHaveProperty('teacherAccuracy');
  });

  it('has its events in a thread of its own where everything is named, and the caller keeps his', async () => {
    const named = { data: 'shapes:48?test=60', teacher: 'assets/shapes-teacher.pt', student: 'resnet8' };
    const before = await counted();
    const steps: number[] = [];
    const events: TrainEvent[] = [];
    for await (const event of distill({ ...named, epochs: 2, batchSize: 8 })) {
      events.push(event);
      if (event.type === 'step') steps.push(event.step);
    }
    expect(torch.memory().tensors).toBe(before);
    expect(events.at(-1)).toMatchObject({ type: 'end', epoch: 2 });
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    const here = await all(
      distill({ ...named, data: await openDataset('shapes:48?test=60'), epochs: 2, batchSize: 8 }),
    );
    expect(last(events).test).toEqual(last(here).test);
    await expect(all(distill({ ...named, student: 'resnet7' }))).rejects.toThrow(ConfigError);
    await expect(all(distill({ ...named, data: 'shapes:1?test=60' }))).rejects.toMatchObject({ code: 'ERR_DATA' });
  }, 60_000);

  it('ends also for a caller who is slow to ask again', () => {
    const file = join(folder, 'slow.mjs');
    const setup = { data: 'shapes:24?test=60', teacher: 'assets/shapes-teacher.pt', student: 'resnet8', epochs: 1 };
    // The thread has ended long before the question after the last event; a process that waits for it in vain ends with
    // code 13.
    writeFileSync(
      file,
      `import { distill } from ${JSON.stringify(pathToFileURL(join(packageRoot, 'dist/index.js')))};
      for await (const event of distill(${JSON.stringify(setup)}))
        if (event.type === 'end') await new Promise((resolve) => setTimeout(resolve, 1500));
      console.log('ended');`,
    );
    expect(node(file, [])).toMatchObject({ status: 0, stdout: 'ended\n' });
  }, 60_000);

  it('pauses, continues, and stops after a step in either thread', async () => {
    for (const source of ['shapes:48?test=60', await openDataset('shapes:48?test=60')]) {
      const run = distill({
        data: source,
        teacher: 'assets/shapes-teacher.pt',
        student: 'resnet8',
        batchSize: 4,
        epochs: 40,
      });
      const seen: TrainEvent[] = [];
      for await (const event of run) {
        seen.push(event);
        if (event.type !== 'step') continue;
        if (event.step === 2) {
          run.pause();
          setTimeout(() => run.resume(), 100);
        }
        if (event.step >= 5) run.stop();
      }
      expect(seen.at(-1)).toMatchObject({ type: 'end', stopped: 'asked' });
      expect(seen.length).toBeLessThan(40 * 12);
    }
  }, 60_000);

  it('stops by an AbortSignal, and frees what it made', async () => {
    const before = await counted();
    const controller = new AbortController();
    const run = distill(setup({ signal: controller.signal, epochs: 50 }));
    const collect = async () => {
      for await (const event of run)
        if (event.type === 'step' && event.step === 4) controller.abort(new Error('enough'));
    };
    await expect(collect()).rejects.toThrow('enough');
    expect(torch.memory().tensors).toBe(before);
  });

  it('frees what it made when the caller stops listening', async () => {
    const before = await counted();
    for await (const event of distill(setup())) if (event.type === 'step') break;
    expect(torch.memory().tensors).toBe(before);
  });

  it('refuses before the first step what cannot work', async () => {
    const run = (options: Partial<DistillSetup>) => all(distill(setup(options)));
    await expect(run({ data: dataset(8, 32, 4) })).rejects.toThrow(/teacher .* has 10 classes, bright has 4/);
    await expect(run({ data: dataset(8, 32, 4) })).rejects.toThrow(TeacherError);
    await expect(run({ teacher: fixturePath('teachers/vit.traced.pt'), data: dataset(8, 24) })).rejects.toThrow(
      /does not take images/,
    );
    await expect(run({ student: models.create('resnet8', { numClasses: 3 }) })).rejects.toThrow(
      /student has 3 classes/,
    );
    await expect(run({ student: 'resnet7' })).rejects.toThrow(ConfigError);
    await expect(run({ epochs: 0 })).rejects.toThrow(/'epochs' in the training options/);
    await expect(all(distill({ ...setup(), epoch: 3 } as DistillSetup))).rejects.toThrow(
      /Unknown option 'epoch'.*Did you mean epochs/,
    );
    await all(train({ data: dataset(8), student: 'resnet8', epochs: 1, out: join(folder, 'taken') }));
    await expect(run({ out: join(folder, 'taken') })).rejects.toThrow(/already holds a run/);
    writeFileSync(join(folder, 'taken', 'analysis.json'), '{}');
    await all(train({ data: dataset(8), student: 'resnet8', epochs: 1, out: join(folder, 'taken'), overwrite: true }));
    expect(existsSync(join(folder, 'taken', 'analysis.json'))).toBe(false);
    await expect(run({ out: join(teacherFile, 'run') })).rejects.toThrow(/cannot be written/);
  });

  it('stops with the terms when the loss is no longer a number', async () => {
    const out = join(folder, 'diverged');
    await expect(
      all(train({ data: dataset(40), student: 'resnet8', epochs: 3, batchSize: 16, lr: 1e30, out })),
    ).rejects.toThrow(/In step \d, the term ce is NaN or Inf[\s\S]*--lr[\s\S]*before the step is in .*checkpoint-/);
    expect(existsSync(join(out, 'student.safetensors'))).toBe(false);
  });
});

/** The smallest student: a convolution and a classifier. */
class Tiny extends models.Classifier {
  readonly featureChannels = 4;
  readonly numClasses = 10;
  readonly conv = new nn.Conv2d(3, 4, 3);
  readonly fc = new nn.Linear(4, 10);

  forwardFeatures(images: Tensor): Features {
    const map = this.conv.forward(images).relu();
    const pooled = map.mean([2, 3]);
    return { map, pooled, logits: this.fc.forward(pooled), stages: [map] };
  }
}

describe('memory', () => {
  it('holds as many tensors after 10,000 training steps as after 10', async () => {
    const data = dataset(20, 6);
    const counts = new Map<number, number>();
    await counted();
    const run = distill({
      data,
      teacher: teacherFile,
      student: new Tiny(),
      epochs: 500,
      batchSize: 1,
      schedule: 'constant',
      lr: 1e-4,
    });
    for await (const event of run) {
      if (event.type === 'step' && (event.step === 10 || event.step === 10_000))
        counts.set(event.step, await counted());
    }
    expect([...counts.keys()]).toEqual([10, 10_000]);
    expect(counts.get(10_000)).toBe(counts.get(10));
  }, 240_000);
});
