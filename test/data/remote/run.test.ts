/** Runs that read their shards over HTTP are those that read them from a folder. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ended } from '../../distributed/ranks.js';
import { packageRoot, srrl } from '../../helpers/cli.js';
import { FileServer } from '../../helpers/file-server.js';

const root = mkdtempSync(join(tmpdir(), 'srrl-remote-run-'));
let server: FileServer;

beforeAll(async () => {
  expect(srrl(['pack', 'shapes:60?test=24', '--shards', '20', '--out', join(root, 'shards')]).status).toBe(0);
  server = await FileServer.over(root);
});
afterEach(() => server.reset());
afterAll(async () => {
  await server.close();
  rmSync(root, { recursive: true });
});

const begun = (args: string[]) => spawn(process.execPath, ['bin/srrl.js', ...args], { cwd: packageRoot });
const run = (...args: string[]) => ended(begun(args));

const local = () => `shards:${root}/shards?size=32`;
const remote = () =>
  `shards:${server.url.replace('//', '//me:hidden@')}/shards/{train-00000{0..2},test-00000{0..1}}.tar?sig=hidden&size=32`;
const options = (data: string, out: string, ...more: string[]) => [
  'distill',
  ...['--data', data, '--teacher', 'assets/shapes-teacher.pt', '--student', 'resnet8'],
  ...['--epochs', '2', '--batch-size', '12', '--lr', '0.01', '--out', join(root, out), ...more],
];
const cache = (name: string) => ['--shard-cache', join(root, name)];
/** The weights alone: what is next to them names data, command and date. */
function weightsOf(out: string): string {
  const file = readFileSync(join(root, out, 'student.safetensors'));
  return createHash('sha256')
    .update(file.subarray(8 + Number(file.readBigUInt64LE(0))))
    .digest('hex');
}

function everyByte(folder: string): string {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.name} ${readFileSync(join(entry.parentPath, entry.name), 'latin1')}`)
    .join('\n');
}

describe('a run over HTTP', () => {
  it('has the weights of one that reads a folder, and nothing secret in what it prints and writes', async () => {
    expect((await run(...options(local(), 'near'))).code).toBe(0);
    const far = await run(...options(remote(), 'far', ...cache('cache'), '--json'));
    expect(far.code, far.output).toBe(0);
    expect(weightsOf('far')).toBe(weightsOf('near'));
    for (const text of [far.output, everyByte(join(root, 'far')), everyByte(join(root, 'cache'))])
      expect(text).not.toContain('hidden');
    expect(readFileSync(join(root, 'far', 'config.yaml'), 'utf8')).toContain(
      `data: shards:${server.url}/shards/{train-00000{0..2},test-00000{0..1}}.tar?size=32`,
    );
    // From the cache alone, but for a look at each file.
    server.asked.length = 0;
    const again = await run(...options(remote(), 'again', ...cache('cache')));
    expect(again.code, again.output).toBe(0);
    expect(server.asked.filter(({ url }) => url.includes('.tar')).every(({ range }) => range === 'bytes=0-511')).toBe(
      true,
    );
    expect(weightsOf('again')).toBe(weightsOf('near'));
  });

  it('by two processes, too, which share a cache', async () => {
    const launched = (data: string, out: string, ...more: string[]) =>
      run('launch', '--nproc', '2', '--timeout', '60', '--', ...options(data, out, ...more));
    const near = await launched(local(), 'near-two');
    expect(near.code, near.output).toBe(0);
    const far = await launched(remote(), 'far-two', ...cache('cache-two'));
    expect(far.code, far.output).toBe(0);
    expect(weightsOf('far-two')).toBe(weightsOf('near-two'));
    // Each shard and classes.txt were downloaded once, by one of the two.
    const whole = server.asked.filter(({ url, range }) => url.includes('.tar') && range !== 'bytes=0-511');
    expect(whole).toHaveLength(5);
  });

  it('resumes in the middle of an epoch', async () => {
    const child = begun(options(remote(), 'killed', ...cache('cache-killed'), '--checkpoint-steps', '1'));
    await expect
      .poll(() => existsSync(join(root, 'killed', 'checkpoint-000000003.safetensors')), {
        timeout: 120_000,
        interval: 5,
      })
      .toBe(true);
    child.kill('SIGKILL');
    await ended(child);
    // The folder of the run does not know the password.
    server.fault = ({ authorization }) => (authorization === undefined ? { status: 401 } : undefined);
    const without = await run('distill', '--resume', '--out', join(root, 'killed'));
    expect([without.code, without.output]).toEqual([1, expect.stringMatching(/answers 401.*user:password@host/)]);
    const resumed = await run('distill', '--resume', '--out', join(root, 'killed'), '--data', remote());
    expect(resumed.code, resumed.output).toBe(0);
    expect((await run(...options(local(), 'whole'))).code).toBe(0);
    expect(weightsOf('killed')).toBe(weightsOf('whole'));
  });

  it('is ended by Ctrl-C while it waits for its data, says before what it waits for, and leaves no torn file', async () => {
    server.fault = ({ url, range = '' }) =>
      url.includes('train-000001') && !range.endsWith('-511') ? { stallAfter: 2048 } : undefined;
    const child = begun(options(remote(), 'stopped', ...cache('cache-stopped'), '--stall-warning', '1'));
    let [said, sent] = ['', false];
    child.stderr.on('data', (text) => {
      said += text;
      // Once: the second one ends the process as usual.
      if (!sent && said.includes('4 of 5 shards are known')) sent = child.kill('SIGINT');
    });
    const { code, output } = await ended(child);
    expect(output).toMatch(/train-00000\{0\.\.2\}.* has been opening for \d+ s: 4 of 5 shards are known/);
    expect(output).not.toContain('hidden');
    expect(code).toBe(130);
    const left = readdirSync(join(root, 'cache-stopped'));
    expect(left.filter((name) => name.endsWith('.data'))).toHaveLength(4);
    expect(left.filter((name) => name.endsWith('.part'))).toEqual([]);
  });
});
