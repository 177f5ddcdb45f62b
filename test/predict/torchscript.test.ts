/** TorchScript files with a card in the archive, as torch.jit.save writes extra files. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { FileError, loadClassifier } from '../../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-torchscript-'));
afterAll(() => rmSync(folder, { recursive: true }));

const preprocessing = { resize: [4, 4], crop: [4, 4], mean: [0, 0, 0], std: [1, 1, 1] };
const card = { model: 'means', numClasses: 3, inChannels: 3, data: 'none', classes: ['r', 'g', 'b'], preprocessing };

/** Writes a network whose logits are ten times the means of the channels. */
function exported(name: string, content: object, output = '10 * x.mean((2, 3))'): string {
  const file = join(folder, name);
  const program = join(folder, 'export.py');
  const text = `import sys, torch
class Means(torch.nn.Module):
    def forward(self, x):
        return ${output}
torch.jit.save(torch.jit.script(Means()), sys.argv[1], _extra_files={"srrl.json": sys.argv[2]})
`;
  writeFileSync(program, text);
  const { status, stderr } = spawnSync(
    process.env.SRRL_PYTHON as string,
    ['-W', 'ignore', program, file, JSON.stringify(content)],
    { encoding: 'utf8' },
  );
  expect([status, stderr]).toEqual([0, '']);
  return file;
}

describe.skipIf(!process.env.SRRL_PYTHON)('a TorchScript file of PyTorch, with a card', () => {
  it('predicts', async () => {
    await using classify = await loadClassifier(exported('means.torchscript.pt', card));
    expect(classify.card.model).toBe('means');
    const background = { r: 51, g: 255, b: 102 };
    const image = await sharp({ create: { width: 9, height: 5, channels: 3, background } })
      .png()
      .toBuffer();
    const found = await classify(image);
    expect(found.map(({ label }) => label)).toEqual(['g', 'b', 'r']);
    const powers = [10, 4, 2].map(Math.exp);
    const sum = powers.reduce((total, power) => total + power, 0);
    for (const [i, { probability }] of found.entries()) expect(probability).toBeCloseTo((powers[i] as number) / sum, 5);
  });

  it('says what is wrong with its card, its output or its options', async () => {
    await expect(loadClassifier(exported('odd.pt', { ...card, classes: ['r'] }))).rejects.toThrow(/names 1 classes/);
    const pair = exported('pair.pt', card, 'x, x');
    await using classify = await loadClassifier(pair);
    const raw = { data: new Uint8Array(48), width: 4, height: 4, channels: 3 } as const;
    await expect(classify(raw)).rejects.toThrow(FileError);
    await expect(classify(raw)).rejects.toThrow(/returns a tuple, not the logits/);
    await expect(loadClassifier(pair, { model: 'module:./x.mjs' })).rejects.toThrow(/holds a whole network/);
  });
});
