import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { node, packageRoot } from '../helpers/cli.js';
import { fixturePath } from '../helpers/inputs.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-fuzzer-'));
afterAll(() => rmSync(folder, { recursive: true }));
const script = (name: string) => join(packageRoot, 'scripts', name);

it.each([
  ['operators', 1500],
  ['calls', 300],
  ['files', 1000],
])(
  'the fuzzer of %s finds nothing in %d cases',
  (target, cases) => {
    const { status, stdout, stderr } = node(script('fuzz.mjs'), ['--target', target, '--cases', String(cases)]);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(new RegExp(`'${target}' +│ ${cases} `));
  },
  300_000,
);

it('a file that was kept is read again by the reader that its folder names', () => {
  const kept = join(folder, 'npy-12');
  mkdirSync(kept);
  copyFileSync(join(fixturePath('files'), 'one.npy'), join(kept, 'a.npy'));
  expect(node(script('fuzz/read-file.mjs'), [join(kept, 'a.npy')]).stdout).toBe('It was read.\n');
  copyFileSync(join(fixturePath('files'), 'refused-object.npy'), join(kept, 'a.npy'));
  expect(node(script('fuzz/read-file.mjs'), [join(kept, 'a.npy')]).stdout).toMatch(/FileError/);
}, 120_000);
