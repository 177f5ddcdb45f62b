import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError, distillTogether, type Reporter, type TrainEvent, train } from '../../src/index.js';
import { reported } from '../../src/train/index.js';
import { srrl } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-reporter-'));
afterAll(() => rmSync(folder, { recursive: true }));

const events: TrainEvent[] = [1, 2, 3].map((step) => ({ type: 'step', step, steps: 3, epoch: 1, epochs: 1 }));
async function* given(error?: Error): AsyncGenerator<TrainEvent> {
  yield* events;
  if (error) throw error;
}

async function consumed(stream: AsyncIterable<TrainEvent>): Promise<TrainEvent[]> {
  const found: TrainEvent[] = [];
  for await (const event of stream) found.push(event);
  return found;
}

/** Keeps what it hears. */
class Listener implements Reporter {
  readonly name = 'listener';
  readonly heard: TrainEvent[] = [];
  readonly closed: unknown[] = [];
  on(event: TrainEvent): void {
    this.heard.push(event);
  }
  close(error?: unknown): void {
    this.closed.push(error);
  }
}

describe('reporters', () => {
  it('hear every event in order, and the end', async () => {
    const listener = new Listener();
    expect(await consumed(reported(given(), [listener]))).toEqual(events);
    expect([listener.heard, listener.closed]).toEqual([events, [undefined]]);
  });

  it('hear what ended a run, and that nobody wanted more', async () => {
    const [failed, left] = [new Listener(), new Listener()];
    const problem = new Error('the disk is gone');
    await expect(consumed(reported(given(problem), [failed]))).rejects.toThrow(problem);
    expect(failed.closed).toEqual([problem]);
    for await (const _ of reported(given(), [left])) break;
    expect([left.heard.length, left.closed]).toEqual([1, [undefined]]);
  });

  it('that throw do not end the run: a notice names them, and the others continue', async () => {
    const listener = new Listener();
    const broken: Reporter = {
      name: 'tracker',
      on: ({ type }) => (type === 'step' ? Promise.reject(new Error('no network')) : undefined),
    };
    const found = await consumed(reported(given(), [broken, listener]));
    const notice = { type: 'notice', message: 'the reporter tracker failed and hears nothing more: no network' };
    expect(found).toEqual([events[0], notice, ...events.slice(1)]);
    expect(listener.heard).toEqual(found);
  });

  it('are given to a run in a thread of its own, whose steps tell loss and speed', async () => {
    const listener = new Listener();
    const out = join(folder, 'run');
    const setup = { student: 'resnet8', data: 'shapes:24?test=12', batchSize: 12, epochs: 1, out, stepMetrics: 1 };
    const found = await consumed(train({ ...setup, reporters: [listener] }));
    expect(listener.heard).toEqual(found);
    const start = found.find(({ type }) => type === 'start');
    expect(start).toMatchObject({
      classes: 12,
      provenance: { version: expect.any(String), command: expect.any(String) },
    });
    const last = found.findLast(({ type }) => type === 'step');
    expect(last).toMatchObject({ step: 2, loss: expect.any(Number), imagesPerSecond: expect.any(Number), lr: 0.05 });
  });

  it('are not for several students at once', () => {
    const setup = { teacher: 'teacher.pt', data: 'shapes', student: 'resnet8', reporters: [new Listener()] };
    expect(() => distillTogether({ a: setup, b: { ...setup, seed: 1 } })).toThrow(ConfigError);
  });

  it('come from files on the command line', () => {
    const file = join(folder, 'reporter.mjs');
    writeFileSync(
      file,
      "export default ({ name }) => ({ name: 'mine', on: ({ type }) => console.error(name, 'heard', type) });\n",
    );
    const args = ['train', '--data', 'shapes:24?test=12', '--batch-size', '12', '--epochs', '1', '--dry-run'];
    expect(srrl([...args, '--reporters', `module:${file}`]).stderr).toContain(
      'resnet8 on shapes:24?test=12 heard start',
    );
    writeFileSync(file, 'export default 7;\n');
    const { status, stderr } = srrl([...args, '--reporters', `module:${file}`]);
    expect([status, stderr]).toEqual([2, expect.stringContaining('must be a reporter')]);
  });
});
