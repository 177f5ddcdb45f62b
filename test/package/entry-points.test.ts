/** A project that has the package: by import and require, with types, and in a bundle. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { node, packageRoot } from '../helpers/cli.js';

const project = mkdtempSync(join(tmpdir(), 'srrl-entry-'));
afterAll(() => rmSync(project, { recursive: true }));
beforeAll(() => {
  mkdirSync(join(project, 'node_modules/@types'), { recursive: true });
  symlinkSync(packageRoot, join(project, 'node_modules/srrl'));
  symlinkSync(join(packageRoot, 'node_modules/@types/node'), join(project, 'node_modules/@types/node'));
  writeFileSync(join(project, 'package.json'), '{ "name": "project", "type": "module" }');
});

function write(name: string, text: string): string {
  writeFileSync(join(project, name), text);
  return join(project, name);
}
const run = (file: string) => node(file, [], { cwd: project });

describe('import and require', () => {
  const body = `
    const x = torch.ones([2], { requiresGrad: true });
    x.mul(3).sum().backward();
    console.log(x.grad.tolist().join(), Object.keys(models).includes('create'), typeof assertClose);
  `;

  it('import all entry points', () => {
    const file = write(
      'import.mjs',
      `import torch from 'srrl/torch'; import { models } from 'srrl'; import { assertClose } from 'srrl/testing'; ${body}`,
    );
    expect(run(file)).toMatchObject({ status: 0, stderr: '', stdout: '3,3 true function\n' });
  });

  it('require the same copy, with the default export under its name', () => {
    const file = write(
      'require.cjs',
      `const { torch } = require('srrl/torch'); const { models } = require('srrl');
       const { assertClose } = require('srrl/testing'); ${body}
       import('srrl/torch').then((imported) => {
         console.log(imported.default === torch, require('srrl/torch').default === torch, require('srrl/package.json').name);
       });`,
    );
    const { status, stdout } = run(file);
    expect([status, stdout]).toEqual([0, '3,3 true function\ntrue true srrl\n']);
  });
});

describe('a program given as text', () => {
  it('trains and predicts in threads of their own', () => {
    const program = `
      import { loadClassifier, train } from 'srrl';
      const options = { student: 'resnet8', data: 'shapes:60?test=24', epochs: 1, batchSize: 12, out: 'run' };
      let last;
      for await (const event of train(options)) last = event;
      const classify = await loadClassifier('run');
      const [{ label }] = await classify({ data: new Uint8Array(3072), width: 32, height: 32, channels: 3 });
      console.log(last.type, typeof label);
      await classify.close();`;
    expect(node('--input-type=module', ['-e', program], { cwd: project })).toMatchObject({
      status: 0,
      stdout: 'end string\n',
    });
  });
});

describe('types', () => {
  const source = (call: string) => `
    import torch, { nn, type Tensor } from 'srrl/torch';
    import { models, SRRL, type StudentCard } from 'srrl';
    import { assertClose } from 'srrl/testing';
    const method: SRRL = new SRRL({ alpha: 1 });
    const x: Tensor = torch.randn([2, 3, 8, 8]);
    const y: Tensor = models.create('resnet8', { numClasses: 4 }).forward(x);
    assertClose(new nn.ReLU().forward(y), y);
    export const card: StudentCard | undefined = undefined;
    ${call}
  `;
  /** The errors of all files, one line each. */
  function compile(files: string[], options: string[]): string[] {
    const common = '--noEmit --strict --target es2022 --lib es2022,esnext.disposable --types node'.split(' ');
    const tsc = join(packageRoot, 'node_modules/typescript/bin/tsc');
    const { stdout } = node(tsc, [...common, ...options, ...files], { cwd: project });
    return stdout.split('\n').filter((line) => line.includes('error TS'));
  }
  const resolutions = {
    node16: ['--module', 'node16'],
    nodenext: ['--module', 'nodenext'],
    bundler: ['--module', 'esnext', '--moduleResolution', 'bundler'],
  };

  it.each(Object.entries(resolutions))('are found and checked under %s', (name, options) => {
    const right = write(`right-${name}.mts`, source(''));
    const wrong = write(`wrong-${name}.mts`, source("x.add('three', 4, 5);"));
    expect(compile([right, wrong], options)).toEqual([expect.stringContaining(`wrong-${name}.mts`)]);
  });

  it('are found in a CommonJS file under nodenext', () => {
    expect(compile([write('right.cts', source(''))], resolutions.nodenext)).toEqual([]);
  });
});

describe('a bundle by esbuild', () => {
  const bundle = async (format: 'esm' | 'cjs', external: string[]) => {
    const entry = write(
      'entry.mjs',
      "import { torch } from 'srrl/torch';\nconsole.log(torch.ones([2]).sum().item());\n",
    );
    const outfile = join(project, 'dist', `bundle.${format === 'esm' ? 'mjs' : 'cjs'}`);
    const { errors } = await build({
      entryPoints: [entry],
      bundle: true,
      platform: 'node',
      format,
      external,
      outfile,
      logLevel: 'silent',
    });
    expect(errors).toEqual([]);
    return run(outfile);
  };

  it.each(['esm', 'cjs'] as const)('in format %s fails with one line that says how to bundle', async (format) => {
    const { status, stderr } = await bundle(format, []);
    expect(stderr.split('\n').filter((line) => line.includes('--external:srrl'))).toEqual([
      expect.stringMatching(/SrrlError: srrl cannot be part of a bundle: .*Bundle with --external:srrl/),
    ]);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(status).toBe(1);
  });

  it.each(['esm', 'cjs'] as const)('in format %s runs with --external:srrl', async (format) => {
    expect(await bundle(format, ['srrl'])).toMatchObject({ status: 0, stdout: '2\n' });
  });
});
