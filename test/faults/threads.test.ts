/** Threads that die, and files that are exchanged under a run. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { writePacked } from '../../src/data/formats/packed.js';
import { weightBytes } from '../../src/distill/saved-student.js';
import { distill, openDataset, type TrainEvent, verifyFile } from '../../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-threads-'));
afterAll(() => rmSync(folder, { recursive: true }));
const teacher = 'assets/shapes-teacher.pt';
const weights = (out: string) => weightBytes(join(out, 'student.safetensors'));

async function run(setup: Parameters<typeof distill>[0], hear: (event: TrainEvent) => void = () => {}): Promise<void> {
  for await (const event of distill(setup)) hear(event);
}

it("a run's thread that ends in the middle of a step: an error, checkpoints intact, and the run resumes", async () => {
  const mine = join(folder, 'mine.mjs');
  const method = (ends: boolean) =>
    writeFileSync(
      mine,
      `let calls = 0;
      export default { name: 'mine', options: {}, setUp: () => ({ modules: {}, terms: ({ student }) => {
        if (${ends} && ++calls === 9) process.exit(3);
        return { mine: { weight: 1, value: student.logits.pow(2).mean() } };
      } }) };`,
    );
  const setup = {
    ...{ data: 'shapes:60?test=24', teacher, student: 'resnet8', method: `module:${mine}` },
    ...{ epochs: 3, batchSize: 12, seed: 5 },
  };
  const [out, whole] = [join(folder, 'ended'), join(folder, 'whole')];
  method(true);
  await expect(run({ ...setup, out })).rejects.toMatchObject({
    code: 'ERR_THREAD',
    message: expect.stringMatching(/ended with code 3 before the run did/),
  });
  const states = (await verifyFile(out)).map(({ kind, state }) => `${kind} ${state}`);
  expect(states).toContain('checkpoint intact');
  expect(states.join()).not.toContain('damaged');
  method(false);
  await run({ ...setup, out, resume: true });
  await run({ ...setup, out: whole });
  expect(weights(out).equals(weights(whole))).toBe(true);
}, 120_000);

it('a packed data set that another one replaces during a run: the run keeps the one that it began with', async () => {
  const file = join(folder, 'data.pack');
  await writePacked(await openDataset('shapes:60?test=24'), file);
  const other = join(folder, 'other.pack');
  await writePacked(await openDataset('shapes:72?test=12'), other);
  const setup = { data: await openDataset(`packed:${file}`), teacher, student: 'resnet8', epochs: 2, batchSize: 12 };
  const [alone, replaced] = [join(folder, 'alone'), join(folder, 'replaced')];
  await run({ ...setup, out: alone });
  let renamed = false;
  await run({ ...setup, out: replaced }, ({ type }) => {
    if (type !== 'step' || renamed) return;
    renameSync(other, file);
    renamed = true;
  });
  expect(renamed).toBe(true);
  expect(weights(replaced).equals(weights(alone))).toBe(true);
}, 120_000);
