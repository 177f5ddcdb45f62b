import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError, distill, distillTogether, openDataset, train } from '../../src/index.js';
import { lockFolders } from '../../src/train/index.js';
import { packageRoot, srrl } from '../helpers/cli.js';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'srrl-lock-')));
afterAll(() => rmSync(folder, { recursive: true }));
const teacher = 'assets/shapes-teacher.pt';
const lockIn = (out: string) => join(out, 'run.lock');

/**
 * A run in a process of its own, from the moment at which it holds its folder and has written its configuration, which
 * --resume reads.
 */
async function running(out: string, more: string[] = []) {
  const args = [
    'distill',
    '--data',
    'shapes:240?test=60',
    '--teacher',
    teacher,
    '--epochs',
    '500',
    '--out',
    out,
    ...more,
  ];
  const child = spawn(process.execPath, [join(packageRoot, 'bin/srrl.js'), ...args], { stdio: 'ignore' });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  while (!existsSync(lockIn(out)) || !existsSync(join(out, 'config.yaml')))
    await new Promise((resolve) => setTimeout(resolve, 20));
  const end = (signal: NodeJS.Signals) => {
    child.kill(signal);
    return ended;
  };
  return { pid: child.pid as number, end };
}

describe('the lock of a run folder', () => {
  it('refuses a second process, by whatever path, and is released on SIGTERM', async () => {
    const [out, link] = [join(folder, 'a'), join(folder, 'link')];
    const { pid, end } = await running(out);
    symlinkSync(out, link);
    const small = ['--data', 'shapes:24?test=60', '--epochs', '1'];
    for (const [command, path, flag] of [
      ['distill', out, '--overwrite'],
      ['distill', link, '--resume'],
      ['distill', relative(packageRoot, out), '--resume'],
      ['train', `${out}/../a/`, '--seeds=2'],
    ] as const) {
      const more = command === 'distill' ? ['--teacher', teacher] : [];
      const { status, stderr } = srrl([command, ...small, ...more, '--out', path, flag]);
      expect(stderr).toContain(path);
      expect(stderr).toMatch(new RegExp(`in use: a run in process ${pid} on ${hostname()}.* since 20\\d\\d-`));
      expect(stderr).toMatch(/\n.*choose another --out/);
      expect(status).toBe(2);
    }
    expect(await end('SIGTERM')).toBe(143);
    expect(existsSync(lockIn(out))).toBe(false);
  }, 60_000);

  it('of a process that was killed does not keep anybody waiting', async () => {
    const out = join(folder, 'killed');
    const { end } = await running(out);
    await end('SIGKILL');
    expect(existsSync(lockIn(out))).toBe(true);
    const release = lockFolders([out]);
    expect(JSON.parse(readFileSync(lockIn(out), 'utf8')).pid).toBe(process.pid);
    release();
    expect(existsSync(lockIn(out))).toBe(false);
  }, 60_000);

  it('tells a process from a later one with its number, and does not guess about other computers', () => {
    const out = join(folder, 'states');
    mkdirSync(out);
    const release = lockFolders([out]);
    const own = JSON.parse(readFileSync(lockIn(out), 'utf8'));
    expect(() => lockFolders([out])).toThrow(/this process/);
    release();
    const lockedBy = (change: object) => {
      writeFileSync(lockIn(out), JSON.stringify({ ...own, token: 'other', ...change }));
      lockFolders([out])();
    };
    lockedBy({ started: '1' });
    lockedBy({ pid: 2 ** 22 + 1 });
    if (own.boot !== '') lockedBy({ boot: 'before the restart' });
    for (const change of [{ host: 'elsewhere' }, { computer: 'another' }, { namespace: 'pid:[1]' }])
      expect(() => lockedBy(change)).toThrow(/cannot be seen from here.\n.*delete .*run\.lock/);
    writeFileSync(lockIn(out), '');
    expect(() => lockFolders([out])).toThrow(/cannot be read.\n.*delete .*run\.lock/);
  });

  it('is taken over by one of many at once', async () => {
    const out = join(folder, 'many');
    mkdirSync(out);
    lockFolders([out])();
    const dead = { ...JSON.parse('{"pid":4194305,"token":"dead","since":""}'), host: hostname() };
    const release = lockFolders([out]);
    const own = JSON.parse(readFileSync(lockIn(out), 'utf8'));
    release();
    writeFileSync(lockIn(out), JSON.stringify({ ...own, ...dead }));
    const script = `const { lockFolders } = await import('./dist/train/index.js');
      try { lockFolders(['${out}']); console.log('held'); } catch (error) { console.log(error.name); }
      process.stdin.resume(); process.stdin.on('end', () => process.exit());`;
    const children = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] }),
    );
    const said = await Promise.all(
      children.map(
        (child) => new Promise<string>((resolve) => child.stdout.once('data', (text) => resolve(`${text}`))),
      ),
    );
    for (const child of children) child.stdin.end();
    expect(said.map((text) => text.trim()).sort()).toEqual(['ConfigError', 'ConfigError', 'ConfigError', 'held']);
  }, 30_000);

  it('holds within a process, in its threads, and is released however a run ends', async () => {
    const data = await openDataset('shapes:24?test=60');
    const out = join(folder, 'threads');
    const named = { data: 'shapes:24?test=60', student: 'resnet8', teacher, epochs: 1, batchSize: 12, out };
    const first = distill(named);
    await first.next();
    await expect(train({ data, student: 'resnet8', out, overwrite: true }).next()).rejects.toThrow(ConfigError);
    await expect(distill({ ...named, resume: true }).next()).rejects.toThrow(/in use: a run in this process/);
    const members = { a: { ...named, out: join(folder, 'free') }, b: named };
    await expect(distillTogether(members).next()).rejects.toThrow(/threads is in use/);
    expect(existsSync(join(folder, 'free'))).toBe(false);
    await first.return();
    expect(existsSync(lockIn(out))).toBe(false);
    const wrong = { ...named, out: join(folder, 'wrong', 'deep'), student: 'resnet9' };
    await expect(distill(wrong).next()).rejects.toThrow(/resnet9/);
    expect(existsSync(join(folder, 'wrong'))).toBe(false);
    for await (const _ of distill({ ...named, dryRun: true, out: join(folder, 'wrong') }));
    expect(existsSync(join(folder, 'wrong'))).toBe(false);
    for await (const _ of distill({ ...named, overwrite: true }));
    expect(existsSync(lockIn(out))).toBe(false);
  }, 60_000);

  it('lets one process make a cache of the teacher while another does', async () => {
    const cache = join(folder, 'cache');
    const args = [
      'distill',
      '--data',
      'shapes:48?test=60',
      '--teacher',
      teacher,
      '--epochs',
      '2',
      '--teacher-cache',
      cache,
    ];
    const children = Array.from({ length: 2 }, () =>
      spawn(process.execPath, [join(packageRoot, 'bin/srrl.js'), ...args], { stdio: 'ignore' }),
    );
    const ends = children.map((child) => new Promise((resolve) => child.on('close', (...end) => resolve(end))));
    expect(await Promise.all(ends)).toEqual([
      [0, null],
      [0, null],
    ]);
  }, 60_000);
});
