import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { weightBytes } from '../../src/distill/saved-student.js';
import {
  ConfigError,
  type DistillSetup,
  distill,
  distillTogether,
  openDataset,
  ScriptTeacher,
  type TogetherEvent,
} from '../../src/index.js';
import torch from '../../src/torch.js';
import { packageRoot } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-together-'));
afterAll(() => rmSync(folder, { recursive: true }));
const teacherFile = join(packageRoot, 'assets/shapes-teacher.pt');
const data = await openDataset('shapes:96?test=24');

const weights = (out: string) => weightBytes(join(out, 'student.safetensors'));
const setups = (out: string, teacher: ScriptTeacher): Record<string, DistillSetup> => {
  const common = { teacher, data, trainImages: 96, batchSize: 32, epochs: 2, dataSeed: 5, accelerate: false };
  return {
    small: { ...common, student: 'resnet8', seed: 1, out: join(out, 'small') },
    // Another method, another rate, parts of a batch, and random numbers of its own.
    other: { ...common, student: 'vgg8', seed: 2, method: 'kd', lr: 0.01, microBatch: 16, out: join(out, 'other') },
  };
};

async function all(events: AsyncIterable<TogetherEvent>): Promise<TogetherEvent[]> {
  const list: TogetherEvent[] = [];
  for await (const event of events) list.push(event);
  return list;
}

describe('students that are trained together', () => {
  it('end with the bits that each has alone, and the teacher runs once for all', async () => {
    const teacher = ScriptTeacher.load(teacherFile);
    const forward = vi.spyOn(teacher, 'forward');
    const alone = setups(join(folder, 'alone'), teacher);
    const callsAlone: number[] = [];
    for (const setup of Object.values(alone)) {
      const before = forward.mock.calls.length;
      for await (const _ of distill(setup));
      callsAlone.push(forward.mock.calls.length - before);
    }
    forward.mockClear();
    const both = setups(join(folder, 'both'), teacher);
    const events = await all(distillTogether(both));
    for (const [name, setup] of Object.entries(both))
      expect(weights(setup.out as string).equals(weights(alone[name]?.out as string))).toBe(true);
    const ends = events.filter(({ type }) => type === 'end').map(({ student }) => student);
    expect(ends).toEqual(['small', 'other']);
    // In turn, step by step.
    const steps = events.flatMap((event) => (event.type === 'step' ? [`${event.student} ${event.step}`] : []));
    expect(steps.slice(0, 4)).toEqual(['small 1', 'other 1', 'small 2', 'other 2']);
    // Whole batches for the one and halves for the other; only the teacher's examination is saved.
    expect(forward.mock.calls.length).toBeLessThan((callsAlone[0] as number) + (callsAlone[1] as number));
    forward.mockClear();
    const twins = { a: alone.small as DistillSetup, b: { ...(alone.small as DistillSetup), seed: 9 } };
    for (const [name, setup] of Object.entries(twins)) setup.out = join(folder, 'twins', name);
    await all(distillTogether(twins));
    // One more than alone: the second one looks at what the teacher gives.
    expect(forward.mock.calls.length).toBeLessThanOrEqual((callsAlone[0] as number) + 1);
    teacher.dispose();
  });

  it('continue from where they were stopped, with the same bits', async () => {
    const teacher = ScriptTeacher.load(teacherFile);
    const whole = setups(join(folder, 'whole'), teacher);
    await all(distillTogether(whole));
    const parts = setups(join(folder, 'parts'), teacher);
    const first = distillTogether(parts);
    for await (const event of first) if (event.type === 'step' && event.step === 4) first.stop();
    const resumed = Object.fromEntries(
      Object.entries(parts).map(([name, setup]) => [name, { ...setup, resume: true }]),
    );
    const events = await all(distillTogether(resumed));
    expect(events.find(({ type }) => type === 'start')).toMatchObject({ resumedAt: 4 });
    for (const [name, setup] of Object.entries(parts))
      expect(weights(setup.out as string).equals(weights(whole[name]?.out as string))).toBe(true);
    // A new one among old ones has nothing to continue from.
    const more = { ...resumed, third: { ...(resumed.small as DistillSetup), out: join(folder, 'parts', 'third') } };
    await expect(all(distillTogether(more))).rejects.toThrow(/no checkpoint of the same step[\s\S]*third: none/);
    teacher.dispose();
  });

  it('run in a thread where everything is named', async () => {
    const common = { teacher: teacherFile, data: 'shapes:48?test=24', epochs: 1 };
    const events = await all(
      distillTogether({ a: { ...common, student: 'resnet8' }, b: { ...common, student: 'resnet8', seed: 3 } }),
    );
    expect(events.filter(({ type }) => type === 'epoch').map(({ student }) => student)).toEqual(['a', 'b']);
  });

  it('leave no tensor behind, also where one fails', async () => {
    const teacher = ScriptTeacher.load(teacherFile);
    const failing = setups(join(folder, 'failing'), teacher);
    const before = torch.memory().tensors;
    const broken = { ...failing, other: { ...(failing.other as DistillSetup), student: 'no-such-model' } };
    await expect(all(distillTogether(broken))).rejects.toThrow(ConfigError);
    expect(torch.memory().tensors).toBeLessThanOrEqual(before);
    teacher.dispose();
  });

  it('are refused where they do not see the same', () => {
    const common: DistillSetup = { teacher: teacherFile, data: 'shapes:48?test=24', student: 'resnet8' };
    const pair = (change: Partial<DistillSetup>) => () => distillTogether({ a: common, b: { ...common, ...change } });
    expect(pair({ batchSize: 8 })).toThrow(/batchSize of b is not that of a/);
    expect(pair({ data: 'cifar10:x' })).toThrow(ConfigError);
    expect(pair({ augmentation: { cutout: { length: 4 } } })).toThrow(/augmentation of b/);
    expect(() => distillTogether({})).toThrow(/no student/);
  });
});
