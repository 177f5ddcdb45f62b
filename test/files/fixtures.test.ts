import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadNpy, loadNpz, loadPth } from '../../src/files/index.js';
import { FileError } from '../../src/torch.js';
import { fixture, fixturePath } from '../helpers/inputs.js';
import { described } from './described.js';

const expected = fixture<Record<'pth' | 'npy' | 'npz', Record<string, unknown>>>('files');
const file = (name: string) => fixturePath(`files/${name}`);

describe("files of PyTorch's and NumPy's", () => {
  it.each(Object.entries(expected.pth))('%s is read as torch.load does', async (name, value) => {
    expect(described(await loadPth(file(name)))).toEqual(value);
  });

  it.each(Object.entries(expected.npy))('%s is read as numpy.load does', (name, value) => {
    expect(described(loadNpy(file(name)))).toEqual(value);
  });

  it.each(Object.entries(expected.npz))('%s is read as numpy.load does', async (name, value) => {
    const loaded = await loadNpz(file(name));
    expect(Object.fromEntries(Object.entries(loaded).map(([key, tensor]) => [key, described(tensor)]))).toEqual(value);
  });

  it.each(readdirSync(fixturePath('files')).filter((name) => name.startsWith('refused')))(
    '%s is refused',
    async (name) => {
      const load = name.endsWith('.pth')
        ? loadPth
        : name.endsWith('.npz')
          ? loadNpz
          : async (path: string) => loadNpy(path);
      await expect(load(file(name))).rejects.toThrow(FileError);
    },
  );
});
