import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { node, packageRoot } from '../helpers/cli.js';

const script = join(packageRoot, 'scripts/check-docstrings.mjs');

it('every public export has a docstring', () => {
  const { status, stderr } = node(script, []);
  expect([stderr, status]).toEqual(['', 0]);
});

it('an export without one is found, through whatever it is exported', () => {
  const folder = mkdtempSync(join(tmpdir(), 'srrl-docstrings-'));
  writeFileSync(
    join(folder, 'inner.ts'),
    'export const bare = 1;\n/** It is. */\nexport class Told {}\nexport type Open = 1;\n',
  );
  writeFileSync(
    join(folder, 'outer.ts'),
    "export * as inner from './inner.js';\nexport { bare as naked, Told } from './inner.js';\n",
  );
  const { status, stderr } = node(script, [join(folder, 'outer.ts')]);
  rmSync(folder, { recursive: true });
  expect(stderr.match(/\S+$/gm)).toEqual(['inner.Open', 'inner.bare', 'naked']);
  expect(status).toBe(1);
});
