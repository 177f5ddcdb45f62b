import { copyFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SampleRandom } from '../../src/data/philox.js';
import { weightBytes } from '../../src/distill/saved-student.js';
import {
  DamagedError,
  type DistillSetup,
  distill,
  distillTogether,
  FileError,
  loadStudent,
  openDataset,
  type TrainEvent,
} from '../../src/index.js';
import { loadSafetensors, saveSafetensors } from '../../src/torch.js';
import { readCheckpoint } from '../../src/train/checkpoint-file.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-damaged-'));
afterAll(() => rmSync(folder, { recursive: true }));
const data = await openDataset('shapes:60?test=60');
const setup = (out: string): DistillSetup => ({
  ...{ data, teacher: 'assets/shapes-teacher.pt', student: 'resnet8', epochs: 2, batchSize: 12, seed: 5, out },
});

async function run(out: string, options: Partial<DistillSetup> = {}, until = Number.POSITIVE_INFINITY) {
  const events: TrainEvent[] = [];
  const running = distill({ ...setup(out), ...options });
  for await (const event of running) {
    events.push(event);
    if (event.type === 'step' && event.step >= until) running.stop();
  }
  return events;
}

const [whole, stopped] = [join(folder, 'whole'), join(folder, 'stopped')];
const [older, newest] = ['checkpoint-000000004.safetensors', 'checkpoint-000000007.safetensors'];
const student = 'student.safetensors';

beforeAll(async () => {
  await run(whole);
  await run(stopped, { checkpointSteps: 4, keepCheckpoints: 2 }, 7);
}, 60_000);

/** The stopped run in a folder of its own, in which `damage` is done to the newest checkpoint. */
function copyWith(name: string, damage: (file: string) => void): string {
  const out = join(folder, name);
  cpSync(stopped, out, { recursive: true });
  rmSync(join(out, 'checkpoint-000000005.safetensors'), { force: true });
  copyFileSync(join(folder, 'older'), join(out, older));
  damage(join(out, newest));
  return out;
}

const flipped = (file: string, at: number, bit = 1) => {
  const bytes = readFileSync(file);
  bytes[at < 0 ? bytes.length + at : at] = (bytes.at(at) as number) ^ bit;
  writeFileSync(file, bytes);
};

/** Writes the checkpoint again, with a checksum that is right, as another program would. */
function rewritten(
  file: string,
  change: (meta: Record<string, unknown>, tensors: Record<string, never>) => void,
): void {
  const { tensors, metadata } = loadSafetensors(file);
  const meta = JSON.parse(metadata.checkpoint as string);
  change(meta, tensors as Record<string, never>);
  saveSafetensors(file, tensors, { checkpoint: JSON.stringify(meta) });
}

