import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SampleRandom } from '../../src/data/philox.js';
import { loadNpy, loadNpz, loadPth, loadSafetensors, saveSafetensors } from '../../src/files/index.js';
import torch, { SrrlError } from '../../src/torch.js';
import { fixturePath } from '../helpers/inputs.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-hostile-'));
afterAll(() => rmSync(folder, { recursive: true }));

saveSafetensors(join(folder, 'model.safetensors'), { a: torch.ones([4, 3]), b: torch.arange(5) });
const samples = [
  ...readdirSync(fixturePath('files')).map((name) => fixturePath(`files/${name}`)),
  join(folder, 'model.safetensors'),
];

function load(name: string, path: string): Promise<unknown> | unknown {
  if (name.endsWith('.pth')) return loadPth(path);
  if (name.endsWith('.npz')) return loadNpz(path);
  return name.endsWith('.npy') ? loadNpy(path) : loadSafetensors(path);
}

/** Loads damaged bytes: a value or an error of this package's, and no tensor is left behind. */
async function attempt(name: string, bytes: Buffer): Promise<boolean> {
  const path = join(folder, 'damaged');
  writeFileSync(path, bytes);
  return torch.asyncScope(async () => {
    try {
      await load(name, path);
      return true;
    } catch (error) {
      if (!(error instanceof SrrlError)) throw new Error(`${name}: ${error}`, { cause: error });
      return false;
    }
  });
}

describe('damaged files', () => {
  it('cut off at any place are refused', async () => {
    const before = torch.memory().tensors;
    for (const sample of samples) {
      const bytes = readFileSync(sample);
      for (let part = 0; part < 24; part++) {
        const length = Math.floor((bytes.length * part) / 24);
        expect([sample, length, await attempt(sample, bytes.subarray(0, length))]).toEqual([sample, length, false]);
      }
    }
    expect(torch.memory().tensors).toBeLessThanOrEqual(before);
  }, 120_000);

  it('with flipped bytes are read or refused, never anything else', async () => {
    const before = torch.memory().tensors;
    for (const [number, sample] of samples.entries()) {
      for (let trial = 0; trial < 40; trial++) {
        const random = new SampleRandom(3, number, trial);
        const bytes = Buffer.from(readFileSync(sample));
        for (let flips = 1 + random.below(4); flips > 0; flips--) bytes[random.below(bytes.length)] = random.below(256);
        await attempt(sample, bytes);
      }
    }
    expect(torch.memory().tensors).toBeLessThanOrEqual(before);
  }, 120_000);
});
