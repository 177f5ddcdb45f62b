import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { distillTogether, type Reporter, type TrainEvent, train } from '../../src/index.js';
import { reported } from '../../src/train/index.js';
import { packageRoot, srrl } from '../helpers/cli.js';

const teacher = join(packageRoot, 'assets/shapes-teacher.pt');
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
    const notice = { type: 'notice', message: 'the reporter tracker failed and receives no more events: no network' };
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

  it('of several students hear what their student does, also that another reporter failed', async () => {
    const [small, large] = [new Listener(), new Listener()];
    const broken: Reporter = { name: 'tracker', on: () => Promise.reject(new Error('no network')) };
    const setup = { teacher, data: 'shapes:24?test=12', batchSize: 12, epochs: 1 };
    const found = await consumed(
      distillTogether({
        small: { ...setup, student: 'resnet8', reporters: [broken, small] },
        large: { ...setup, student: 'resnet14', reporters: [large] },
      }),
    );
    const of = (name: string) => found.filter((event) => (event as { student?: string }).student === name);
    expect([small.heard, large.heard]).toEqual([of('small'), of('large')]);
    expect(small.heard.filter(({ type }) => type === 'notice')).toMatchObject([
      { student: 'small', message: expect.stringContaining('no network') },
    ]);
    expect([small.closed, large.closed]).toEqual([[undefined], [undefined]]);
  });

  it.each([
    ['--students', 'resnet8,resnet14', ['resnet8', 'resnet14']],
    ['--seeds', '2', ['seed-0', 'seed-1']],
  ])('and TensorBoard follow each run of %s %s --together', (flag, value, names) => {
    const [tensorboard, file] = [join(folder, `tb-${names[0]}`), join(folder, 'several.mjs')];
    writeFileSync(
      file,
      "export default ({ name }) => ({ name: 'mine', on: ({ type }) => type === 'end' && console.error(name, 'ended') });\n",
    );
    const run = ['--data', 'shapes:24?test=12', '--batch-size', '12', '--epochs', '1', '--teacher', teacher];
    const together = flag === '--seeds' ? ['--together'] : [];
    const asked = ['--tensorboard', tensorboard, '--reporters', `module:${file}`, '--ui'];
    const { status, stderr } = srrl(['distill', ...run, flag, value, ...together, ...asked]);
    expect(status, stderr).toBe(0);
    for (const name of names) {
      const called = `students on shapes:24?test=12, ${name}`;
      expect(stderr).toContain(`${called} ended`);
      expect(stderr).toContain(`live page of ${called}: http://127.0.0.1:`);
      expect(readdirSync(join(tensorboard, name))).toHaveLength(1);
    }
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
