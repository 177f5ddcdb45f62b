import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import torch, { type DType, FileError, loadSafetensors, saveSafetensors } from '../../src/torch.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-safetensors-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('safetensors', () => {
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
  ];

  it('come back as they were written', () => {
    const file = join(folder, 'all.safetensors');
    const tensors = Object.fromEntries(dtypes.map((dtype) => [dtype, torch.randn([3, 5]).mul(10).to(dtype)]));
    saveSafetensors(
      file,
      { ...tensors, scalar: torch.tensor(2.5), empty: torch.zeros([0, 4]), turned: torch.arange(6).view(2, 3).t() },
      { a: 'b' },
    );
    const loaded = loadSafetensors(file);
    expect(loaded.metadata).toEqual({ a: 'b' });
    for (const dtype of dtypes) {
      expect(loaded.tensors[dtype]?.dtype).toBe(dtype);
      expect(loaded.tensors[dtype]?.equal(tensors[dtype] as never)).toBe(true);
    }
    expect(loaded.tensors.scalar?.item()).toBe(2.5);
    expect(loaded.tensors.empty?.shape).toEqual([0, 4]);
    expect(loaded.tensors.turned?.tolist()).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ]);
  });

  it('are refused whole when cut off anywhere, or damaged', () => {
    const file = join(folder, 'cut.safetensors');
    saveSafetensors(file, { a: torch.ones([4, 4]), b: torch.zeros([3]) });
    const bytes = readFileSync(file);
    const cut = join(folder, 'cut');
    for (let length = 0; length < bytes.length; length += 7) {
      writeFileSync(cut, bytes.subarray(0, length));
      expect(() => loadSafetensors(cut)).toThrow(FileError);
    }
    const hostile = (header: object) => {
      const text = Buffer.from(JSON.stringify(header));
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(text.length));
      writeFileSync(cut, Buffer.concat([length, text, Buffer.alloc(64)]));
      return () => loadSafetensors(cut);
    };
    expect(hostile({ a: { dtype: 'F32', shape: [4], data_offsets: [60, 76] } })).toThrow(FileError);
    expect(hostile({ a: { dtype: 'F32', shape: [-4], data_offsets: [0, 16] } })).toThrow(FileError);
    expect(hostile({ a: { dtype: 'F99', shape: [4], data_offsets: [0, 16] } })).toThrow(FileError);
    expect(hostile({ a: { dtype: 'F32', shape: [2 ** 40, 2 ** 40], data_offsets: [0, 16] } })).toThrow(FileError);
    expect(hostile({ a: null })).toThrow(FileError);
    expect(() => loadSafetensors(join(folder, 'nothing'))).toThrow(/cannot be read/);
    expect(() => saveSafetensors(cut, { __metadata__: torch.ones([1]) })).toThrow(/__metadata__/);
  });
});
