import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { FileError, openDataset, type TrainEvent, train } from '../../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-profile-run-'));
afterAll(() => rmSync(folder, { recursive: true }));
const data = await openDataset('shapes:24?test=60');

it('traces the steps of a run after its warm-up, and refuses a bad file before the first one', async () => {
  const setup = { student: 'resnet8', data, epochs: 1, batchSize: 2 };
  const profile = join(folder, 'trace.json');
  const list: TrainEvent[] = [];
  for await (const event of train({ ...setup, profile, profileSteps: 2 })) list.push(event);
  const found = list.find((event) => event.type === 'profile');
  expect(found).toMatchObject({ file: profile, from: 6, to: 7, table: expect.stringContaining('aten::convolution') });
  const { traceEvents } = JSON.parse(readFileSync(profile, 'utf8')) as { traceEvents: { name: string }[] };
  expect(traceEvents.filter(({ name }) => name === 'ProfilerStep#1')).toHaveLength(1);
  const bad = join(folder, 'none', 'trace.json');
  await expect(train({ ...setup, profile: bad }).next()).rejects.toThrow(FileError);
  expect(existsSync(join(folder, 'none'))).toBe(false);
});
