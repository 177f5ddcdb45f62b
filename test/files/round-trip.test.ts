import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  loadNpy,
  loadNpz,
  loadPth,
  openSafetensors,
  saveNpy,
  saveNpz,
  savePth,
  saveSafetensors,
} from '../../src/files/index.js';
import torch, { type DType, nn, type Tensor } from '../../src/torch.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-round-'));
afterAll(() => rmSync(folder, { recursive: true }));
const dtypes: DType[] = [
  'float64',
  'float32',
  'float16',
  'bfloat16',
  'int64',
  'int32',
  'int16',
  'int8',
  'uint8',
  'bool',
  'complex64',
];

describe('what is written comes back', () => {
  it('as a state dict of PyTorch, with every dtype and with shared memory', async () => {
    const base = torch.randn([3, 4]);
    const value = {
      model: new nn.Linear(3, 2).stateDict(),
      all: Object.fromEntries(dtypes.map((dtype) => [dtype, torch.randn([2, 3]).mul(5).to(dtype)])),
      base,
      view: base.t(),
      epoch: 7,
      big: 2n ** 70n,
      nothing: null,
      list: [1.5, true, 'text'],
    };
    const file = join(folder, 'value.pth');
    savePth(file, value);
    const loaded = (await loadPth(file)) as typeof value;
    expect([loaded.epoch, loaded.big, loaded.nothing, loaded.list]).toEqual([7, 2n ** 70n, null, [1.5, true, 'text']]);
    for (const dtype of dtypes) {
      expect(loaded.all[dtype]?.dtype).toBe(dtype);
      expect(loaded.all[dtype]?.equal(value.all[dtype] as Tensor)).toBe(true);
    }
    expect(loaded.view.equal(base.t())).toBe(true);
    loaded.base.fill_(2);
    expect(loaded.view.sum().item()).toBe(24);
    new nn.Linear(3, 2).loadStateDict(loaded.model);
  });

  it('as NumPy files', async () => {
    for (const dtype of dtypes.filter((name) => name !== 'bfloat16')) {
      const tensor = torch
        .randn([2, 0, 3].map((size) => size + 1))
        .mul(5)
        .to(dtype);
      saveNpy(join(folder, 'one.npy'), tensor);
      expect(loadNpy(join(folder, 'one.npy')).equal(tensor)).toBe(true);
    }
    saveNpz(join(folder, 'many.npz'), { a: torch.arange(5), 'b.c': torch.ones([]) });
    const loaded = await loadNpz(join(folder, 'many.npz'));
    expect([loaded.a?.tolist(), loaded['b.c']?.item()]).toEqual([[0, 1, 2, 3, 4], 1]);
  });

  it('one tensor at a time from safetensors', () => {
    const file = join(folder, 'lazy.safetensors');
    saveSafetensors(file, { a: torch.arange(6).view(2, 3), b: torch.ones([2], { dtype: 'float64' }) }, { note: 'x' });
    const opened = openSafetensors(file);
    try {
      expect(opened.metadata).toEqual({ note: 'x' });
      expect(opened.get('a').tolist()).toEqual([
        [0, 1, 2],
        [3, 4, 5],
      ]);
      expect(() => opened.get('c')).toThrow(/c/);
    } finally {
      opened.close();
    }
  });

  it.skipIf(!process.env.SRRL_PYTHON)('in Python as well, without allowing code', () => {
    const file = join(folder, 'python.pth');
    savePth(file, { w: torch.arange(6).view(2, 3).t(), n: 3 });
    const program = `import torch; v = torch.load(${JSON.stringify(file)}, weights_only=True); print(v['w'].tolist(), v['n'])`;
    const { stdout, stderr } = spawnSync(process.env.SRRL_PYTHON as string, ['-c', program], { encoding: 'utf8' });
    expect([stdout.trim(), stderr]).toEqual(['[[0, 3], [1, 4], [2, 5]] 3', '']);
  });
});
