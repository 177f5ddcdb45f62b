import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { weightBytes } from '../../src/distill/saved-student.js';
import { type DistillSetup, distill, FileError, openDataset, type TrainEvent } from '../../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-resume-'));
afterAll(() => rmSync(folder, { recursive: true }));
const data = await openDataset('shapes:60?test=60');
const setup = (options: Partial<DistillSetup>): DistillSetup => ({
  data,
  teacher: 'assets/shapes-teacher.pt',
  student: 'resnet8',
  epochs: 3,
  batchSize: 12,
  seed: 5,
  ...options,
});

/** Runs, and stops after step `until`. */
async function run(options: Partial<DistillSetup>, until = Number.POSITIVE_INFINITY): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  const running = distill(setup(options));
  for await (const event of running) {
    events.push(event);
    if (event.type === 'step' && event.step >= until) running.stop();
  }
  return events;
}

const bytes = (out: string) => weightBytes(join(out, 'student.safetensors'));
/** metrics.csv without the columns of time. */
const metrics = (out: string) =>
  readFileSync(join(out, 'metrics.csv'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(',').slice(0, -2).join());

describe('a run that is interrupted and continues', () => {
  it.each([
    ['SGD, in the middle of an epoch', {}, 7],
    ['at the end of an epoch', {}, 5],
    ['AdamW, average, clipping', { optimizer: 'adamw', lr: 1e-3, ema: 0.9, clipNorm: 1 }, 8],
    ['CRD, with its memory and its draws', { method: 'crd:negatives=8' }, 6],
    ['an epoch without evaluation', { validation: 0.2, evaluateEvery: 2 }, 5],
    ['validation and the best epoch', { validation: 0.2, warmupEpochs: 1, schedule: 'step' }, 9],
  ] as [string, Partial<DistillSetup>, number][])(
    '%s: ends as the uninterrupted one, bit for bit',
    async (name, options, stop) => {
      const [whole, parts] = [join(folder, `${name}-whole`), join(folder, `${name}-parts`)];
      await run({ ...options, out: whole });
      const first = await run({ ...options, out: parts }, stop);
      expect(first.at(-1)).toMatchObject({ type: 'end', stopped: 'asked' });
      const second = await run({ ...options, out: parts, resume: true });
      expect(second[0]).toMatchObject({ type: 'start', resumedAt: stop });
      expect(bytes(parts).equals(bytes(whole))).toBe(true);
      expect(metrics(parts)).toEqual(metrics(whole));
    },
    60_000,
  );

  it('begins where there is no checkpoint, forgets what came after one, and keeps the newest', async () => {
    const out = join(folder, 'kept');
    await run({ out, resume: true, checkpointSteps: 2, keepCheckpoints: 3 }, 9);
    const files = readdirSync(out)
      .filter((file) => file.startsWith('checkpoint-'))
      .sort();
    expect(files.map((file) => Number(file.match(/\d+/)?.[0]))).toEqual([6, 8, 9]);
    // As if the process had died after an epoch was recorded and before anything newer was saved.
    rmSync(join(out, files[2] as string));
    writeFileSync(
      join(out, 'events.jsonl'),
      `${readFileSync(join(out, 'events.jsonl'))}{"type":"epoch","epoch":2}\n{"torn`,
    );
    writeFileSync(join(out, 'checkpoint-000000010.safetensors.1-abcd.tmp'), 'half');
    const [start] = await run({ out, resume: true });
    expect(readdirSync(out).filter((file) => file.endsWith('.tmp'))).toEqual([]);
    expect(start).toMatchObject({ resumedAt: 8 });
    const epochs = readFileSync(join(out, 'events.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ type }) => type === 'epoch');
    expect(epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
  }, 60_000);

  it('records an epoch that died between its checkpoint and its record', async () => {
    const out = join(folder, 'lost');
    await run({ out }, 12);
    const events = join(out, 'events.jsonl');
    const lines = readFileSync(events, 'utf8').trim().split('\n');
    writeFileSync(
      events,
      `${lines.filter((line) => !(JSON.parse(line).type === 'epoch' && JSON.parse(line).epoch === 2)).join('\n')}\n`,
    );
    await run({ out, resume: true });
    const epochs = readFileSync(events, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(
      epochs
        .filter(({ type }) => type === 'epoch')
        .map(({ epoch }) => epoch)
        .sort(),
    ).toEqual([1, 2, 3]);
  }, 60_000);

  it('never takes the place of a finished student', async () => {
    const out = join(folder, 'finished');
    await run({ out, epochs: 1 });
    for (const file of readdirSync(out)) if (file.startsWith('checkpoint-')) rmSync(join(out, file));
    const before = bytes(out);
    await expect(run({ out, epochs: 1, resume: true })).rejects.toThrow(/without a checkpoint/);
    expect(bytes(out).equals(before)).toBe(true);
  }, 60_000);

  it('refuses other options and damaged files, and leaves the folder as it was', async () => {
    const out = join(folder, 'refused');
    await run({ out }, 4);
    const [file = ''] = readdirSync(out).filter((name) => name.startsWith('checkpoint-'));
    copyFileSync(join(out, file), join(folder, 'copy'));
    await expect(run({ out, resume: true, lr: 0.01 })).rejects.toThrow(/lr was 0.05 and is 0.01[\s\S]*--out/);
    await expect(run({ out, resume: true, method: 'kd' })).rejects.toThrow(/method was "srrl" and is "kd"/);
    const damaged = readFileSync(join(out, file));
    writeFileSync(join(out, file), damaged.subarray(0, damaged.length - 100));
    await expect(run({ out, resume: true })).rejects.toThrow(FileError);
    copyFileSync(join(folder, 'copy'), join(out, file));
    expect((await run({ out, resume: true })).at(-1)).toMatchObject({ type: 'end', epoch: 3 });
  }, 60_000);
});
