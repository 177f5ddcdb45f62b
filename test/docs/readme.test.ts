import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { node, packageRoot } from '../helpers/cli.js';

it('the example of the README runs as it stands', () => {
  const [, program] = readFileSync(join(packageRoot, 'README.md'), 'utf8').match(/```ts\n([\s\S]*?)```/) ?? [];
  expect(program?.trim().split('\n').length).toBeLessThanOrEqual(24);
  // Inside the package, so that its own name resolves; the example is valid JavaScript.
  mkdirSync(join(packageRoot, 'build'), { recursive: true });
  const file = join(packageRoot, 'build', 'readme-example.mjs');
  writeFileSync(file, program as string);
  const { status, stdout, stderr } = node(file, []);
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/taps the input of head: 96 channels, 12 classes\nteacher \d+\.\d %\nepoch 1: /);
  expect(stdout).toMatch(/\[ 1, 12 \] \d+ tensors alive/);
});

it('links of the documents lead to files', () => {
  const documents = [
    'README.md',
    'CONTRIBUTING.md',
    'docs/method.md',
    'docs/tensors.md',
    'docs/libtorch.md',
    'docs/performance.md',
    'docs/conformance.md',
    'docs/methods.md',
    'docs/training.md',
    'docs/data.md',
    'docs/results.md',
    'docs/deployment.md',
    'docs/guide-cli.md',
    'docs/guide-typescript.md',
    'docs/guide-research.md',
    'recipes/README.md',
  ];
  for (const document of documents) {
    const text = readFileSync(join(packageRoot, document), 'utf8');
    for (const [, target] of text.matchAll(/\]\(([^)#]+?)\)/g)) {
      if (!/^https?:/.test(target as string)) readFileSync(join(packageRoot, document, '..', target as string));
    }
  }
});
