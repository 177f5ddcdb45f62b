/** Two copies of the package in one process, as nested node_modules have them. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
let folder: string;

/** A copy with a libtorch.json of its own; its packages are those of the checkout. */
function copyTo(name: string): string {
  const place = join(folder, name, 'node_modules/srrl');
  mkdirSync(join(place, 'build'), { recursive: true });
  for (const part of ['dist', 'package.json', 'libtorch.json', 'build/Release'])
    cpSync(join(root, part), join(place, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(place, 'node_modules'));
  return join(place, 'dist/torch.js');
}

let copies: string[];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'srrl-copies-'));
  copies = ['a', 'b'].map(copyTo);
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(body: string, env: Record<string, string> = {}): { status: number | null; output: string } {
  const file = join(folder, 'script.mjs');
  writeFileSync(
    file,
    `const [a, b] = await Promise.all(${JSON.stringify(copies)}.map((file) => import(file)));\n${body}`,
  );
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status, output: stdout + stderr };
}

it('both compute, with operators, gradients and compiled networks of their own', () => {
  const { status, output } = run(`
    const results = [a, b].map(({ default: torch, nn }) => {
      torch.manualSeed(1);
      const x = torch.randn([2, 32, 8, 8]).contiguous({ memoryFormat: 'channelsLast' }).requiresGrad_();
      const w = torch.randn([32, 32, 3, 3]);
      const y = torch.dispatch('srrl::conv3x3', x, w, null);
      y.sum().backward();
      const order = torch.dispatch('srrl::epoch_order', 10, 3, 1).tolist();
      return JSON.stringify([y.sum().item(), x.grad.sum().item(), order]);
    });
    console.log(results[0] === results[1], a.default.dispatch !== b.default.dispatch);
  `);
  expect(output).toBe('true true\n');
  expect(status).toBe(0);
});

it('work in worker threads as well', () => {
  const { status, output } = run(`
    const { Worker } = await import('node:worker_threads');
    const source = (file) => \`import(\${JSON.stringify(file)}).then(({ default: torch }) => require('worker_threads').parentPort.postMessage(torch.dispatch('srrl::epoch_order', 3, 1, 1).shape[0]))\`;
    const files = ${JSON.stringify(copies)};
    const answers = await Promise.all([...files, ...files].map((file) => new Promise((resolve, reject) => {
      const worker = new Worker(source(file), { eval: true });
      worker.once('message', resolve).once('error', reject);
    })));
    console.log(answers.join());
    process.exit(0);
  `);
  expect(output).toBe('3,3,3,3\n');
  expect(status).toBe(0);
});

it("do not take each other's tensors, and say so", () => {
  const { status, output } = run(`
    try { a.default.add(a.default.ones([2]), b.default.ones([2])); } catch (error) { console.log(error.code, error.message); }
    try { a.default.receiveTensor(b.default.sendTensor(b.default.ones([2]))); } catch (error) { console.log(error.code, error.message); }
  `);
  expect(output).toMatch(/ERR_ARGUMENT .*a Tensor of another copy of srrl \(.*\/b\/node_modules\/srrl\)/);
  expect(output).toMatch(/ERR_TORCH .*never sent by this copy of srrl/);
  expect(status).toBe(0);
});

it('a copy that needs another libtorch than the process has names both', () => {
  const version = (JSON.parse(readFileSync(join(root, 'libtorch.json'), 'utf8')) as { version: string }).version;
  const { output } = run(`
    // The second copy finds a libtorch that says it is another version.
    const fs = await import('node:fs');
    const other = ${JSON.stringify(folder)} + '/other';
    fs.mkdirSync(other + '/lib', { recursive: true });
    fs.writeFileSync(other + '/lib/libtorch_cpu.so', '');
    fs.writeFileSync(other + '/lib/libtorch_cpu.dylib', '');
    fs.writeFileSync(other + '/build-version', '2.99.0');
    const release = ${JSON.stringify(copies)}[1].replace('dist/torch.js', 'build/Release/');
    fs.copyFileSync(release + 'srrl-torch-${version}.so', release + 'srrl-torch-2.99.0.so');
    a.default.ones([1]);
    process.env.LIBTORCH = other;
    try { b.default.ones([1]); } catch (error) { console.log(error.code, error.message); }
  `);
  expect(output).toMatch(
    /ERR_LIBTORCH .*has loaded libtorch .* from .*, and the srrl in .*\/b\/node_modules\/srrl needs libtorch 2\.99\.0 from .*other/,
  );
});
