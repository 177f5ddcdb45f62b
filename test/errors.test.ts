/** The catalog of errors: docs/errors.md has every code, and every code can be provoked. */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { interruptSignal } from '../src/cli/run.js';
import * as errors from '../src/errors.js';
import { distill, distributed, models, openDataset, SrrlError, train } from '../src/index.js';
import torch, { loadSafetensors, saveSafetensors } from '../src/torch.js';
import { packageRoot, srrl } from './helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-errors-'));
afterAll(() => rmSync(folder, { recursive: true }));

function sources(path: string): string[] {
  return readdirSync(path).flatMap((name) => {
    const below = join(path, name);
    return statSync(below).isDirectory() ? sources(below) : below.endsWith('.ts') ? [readFileSync(below, 'utf8')] : [];
  });
}
/** Codes of Node's own. */
const foreign = ['ERR_MODULE_NOT_FOUND', 'ERR_UNKNOWN_FILE_EXTENSION'];
const codes = [
  ...new Set(
    sources(join(packageRoot, 'src')).flatMap((text) =>
      [...text.matchAll(/'(ERR_[A-Z_]+)'/g)].map(([, code]) => code as string),
    ),
  ),
]
  .filter((code) => !foreign.includes(code))
  .sort();
const catalog = readFileSync(join(packageRoot, 'docs/errors.md'), 'utf8');
const sections = new Map(
  catalog
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.split('\n')[0] as string, section]),
);

async function ended(run: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of run);
}
const shapes = () => openDataset('shapes:24?test=24');
const short = { student: 'resnet8', epochs: 2, batchSize: 12 };

/** What throws the error of a code. */
const provoke: Record<string, () => unknown> = {
  ERR_CONFIG: () => models.create('resnet9', { numClasses: 2 }),
  ERR_DATA: () => openDataset('cifar10:/nowhere'),
  ERR_FILE: () => loadSafetensors('/nowhere.safetensors'),
  ERR_DAMAGED() {
    const file = join(folder, 'damaged.safetensors');
    torch.scope(() => saveSafetensors(file, { a: torch.ones([8]) }));
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.fill(7, bytes.length - 3));
    return loadSafetensors(file);
  },
  async ERR_TEACHER() {
    const { classes, ...data } = await shapes();
    const fewer = { ...data, classes: classes.slice(0, 11) };
    await ended(distill({ ...short, teacher: 'assets/shapes-teacher.pt', data: fewer }));
  },
  ERR_TORCH: () => torch.ones([2, 2]).cholesky(),
  ERR_DISTRIBUTED: () => distributed.init({ rank: 0, worldSize: 2, address: '127.0.0.1', port: 29_617, timeout: 1 }),
  ERR_SHAPE: () => torch.ones([2]).add(torch.ones([3])),
  ERR_ARGUMENT: () => torch.ones([2]).add('two' as never),
  ERR_INDEX: () => torch.ones([2]).select(0, 5),
  ERR_DISPOSED() {
    const tensor = torch.ones([2]);
    tensor.dispose();
    return tensor.add(1);
  },
  ERR_MEMORY: () => torch.zeros([2 ** 45]),
  ERR_DIVERGED: async () => ended(train({ ...short, data: await shapes(), lr: 1e30 })),
  async ERR_THREAD() {
    const file = join(folder, 'exits.mjs');
    writeFileSync(file, 'export default () => process.exit(3);');
    await ended(train({ ...short, data: 'shapes:24?test=24', student: `module:${file}` }));
  },
  ERR_INTERRUPTED() {
    const signal = interruptSignal();
    process.emit('SIGINT');
    signal.throwIfAborted();
  },
  async ERR_BUNDLED() {
    // A copy that lies elsewhere, as in a bundle.
    const copy = join(folder, 'bundle', 'code');
    mkdirSync(copy, { recursive: true });
    writeFileSync(join(copy, '..', 'package.json'), '{"type":"module"}');
    for (const name of ['package-root.js', 'errors.js', 'printable.js'])
      copyFileSync(join(packageRoot, 'dist', name), join(copy, name));
    await import(join(copy, 'package-root.js'));
  },
};

/** Those that need more than a line, and where they are provoked. */
const elsewhere: Record<string, { file: string; by: RegExp }> = {
  ERR_BENCH: { file: 'bench/harness.test.ts', by: /toThrow\(BenchError\)/ },
  ERR_DEVICE_LOST: { file: 'train/company.test.ts', by: /toBeInstanceOf\(DeviceLostError\)/ },
  ERR_EXPORT: { file: 'export/folder.test.ts', by: /toThrow\(ExportError\)/ },
  ERR_GRADCHECK: { file: 'tensor/function.test.ts', by: /toThrow\(GradcheckError\)/ },
  ERR_LIBTORCH: { file: 'package/copies.test.ts', by: /ERR_LIBTORCH/ },
  ERR_RESUME: { file: 'errors.test.ts', by: /srrl\(\['verify-resume'/ },
  ERR_STALLED: { file: 'train/stall.test.ts', by: /ERR_STALLED/ },
};

describe('the catalog of errors', () => {
  it('has each code, with cause and fix', () => {
    expect(codes.length).toBeGreaterThan(15);
    expect([...sections.keys()].sort()).toEqual(codes);
    for (const [code, section] of sections) expect([code, section.match(/\*\*Fix:\*\*/g)?.length]).toEqual([code, 1]);
  });

  it('names the class of each code', () => {
    const classes = Object.entries(errors).filter(
      ([, value]) => typeof value === 'function' && value.prototype instanceof SrrlError,
    );
    expect(classes.length).toBeGreaterThan(15);
    for (const [name] of classes) expect(catalog).toContain(`\`${name}\``);
  });

  it.each(codes)(
    '%s can be provoked',
    async (code) => {
      const make = provoke[code];
      const other = elsewhere[code];
      expect(!make === !other, `${code} must be provoked here or elsewhere`).toBe(false);
      if (other) {
        expect(readFileSync(join(packageRoot, 'test', other.file), 'utf8')).toMatch(other.by);
        return;
      }
      const error = await torch.asyncScope(async () => {
        try {
          await make?.();
        } catch (thrown) {
          return thrown;
        }
        return undefined;
      });
      expect(error).toMatchObject({ code, message: expect.stringMatching(/\S/) });
      if (code !== 'ERR_BUNDLED') expect(error).toBeInstanceOf(SrrlError);
    },
    60_000,
  );

  it('ERR_RESUME: a run that fails is named', () => {
    const { status, stderr } = srrl(['verify-resume', '--', '--data', 'cifar10:/nowhere', '--teacher', 'nowhere.pt']);
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^srrl: The run ended with 1: /)]);
  });
});
