/** The package as a user has it: packed, installed into an empty project, without compiler and Python. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findLibtorch } from '../../src/native.js';
import { packageRoot } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-installed-'));
const project = join(folder, 'a project');
const tools = join(folder, 'bin');
const installed = join(project, 'node_modules', 'srrl');
const bare = { PATH: tools, HOME: folder, SRRL_CACHE: join(folder, 'cache') };
afterAll(() => rmSync(folder, { recursive: true }));

function run(command: string, args: string[], env: NodeJS.ProcessEnv = process.env, cwd = project) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: 'utf8' });
  return { status, stdout, stderr };
}
const srrl = (args: string[], env: NodeJS.ProcessEnv = bare) => run('npx', ['--no', 'srrl', ...args], env);

beforeAll(() => {
  expect(run('npm', ['run', 'prebuilds'], process.env, packageRoot)).toMatchObject({ status: 0 });
  expect(run('npm', ['pack', '--pack-destination', folder], process.env, packageRoot)).toMatchObject({ status: 0 });
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "name": "project", "private": true }');
  const tarball = readdirSync(folder).find((file) => file.endsWith('.tgz')) as string;
  const install = ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', join(folder, tarball)];
  expect(run('npm', install)).toMatchObject({ status: 0 });
  // All that npx needs: no compiler, no CMake, no Python.
  mkdirSync(tools);
  symlinkSync('/bin/sh', join(tools, 'sh'));
  symlinkSync(process.execPath, join(tools, 'node'));
  for (const tool of ['npm', 'npx']) {
    const found = run('sh', ['-c', `command -v ${tool}`]).stdout.trim();
    symlinkSync(found, join(tools, tool));
  }
}, 300_000);

describe('an installed package without compiler and Python', () => {
  it('says that libtorch is missing, and nothing else', () => {
    const { status, stdout, stderr } = srrl(['doctor', '--json']);
    const { problems, addon } = JSON.parse(stdout) as { problems: string[]; addon: string[] };
    expect(problems).toEqual([expect.stringContaining('npx srrl install-libtorch')]);
    expect(addon).toEqual([expect.stringContaining(join('prebuilds', `${process.platform}-${process.arch}`))]);
    expect([status, stderr]).toEqual([1, expect.stringContaining('was not found')]);
  });

  it('installs libtorch, distills, evaluates, and predicts', async () => {
    const { libtorch } = findLibtorch();
    expect(srrl(['install-libtorch', '--from', libtorch.folder])).toMatchObject({ status: 0 });
    expect(srrl(['doctor']).stdout).toContain('No problems found');
    const teacher = join('node_modules', 'srrl', 'assets', 'shapes-teacher.pt');
    const data = 'shapes:24?test=12';
    const args = [
      'distill',
      '--data',
      data,
      '--teacher',
      teacher,
      '--student',
      'resnet8',
      '--epochs',
      '1',
      '--out',
      'r',
    ];
    expect(srrl(args)).toMatchObject({ status: 0 });
    expect(srrl(['eval', 'r'])).toMatchObject({ status: 0, stdout: expect.stringMatching(/top-1/) });
    expect(readdirSync(join(project, 'r'))).toContain('student.safetensors');
    await sharp({ create: { width: 40, height: 30, channels: 3, background: 'red' } }).toFile(join(project, 'a.png'));
    const { status, stdout } = srrl(['predict', 'r', 'a.png', '--json', '--top-k', '1']);
    expect([status, JSON.parse(stdout)]).toMatchObject([
      0,
      { image: 'a.png', predictions: [{ label: expect.any(String) }] },
    ]);
  });

  it('says what to do where its addon is missing, and builds it', () => {
    rmSync(join(installed, 'prebuilds'), { recursive: true });
    const advice = /has no native addon for .*Releases carry it for linux-x64\. Build it .* `npx srrl build`/;
    const { stdout, stderr } = srrl(['doctor', '--json']);
    expect(stderr).toMatch(advice);
    expect((JSON.parse(stdout) as { problems: string[] }).problems).toHaveLength(1);
    expect(srrl(['models', '--json']).stderr + srrl(['train', '--data', 'shapes']).stderr).toMatch(advice);
    expect(srrl(['build'])).toMatchObject({ status: 1, stderr: expect.stringContaining('CMake is missing') });

    // cmake-js is not in the package's own node_modules: npm has hoisted it.
    expect(existsSync(join(dirname(installed), 'cmake-js')) && !existsSync(join(installed, 'node_modules'))).toBe(true);
    const built = srrl(['build'], { ...process.env, SRRL_CACHE: bare.SRRL_CACHE });
    expect([built.status, built.stderr]).toEqual([0, '']);
    const { version } = JSON.parse(readFileSync(join(installed, 'libtorch.json'), 'utf8')) as { version: string };
    expect(srrl(['doctor']).stdout).toContain(join(installed, 'build', 'Release', `srrl-torch-${version}.so`));
  }, 900_000);
});
