/** What holds of all inputs; fast-check looks for one of which it does not. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { printable, printableName } from '../../src/printable.js';
import { parseStrict, repeatedKey } from '../../src/strict-json.js';
import { parseYaml } from '../../src/strict-yaml.js';
import torch, { DamagedError, FileError, loadNpz, loadSafetensors, saveNpz, saveSafetensors } from '../../src/torch.js';
import { readCheckpoint } from '../../src/train/checkpoint-file.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-properties-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'a.safetensors');
const runs = { numRuns: 60 };

const name = fc
  .string({ minLength: 1, unit: 'grapheme' })
  .filter((text) => text !== '__metadata__' && text !== '__proto__');
const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
const metadata = fc.dictionary(name, fc.string({ unit: 'grapheme' }), { maxKeys: 5 });

describe('files of tensors', () => {
  it('safetensors come back as they were written: names, shapes, values, texts', () => {
    fc.assert(
      fc.property(fc.dictionary(name, shape, { maxKeys: 5 }), metadata, (shapes, texts) => {
        torch.scope(() => {
          const tensors = Object.fromEntries(Object.entries(shapes).map(([key, sizes]) => [key, torch.randn(sizes)]));
          saveSafetensors(file, tensors, texts);
          const loaded = loadSafetensors(file);
          expect(loaded.metadata).toEqual({ ...texts });
          expect(Object.keys(loaded.tensors).sort()).toEqual(Object.keys(tensors).sort());
          for (const [key, tensor] of Object.entries(tensors)) {
            expect(loaded.tensors[key]?.shape).toEqual(tensor.shape);
            expect(loaded.tensors[key]?.equal(tensor)).toBe(true);
          }
        });
      }),
      runs,
    );
  });

  it('.npz come back as well, empty arrays among them', async () => {
    const path = join(folder, 'a.npz');
    await fc.assert(
      fc.asyncProperty(fc.array(shape, { maxLength: 4 }), async (shapes) => {
        await torch.asyncScope(async () => {
          const tensors = Object.fromEntries(shapes.map((sizes, i) => [`t${i}`, torch.randn(sizes)]));
          saveNpz(path, tensors);
          const loaded = await loadNpz(path);
          for (const [key, tensor] of Object.entries(tensors)) expect(loaded[key]?.equal(tensor)).toBe(true);
        });
      }),
      runs,
    );
  });

  it('a changed byte of a safetensors file is never overlooked', () => {
    torch.scope(() => saveSafetensors(file, { a: torch.randn([40]), b: torch.arange(9) }, { k: 'value' }));
    const bytes = readFileSync(file);
    const before = torch.scope(() => JSON.stringify(loadSafetensors(file).tensors.a?.tolist()));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] as number) ^ change;
        writeFileSync(file, changed);
        try {
          // A change within the name of the checksum leaves a file without one; nothing else differs then.
          const found = torch.scope(() => JSON.stringify(loadSafetensors(file).tensors.a?.tolist()));
          expect(found).toBe(before);
          expect(Object.keys(loadSafetensors(file).metadata)).toHaveLength(2);
        } catch (error) {
          expect(error).toBeInstanceOf(FileError);
        }
      }),
      { numRuns: 400 },
    );
    writeFileSync(file, Buffer.concat([bytes.subarray(0, -1), Buffer.from([(bytes.at(-1) as number) ^ 1])]));
    expect(() => loadSafetensors(file)).toThrow(DamagedError);
  });

  it('a checkpoint may say anything of itself: it is read or refused', () => {
    const valid: Record<string, unknown> = {
      ...{
        format: 4,
        config: {},
        step: 0,
        microBatch: 1,
        tensors: ['a'],
        numbers: {},
        groups: [{ lr: 1 }],
        lastEpoch: 0,
      },
      ...{ emaUpdates: 0, meter: { count: 0, sums: {} }, progress: { epochs: [], skipped: 0, epochSeconds: 0 } },
    };
    const write = (meta: object) =>
      torch.scope(() => saveSafetensors(file, { a: torch.ones([1]) }, { checkpoint: JSON.stringify(meta) }));
    write(valid);
    expect(torch.scope(() => readCheckpoint(file)).meta.step).toBe(0);
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(valid), 'new'), fc.jsonValue({ maxDepth: 3 }), (key, value) => {
        write({ ...valid, [key]: value });
        try {
          torch.scope(() => readCheckpoint(file));
        } catch (error) {
          expect(error).toBeInstanceOf(FileError);
          expect((error as Error).message).toContain(file);
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('texts', () => {
  it('JSON: a key that appears twice is found, and nothing else', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()), (value) => {
        const text = JSON.stringify(value);
        expect(parseStrict(text)).toEqual(JSON.parse(text));
        const [key] = Object.keys(value);
        if (key === undefined) return;
        const twice = `{${JSON.stringify(key)}:1,${text.slice(1)}`;
        expect(repeatedKey(twice)).toBe(key);
        expect(repeatedKey(`[{"in":${twice}}]`)).toBe(key);
        expect(() => parseStrict(twice)).toThrow(SyntaxError);
      }),
      runs,
    );
  });

  it('YAML: what is written comes back', () => {
    const json = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z]\w*$/), json), (value) => {
        expect(parseYaml(stringify(value))).toEqual({ ...value });
      }),
      runs,
    );
  });

  it('what is printed holds no control character, and JSON stays the same', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
    const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(control);
        expect(printableName(text)).not.toMatch(/[\n\t]/);
        const json = JSON.stringify({ text });
        expect(JSON.parse(printable(json))).toEqual({ text });
      }),
      { numRuns: 500 },
    );
  });
});
