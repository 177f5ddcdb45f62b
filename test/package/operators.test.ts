import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pinned } from '../../src/native.js';
import { camelCase } from '../../src/tensor/names.js';
import { functionNames, methodNames } from '../../src/tensor/ops.generated.js';

const root = join(import.meta.dirname, '../..');

interface OtherLibtorch {
  version: string;
  operators: Record<string, string>;
  changed: Record<string, string>;
}

const others = pinned.compiles
  .filter((minor) => !pinned.version.startsWith(`${minor}.`))
  .map((minor) => {
    const file = join(root, `test/fixtures/data/operators-${minor}.0.json`);
    return JSON.parse(readFileSync(file, 'utf8')) as OtherLibtorch;
  });

/**
 * Operators that src/ names: `torch.conv2d`, `x.add` and 'aten::add.Tensor'; also what only looks like one, as
 * `array.sort`.
 */
function named(): Map<string, string> {
  const inSnakeCase = (names: readonly string[]) => new Map(names.map((name) => [camelCase(name), name]));
  const [functions, methods] = [inSnakeCase(functionNames), inSnakeCase(methodNames)];
  const found = new Map<string, string>();
  for (const file of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.endsWith('ops.generated.ts')) continue;
    const text = readFileSync(join(root, 'src', file), 'utf8').replaceAll(
      /\/\*[\s\S]*?\*\/|\/\/.*|native\(\)\.\w+/g,
      '',
    );
    for (const [, on, name = ''] of text.matchAll(/(?:\b(torch|functions)|[\w)\]}!])\s*\??\.(\w+)/g)) {
      const operator = (on ? functions : methods).get(name);
      if (operator) found.set(operator, file);
    }
    for (const [, name = ''] of text.matchAll(/['"`]aten::(\w+)(?![\w$])/g))
      if (!ofTorchScript.includes(name)) found.set(name, file);
  }
  return found;
}

/** TorchScript's own operators; PyTorch's list of kernels has none of them. */
const ofTorchScript = ['Float', 'Int', 'float', '__not__', 'floordiv'];

const absentFrom = ({ operators }: OtherLibtorch, names: Iterable<string>) =>
  [...names].filter((name) => !Object.hasOwn(operators, name));

describe('every operator that src/ calls by name', () => {
  const used = named();

  it('is found by this test', () => {
    for (const name of [
      'conv2d',
      '_fused_sgd_',
      '_amp_update_scale_',
      'to',
      'as_strided',
      'scaled_dot_product_attention',
    ])
      expect([name, used.has(name)]).toEqual([name, true]);
  });

  it.each(others.map((other) => [other.version, other] as const))('exists in libtorch %s', (_version, other) => {
    expect(Object.fromEntries(absentFrom(other, used.keys()).map((name) => [name, used.get(name)]))).toEqual({});
    // What a call by name would have met: an operator of our libtorch only.
    expect(absentFrom(other, ['storage_offset'])).toEqual(['storage_offset']);
  });

  it.each(others.map((other) => [other.version, other] as const))(
    'has the same schema in libtorch %s',
    (_version, other) => {
      const changed = Object.keys(other.changed).map((name) => name.split('.')[0] as string);
      expect(changed.filter((name) => used.has(name))).toEqual([]);
    },
  );
});
