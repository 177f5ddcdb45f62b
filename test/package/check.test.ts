import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { node } from '../helpers/cli.js';

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
