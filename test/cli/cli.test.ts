import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands/index.js';
import { srrl } from '../helpers/cli.js';
import { fixturePath } from '../helpers/inputs.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));
/** A PNG file of 8 x 8 pixels. */
const smallImage =
  'iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAACXBIWXMAAAPoAAAD6AG1e1JrAAAAEUlEQVQImWNoaHDAihiGlgQAUplQAfdJi7MAAAAASUVORK5CYII=';
const teacher = 'assets/shapes-teacher.pt';
const shared = process.env.SRRL_TEST_DATA ?? '../shared/data';

describe('help and usage', () => {
  it('lists every command with an example', () => {
    const { status, stdout } = srrl(['--help']);
    expect(status).toBe(0);
    for (const { name } of commands) expect(stdout).toContain(name);
    const help = srrl(['distill', '--help']);
    expect(help.stdout).toMatch(/--alpha <number>\s+weight of the feature matching loss \(default 1\)/);
    expect(help.stdout).toContain('Examples:\n  srrl distill');
  });

  it.each([
    [['distil'], /Did you mean distill/],
    [['distill', '--alfa', '1'], /--alfa.*\n.*Did you mean --alpha/],
    [['distill', '--data', 'shapes'], /srrl distill needs --teacher: file of torch.export.save or TorchScript/],
    [
      ['train', '--data', 'shapes', '--epochs', 'many'],
      /--epochs must be a whole number of at least 1, not 'many'\. Example: --epochs 60/,
    ],
    [['train', '--data', 'shapes', '--epochs', '0'], /--epochs must be a whole number of at least 1, not 0/],
    [
      ['train', '--data', 'shapes', '--schedule', 'sine'],
      /--schedule must be one of cosine, step, constant, not 'sine'\. Did you mean cosine\?/,
    ],
    [['train', '--data', 'shapes', '--student', 'resnet9'], /no model 'resnet9'/],
    [['eval'], /missing required argument/],
    [['distill', '--config', 'nowhere.yaml'], /--config nowhere.yaml cannot be read/],
  ])('%j is a mistake of usage, exit code 2', (args, message) => {
    const { status, stderr, signal } = srrl(args.includes('distill') && args.includes('--data') ? args : args);
    expect(stderr).toMatch(message);
    expect([status, signal]).toEqual([2, null]);
  });

  it('refuses unknown keys of a configuration file, with the nearest', () => {
    const file = join(folder, 'typo.yaml');
    writeFileSync(file, 'data: shapes\nteacher: x.pt\nepoch: 3\n');
    const { status, stderr } = srrl(['distill', '--config', file]);
    expect(stderr).toMatch(/Unknown option 'epoch' in .*typo.yaml\. Did you mean epochs\?/);
    expect(status).toBe(2);
  });
});

describe('bad input ends with one or two lines and exit code 1', () => {
  it.each([
    [['distill', '--data', 'shapes:24?test=60', '--teacher', 'nowhere.pt'], /nowhere.pt does not exist/],
    [['distill', '--data', 'shapes:24?test=60', '--teacher', 'package.json'], /no TorchScript file/],
    [
      ['distill', '--data', 'shapes:24?test=60', '--teacher', fixturePath('teachers/no-linear.bad.pt')],
      /no linear classifier/,
    ],
    [
      ['distill', '--data', 'shapes:24?test=60', '--teacher', fixturePath('teachers/plain.scripted.pt')],
      /has 10 classes, shapes:24\?test=60 has 12/,
    ],
    [['train', '--data', 'fashion-mnist:/nowhere'], /does not exist/],
    [['train', '--data', 'shappes'], /Did you mean shapes/],
    [['eval', '/nowhere'], /not a run folder/],
    [['inspect', fixturePath('teachers/two-heads.bad.pt')], /--tap/],
  ])('%j', (args, message) => {
    const { status, signal, stderr } = srrl(args);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(2);
    expect([status, signal]).toEqual([1, null]);
  });
});

