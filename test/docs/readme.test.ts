import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { node, packageRoot } from '../helpers/cli.js';

it('the example of the README runs as it stands', () => {
  const [, program] = readFileSync(join(packageRoot, 'README.md'), 'utf8').match(/```ts\n([\s\S]*?)```/) ?? [];
  expect(program?.trim().split('\n').length).toBeLessThanOrEqual(10);
  // Inside the package, so that its own name resolves; the example is valid JavaScript.
  mkdirSync(join(packageRoot, 'build'), { recursive: true });
  const file = join(packageRoot, 'build', 'readme-example.mjs');
  writeFileSync(file, program as string);
  const { status, stdout, stderr } = node(file, []);
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^the classifier is head: 96 channels\nepoch 1: \d+\.\d % \{\s+ce: [^}]*\}\nepoch 2: /);
});
