/** The trackers in examples/tracking, with the real Python clients where SRRL_PYTHON has them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import type { Reporter, TrainEvent } from '../../src/index.js';
import { packageRoot } from '../helpers/cli.js';

const python = process.env.SRRL_PYTHON;
const has = (module: string): boolean =>
  python !== undefined && spawnSync(python, ['-c', `import ${module}`], { timeout: 60_000 }).status === 0;

const folder = mkdtempSync(join(tmpdir(), 'srrl-tracking-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => void vi.unstubAllEnvs());

const events = [
  { type: 'start', config: { lr: 0.05, srrl: { alpha: 10 } }, provenance: { version: '1.0.0', command: 'srrl' } },
  { type: 'step', step: 1, steps: 2, epoch: 1, epochs: 1, loss: 2.5, imagesPerSecond: 100 },
  {
    ...{
      type: 'epoch',
      epoch: 1,
      epochs: 1,
      lr: 0.05,
      loss: 2.25,
      terms: { ce: 1.5 },
      imagesPerSecond: 100,
      seconds: 1,
    },
    test: { top1: 50, top5: 90, loss: 1.25, count: 10 },
  },
  { type: 'end', test: { top1: 50, top5: 90, loss: 1.25, count: 10 }, epoch: 1, seconds: 1 },
] as unknown as TrainEvent[];

async function reporterOf(file: string): Promise<Reporter> {
  const module = (await import(join(packageRoot, 'examples/tracking', file))) as {
    default: (run: { name: string }) => Reporter;
  };
  return module.default({ name: 'a-run' });
}

async function track(file: string): Promise<void> {
  const reporter = await reporterOf(file);
  for (const event of events) await reporter.on(event);
  await reporter.close?.();
}

/** What is in a file below a folder whose name ends so. */
const found = (path: string, end: string): string | undefined => {
  const file = (readdirSync(path, { recursive: true }) as string[]).find((name) => name.endsWith(end));
  return file && readFileSync(join(path, file), 'utf8');
};

describe('examples/tracking', () => {
  it.skipIf(!has('mlflow'))('logs to MLflow (SRRL_PYTHON with mlflow)', async () => {
    vi.stubEnv('MLFLOW_TRACKING_URI', join(folder, 'mlruns'));
    // Later versions of MLflow ask for this word where runs are kept in files.
    vi.stubEnv('MLFLOW_ALLOW_FILE_STORE', 'true');
    await track('mlflow.mjs');
    expect(found(folder, 'params/srrl.alpha')).toBe('10');
    expect(found(folder, 'metrics/test/top1')).toMatch(/ 50\.0 1\n$/);
    expect(found(folder, 'metrics/step/loss')).toMatch(/ 2\.5 1\n$/);
    expect(found(folder, 'tags/mlflow.runName')).toBe('a-run');
  });

  it.skipIf(!has('wandb'))('logs to Weights & Biases, offline (SRRL_PYTHON with wandb)', async () => {
    vi.stubEnv('WANDB_MODE', 'offline');
    vi.stubEnv('WANDB_DIR', folder);
    vi.stubEnv('WANDB_SILENT', 'true');
    await track('wandb.mjs');
    const run = readdirSync(join(folder, 'wandb')).find((name) => name.startsWith('offline-run-'));
    expect(run).toBeDefined();
    const file = readdirSync(join(folder, 'wandb', run as string)).find((name) => name.endsWith('.wandb')) as string;
    expect(readFileSync(join(folder, 'wandb', run as string, file)).includes('test/top1')).toBe(true);
  });

  it('says what is wrong where Python or a client is missing', async () => {
    vi.stubEnv('SRRL_PYTHON', join(folder, 'no-python'));
    await expect(track('mlflow.mjs')).rejects.toThrow(/ENOENT/);
  });

  it('leaves no unhandled rejection, which would end the run', async () => {
    vi.stubEnv('SRRL_PYTHON', join(folder, 'no-python'));
    const reporter = await reporterOf('mlflow.mjs');
    await vi.waitFor(() => expect(() => reporter.on(events[0] as TrainEvent)).toThrow(/ENOENT/));
  });
});