describe('libtorch that is absent or wrong', () => {
  const empty = { SRRL_CACHE: join(folder, 'empty'), PATH: '' };

  it('is said with the command that installs it', () => {
    const { status, stderr } = srrl(['train', '--data', 'shapes'], empty);
    expect(stderr).toMatch(/libtorch 2\.\d+\.\d+ was not found \(none\)\. Run `npx srrl install-libtorch`/);
    expect(status).toBe(1);
  });

  it('is said where LIBTORCH points to nothing, or to another version', () => {
    expect(srrl(['doctor'], { LIBTORCH: folder }).stderr).toMatch(/LIBTORCH=.* cannot be used: no lib\/libtorch_cpu/);
    const old = join(folder, 'old');
    mkdirSync(join(old, 'lib'), { recursive: true });
    writeFileSync(join(old, 'lib', process.platform === 'darwin' ? 'libtorch_cpu.dylib' : 'libtorch_cpu.so'), '');
    writeFileSync(join(old, 'build-version'), '1.13.1+cpu\n');
    const { status, stderr } = srrl(['doctor'], { LIBTORCH: old });
    expect(stderr).toMatch(/libtorch 1\.13\.1\+cpu, not the version that is needed \(needed: 2\./);
    expect(status).toBe(1);
  });

  it('is said where the library itself is broken', () => {
    const broken = join(folder, 'broken');
    mkdirSync(join(broken, 'lib'), { recursive: true });
    writeFileSync(join(broken, 'lib', 'libtorch_cpu.so'), 'not a library');
    writeFileSync(join(broken, 'build-version'), JSON.parse(readFileSync('libtorch.json', 'utf8')).version);
    const { status, stderr, signal } = srrl(['doctor'], { LIBTORCH: broken });
    expect(stderr).toMatch(/cannot be loaded/);
    expect([status, signal]).toEqual([1, null]);
  });

  it('shows the whole search in doctor', () => {
    const { status, stdout } = srrl(['doctor', '--json'], empty);
    const { search, problem } = JSON.parse(stdout) as { search: string[]; problem: string };
    expect(search.map((line) => line.split(' ')[0])).toEqual([
      'LIBTORCH',
      'cache',
      'python',
      'system',
      'system',
      'system',
      'system',
    ]);
    expect(problem).toMatch(/install-libtorch/);
    expect(status).toBe(1);
    expect(srrl(['doctor']).stdout).toContain('No problems found');
  });
});

describe('the main job', () => {
  it('distils, and eval finds the accuracy that was printed', () => {
    const out = join(folder, 'run');
    const args = [
      'distill',
      '--data',
      'shapes:120?test=60',
      '--teacher',
      teacher,
      '--epochs',
      '2',
      '--out',
      out,
      '--json',
    ];
    const { status, stdout, stderr } = srrl(args);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.map(({ type }) => type)).toEqual(['start', 'epoch', 'epoch', 'end']);
    expect(events[0].teacher.top1).toBeGreaterThan(90);
    const again = JSON.parse(srrl(['eval', out, '--json']).stdout);
    expect(again).toMatchObject(events.at(-1).test);
    expect(srrl(args).stderr).toMatch(/already holds a run/);
    expect(JSON.parse(srrl(['export', out, join(folder, 'student.pth'), '--json']).stdout)).toMatchObject({
      format: 'pth',
      card: { model: 'resnet8', parameters: 78_172 },
    });
    expect(srrl(['export', out, join(folder, 'student.h5')]).stderr).toMatch(/says no format.*\n {2}\.onnx/);
  }, 120_000);

  it('takes options from a file, and flags win', () => {
    const file = join(folder, 'run.yaml');
    writeFileSync(file, `data: shapes:24?test=60\nteacher: ${teacher}\nepochs: 5\nbatchSize: 12\nbeta: 3\n`);
    const { stdout } = srrl(['distill', '--config', file, '--epochs', '1', '--json']);
    expect(JSON.parse(stdout.split('\n')[0] as string).config).toMatchObject({
      epochs: 1,
      batchSize: 12,
      srrl: { alpha: 1, beta: 3 },
    });
  });

  it('says what it waits for, to people and to machines', () => {
    const file = join(folder, 'slow.mjs');
    writeFileSync(
      file,
      `const photo = Buffer.from('${smallImage}', 'base64');
      const split = {
        labels: Uint8Array.of(0, 1),
        nameOf: (image) => 'far/' + image + '.png',
        read: (image) => new Promise((resolve) => setTimeout(() => resolve(photo), 500)),
      };
      export default { source: 'far', classes: ['a', 'b'], channels: 3, height: 8, width: 8, mean: [0, 0, 0], std: [1, 1, 1],
        augment: { pad: 0, flip: true }, train: split, test: split };`,
    );
    const args = [
      'train',
      '--data',
      `module:${file}`,
      '--student',
      'resnet8',
      '--epochs',
      '1',
      '--stall-warning',
      '0.1',
    ];
    const shown = srrl(args);
    expect(shown.stderr).toMatch(
      /waiting for \S+ s for far\/0\.png \(image 0 of the test split\); 2 of its batch are missing/,
    );
    expect(shown.status).toBe(0);
    const events = srrl([...args, '--json'])
      .stdout.trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.find(({ type, split }) => type === 'stall' && split === 'train')).toMatchObject({
      file: expect.stringMatching(/^far\/[01]\.png$/),
      waited: expect.any(Number),
      missing: expect.any(Number),
    });
  }, 60_000);

  it('proves that a killed run continues to the same weights', () => {
    const run = ['--data', 'shapes:48?test=60', '--teacher', teacher, '--epochs', '2', '--batch-size', '12'];
    const { stdout, stderr, status } = srrl(['verify-resume', '--kills', '1', '--json', '--', ...run]);
    expect([stderr, status]).toEqual(['', 0]);
    const { whole, resumed, torn, same } = JSON.parse(stdout);
    expect([torn, same]).toEqual([0, true]);
    expect(resumed).toEqual([whole]);
    expect(srrl(['verify-resume', '--', '--data', 'nowhere']).stderr).toMatch(/The run ended with 2[\s\S]*teacher/);
  }, 120_000);

  it('inspects a teacher', () => {
    const { stdout, status } = srrl(['inspect', teacher]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/classifier: head, 12 classes/);
  });

  it.skipIf(!existsSync(join(shared, 'fashion-mnist')))('evaluates the real Fashion-MNIST teacher as good', () => {
    const { stdout } = srrl(['inspect', 'assets/fashion-mnist-teacher.pt', '--json']);
    expect(JSON.parse(stdout).classifier).toMatchObject({ numClasses: 10 });
  });
});