describe('a damaged checkpoint', () => {
  beforeAll(async () => {
    const out = join(folder, 'for-older');
    await run(out, { checkpointSteps: 4, keepCheckpoints: 2 }, 4);
    copyFileSync(join(out, older), join(folder, 'older'));
  }, 60_000);

  it.each([
    ['a flipped bit in a weight', (file) => flipped(file, -1000)],
    ['a flipped bit in the metadata', (file) => flipped(file, 120)],
    [
      '4 KiB of zeros',
      (file) => {
        const bytes = readFileSync(file);
        bytes.fill(0, bytes.length - 40_000, bytes.length - 40_000 + 4096);
        writeFileSync(file, bytes);
      },
    ],
    ['cut off', (file) => writeFileSync(file, readFileSync(file).subarray(0, -100))],
    ['empty', (file) => writeFileSync(file, '')],
    [
      'without a momentum',
      (file) => rewritten(file, (_meta, tensors) => delete tensors['optimizer.3.momentum_buffer']),
    ],
    ['a step beyond the end', (file) => rewritten(file, (meta) => Object.assign(meta, { step: 1e9 }))],
    ['a step that is NaN', (file) => rewritten(file, (meta) => Object.assign(meta, { step: '7' }))],
    ['an epoch that was never trained', (file) => rewritten(file, (meta) => Object.assign(meta, { step: 3 }))],
    ['without groups', (file) => rewritten(file, (meta) => delete meta.groups)],
    ['groups that are none', (file) => rewritten(file, (meta) => Object.assign(meta, { groups: [] }))],
    [
      'momentum of another shape',
      (file) =>
        rewritten(file, (_meta, tensors) =>
          Object.assign(tensors, {
            'optimizer.0.momentum_buffer': (
              tensors['optimizer.0.momentum_buffer'] as never as { flatten(): unknown }
            ).flatten(),
          }),
        ),
    ],
    [
      'a key that appears twice',
      (file) => {
        const { tensors, metadata } = loadSafetensors(file);
        saveSafetensors(file, tensors, { checkpoint: (metadata.checkpoint as string).replace('{', '{"step":2,') });
      },
    ],
  ] as [string, (file: string) => void][])(
    '%s: the run resumes from the one before, and says so',
    async (name, damage) => {
      const out = copyWith(name, damage);
      const before = readdirSync(out).sort();
      const events = await run(out, { resume: true, dryRun: true });
      expect(events[0]).toMatchObject({ type: 'start', resumedAt: 4 });
      const notices = events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));
      expect(notices.join()).toContain(newest);
      expect(notices.join()).toContain(`resumes from ${join(out, older)}`);
      expect(readdirSync(out).sort()).toEqual(before);
    },
    60_000,
  );

  it('is renamed, and the run ends as the uninterrupted one', async () => {
    const out = copyWith('renamed', (file) => flipped(file, -1000));
    const events = await run(out, { resume: true, keepCheckpoints: 1 });
    expect(events[0]).toMatchObject({ type: 'start', resumedAt: 4 });
    expect(readdirSync(out)).toContain(`${newest}.damaged`);
    expect(weightBytes(join(out, student)).equals(weightBytes(join(whole, student)))).toBe(true);
  }, 60_000);

  it('is refused where no other is intact, and nothing in the folder changes', async () => {
    const out = copyWith('alone', (file) => flipped(file, -5));
    flipped(join(out, older), -5);
    const before = readdirSync(out).sort();
    await expect(run(out, { resume: true })).rejects.toThrow(/No checkpoint in [\s\S]*damaged[\s\S]*--overwrite/);
    expect(readdirSync(out).sort()).toEqual(before);
  }, 60_000);

  it('of one of several students: all continue from the newest step that all have intact', async () => {
    const names = ['a', 'b'] as const;
    const setups = Object.fromEntries(
      names.map((name) => [name, { ...setup(join(folder, `together-${name}`)), checkpointSteps: 4 }]),
    );
    const first = distillTogether(setups);
    for await (const event of first) if (event.type === 'step' && event.step === 9) first.stop();
    const own = readdirSync(join(folder, 'together-a'))
      .filter((file) => file.startsWith('checkpoint-'))
      .sort();
    flipped(join(folder, 'together-a', own.at(-1) as string), -9);
    const resumed = Object.fromEntries(names.map((name) => [name, { ...setups[name], resume: true } as DistillSetup]));
    const events = [];
    for await (const event of distillTogether(resumed)) events.push(event);
    const starts = events.flatMap((event) => (event.type === 'start' ? [event.resumedAt] : []));
    expect(starts).toEqual([8, 8]);
    expect(events.filter((event) => event.type === 'notice' && /is damaged/.test(event.message))).toHaveLength(1);
  }, 60_000);

  it('is found wherever a bit flips', () => {
    const file = join(folder, 'flips');
    const bytes = readFileSync(join(stopped, newest));
    for (let trial = 0; trial < 200; trial++) {
      const random = new SampleRandom(7, 0, trial);
      const changed = Buffer.from(bytes);
      // Half of them in the header.
      const at = random.below(trial % 2 ? bytes.length : 4000);
      changed[at] = (changed[at] as number) ^ (1 << random.below(8));
      writeFileSync(file, changed);
      expect(() => readCheckpoint(file), `bit of byte ${at}`).toThrow(FileError);
    }
  });
});

describe('a damaged student', () => {
  it('is refused', () => {
    const file = join(folder, 'flipped.safetensors');
    copyFileSync(join(whole, student), file);
    expect(loadStudent(file).card.numClasses).toBe(data.classes.length);
    flipped(file, -300);
    expect(() => loadStudent(file)).toThrow(DamagedError);
    expect(() => loadStudent(file)).toThrow(/checksum is [0-9a-f]{8}, and should be [0-9a-f]{8}/);
  });
});

describe('the seconds of an epoch', () => {
  it('count all processes that worked on it', async () => {
    const out = join(folder, 'seconds');
    await run(out, {}, 3);
    const [file = ''] = readdirSync(out).filter((name) => name.startsWith('checkpoint-'));
    rewritten(join(out, file), (meta) => Object.assign(meta.progress as object, { epochSeconds: 1000 }));
    const events = await run(out, { resume: true });
    const epochs = events.flatMap((event) => (event.type === 'epoch' ? [event.seconds] : []));
    expect(epochs[0]).toBeGreaterThan(1000);
    expect(epochs[1]).toBeLessThan(1000);
  }, 60_000);
});
