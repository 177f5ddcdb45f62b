import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defineMethod } from '../../src/index.js';
import { packageRoot, srrl } from '../helpers/cli.js';

const setUp = () => ({ modules: {}, terms: () => ({}) });

describe('defineMethod', () => {
  const kind = defineMethod({ name: 'mine', options: { weight: 5, on: false, form: 'a', stages: [0, 1] }, setUp });

  it('checks options against their defaults', () => {
    expect(kind.create({}).options).toEqual({ weight: 5, on: false, form: 'a', stages: [0, 1] });
    expect(kind.create({ weight: 2, stages: [3] }).options).toMatchObject({ weight: 2, stages: [3] });
    expect(() => kind.create({ wieght: 2 })).toThrow(/Unknown option 'wieght' in the method mine. Did you mean weight/);
    expect(() => kind.create({ weight: 'much' })).toThrow(/weight.*number/);
    expect(() => kind.create({ on: 1 })).toThrow(/on/);
  });

  it('refuses what is not a method', () => {
    expect(() => defineMethod({ name: '', setUp })).toThrow(/name/);
    expect(() => defineMethod({ name: 'a', options: { x: { y: 1 } as never }, setUp })).toThrow(/default of x/);
  });
});

describe('a method in a file far from the package', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'srrl-method-'));
    const guide = readFileSync(join(packageRoot, 'docs/guide-research.md'), 'utf8');
    for (const [, name = '', text = ''] of guide.matchAll(/```(?:js|ts-file)\n\/\/ (\S+)\n([\s\S]*?)```/g))
      writeFileSync(join(folder, name), text);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const distill = (file: string) =>
    srrl([
      'distill',
      ...['--data', 'shapes:48?test=24', '--teacher', join(packageRoot, 'assets/shapes-teacher.pt')],
      ...['--method', `module:${join(folder, file)}`, '--epochs', '1', '--batch-size', '16', '--json'],
    ]);

  it('takes its options from the command line', () => {
    const { status, stdout, stderr } = distill('cosine.mjs:weight=2');
    expect([stderr, status]).toEqual(['', 0]);
    const { config } = JSON.parse(stdout.split('\n')[0] as string);
    expect(Object.values(config)).toContainEqual({ weight: 2, dim: 1 });
    const wrong = distill('cosine.mjs:wieght=2');
    expect(wrong.status).not.toBe(0);
    expect(wrong.stderr).toMatch(/Did you mean weight/);
  }, 60_000);

  it('may be TypeScript where Node.js runs it, and otherwise says which does', () => {
    const { status, stderr } = distill('hinted.ts');
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
    if (major > 22 || (major === 22 && minor >= 18)) expect([stderr, status]).toEqual(['', 0]);
    else expect(stderr).toContain('use 22.18 or newer');
  }, 60_000);

  it('that is a bare object takes no options', () => {
    writeFileSync(
      join(folder, 'bare.mjs'),
      "import { nn } from 'srrl/torch';\nexport default { name: 'bare', needsTeacher: false, options: {}, setUp: () => ({ modules: {}, " +
        'terms: ({ student, labels }) => ({ ce: { weight: 1, value: nn.functional.crossEntropy(student.logits, labels) } }) }) };\n',
    );
    expect(distill('bare.mjs').status).toBe(0);
    expect(distill('bare.mjs:weight=1').stderr).toContain('takes no options');
  }, 60_000);
});
