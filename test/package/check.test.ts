import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { node, packageRoot } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-check-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the import law', () => {
  it('holds for this package', () => {
    expect(node('scripts/check-imports.mjs', [])).toMatchObject({ status: 0, stderr: '' });
  });

  it.each([
    ['nn/layer.ts', "import { SRRL } from '../distill/srrl.js';", /nn\/layer.ts \(nn\) imports .*distill/],
    ['optim/sgd.ts', "import type { Layer } from '../nn/index.js';", /optim\/sgd.ts \(optim\) imports .*nn/],
    ['distill/method.ts', "export * from '../train/loop.js';", /distill\/method.ts/],
    ['report/page.ts', "import { Tensor } from '../tensor/index.js';", /report\/page.ts \(report\) imports .*tensor/],
    ['elsewhere/file.ts', '', /is in no room/],
  ])('is broken by %s', (file, line, message) => {
    const root = mkdtempSync(join(folder, 'src-'));
    mkdirSync(join(root, file, '..'), { recursive: true });
    writeFileSync(join(root, file), line);
    const { status, stderr } = node('scripts/check-imports.mjs', [root]);
    expect(stderr).toMatch(message);
    expect(status).toBe(1);
  });
});

describe('the check of the packed files', () => {
  const checkout = join(folder, 'checkout');
  const pack = (exports: object, declaration: string) => {
    writeFileSync(
      join(checkout, 'package.json'),
      JSON.stringify({ name: 'x', version: '1.0.0', type: 'module', files: ['dist'], exports: { '.': exports } }),
    );
    writeFileSync(join(checkout, 'dist/index.d.ts'), declaration);
    return node(join(checkout, 'scripts/check-package.mjs'), []);
  };
  const good = { types: './dist/index.d.ts', default: './dist/index.js' };

  it('passes what is right, and names a file that is absent and types that are wrong', () => {
    mkdirSync(join(checkout, 'scripts'), { recursive: true });
    mkdirSync(join(checkout, 'dist'));
    cpSync(join(packageRoot, 'scripts/check-package.mjs'), join(checkout, 'scripts/check-package.mjs'));
    symlinkSync(join(packageRoot, 'node_modules'), join(checkout, 'node_modules'));
    writeFileSync(join(checkout, 'dist/index.js'), 'export const answer = 42;\n');
    expect(pack(good, 'export declare const answer: number;')).toMatchObject({ status: 0, stderr: '' });
    writeFileSync(join(checkout, 'dist/other.d.ts'), 'export declare const answer: number;');
    const wrong = pack({ ...good, default: './dist/gone.js' }, "export * from './other';");
    expect([wrong.status, wrong.stderr]).toEqual([1, expect.stringMatching(/gone\.js.* does not exist/)]);
    expect(wrong.stderr).toContain('Internal resolution error');
  });
});
