/** Shards on a disk that does not answer, and a shard cache on one that is full. */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ended } from '../distributed/ranks.js';
import { packageRoot, srrl } from '../helpers/cli.js';
import { FileServer } from '../helpers/file-server.js';

const root = mkdtempSync(join(tmpdir(), 'srrl-shard-faults-'));
const shards = join(root, 'shards');
const library = pathToFileURL(join(packageRoot, 'dist/index.js')).href;
let server: FileServer;

beforeAll(async () => {
  expect(srrl(['pack', 'shapes:60?test=24', '--shards', '20', '--out', shards]).status).toBe(0);
  server = await FileServer.over(root);
});
afterEach(() => server.reset());
afterAll(async () => {
  await server.close();
  rmSync(root, { recursive: true });
});

describe('a shard whose disk does not answer', () => {
  it('is named while the run waits for it, and the run ends at the limit with an error', () => {
    const place = join(root, 'stalled');
    cpSync(shards, place, { recursive: true });
    // Reading a pipe that nobody writes to never returns, as from a network share that is gone.
    const program = `
      import { execFileSync } from 'node:child_process';
      import { rmSync } from 'node:fs';
      import { openDataset } from '${library}';
      const data = await openDataset('shards:${place}?size=32');
      rmSync('${place}/train-000001.tar');
      execFileSync('mkfifo', ['${place}/train-000001.tar']);
      export default data;`;
    writeFileSync(join(root, 'stalled.mjs'), program);
    const args = ['--student', 'resnet8', '--epochs', '1', '--batch-size', '12', '--out', join(root, 'stalled-run')];
    const limits = ['--stall-warning', '0.5', '--stall-limit', '3'];
    const { status, signal, stderr } = srrl([
      'train',
      '--data',
      `module:${join(root, 'stalled.mjs')}`,
      ...args,
      ...limits,
    ]);
    expect(stderr).toMatch(
      /waiting for \S+ s for \d+\.png in \S+stalled\/train-000001\.tar \(image \d+ of the train split\)/,
    );
    expect(stderr).toMatch(
      /srrl: Image \d+ of the train split, \d+\.png in \S+train-000001\.tar, has not come for 3 s/,
    );
    // Node.js cannot exit by itself.
    expect([status, signal]).toEqual([null, 'SIGTERM']);
    expect(existsSync(join(root, 'stalled-run', 'run.lock'))).toBe(false);
  }, 120_000);
});

describe('a shard cache', () => {
  /** Reads all training images, below a shell command. */
  const program = `
    import { openDataset } from '${library}';
    const { train, notices } = await openDataset(process.argv[1], { shardCache: process.argv[2] });
    let bytes = 0;
    for (let i = 0; i < train.labels.length; i++) bytes += (await train.read(i)).length;
    console.log(train.labels.length, bytes, notices?.join() ?? '');`;
  const reading = (before: string, cache: string) => {
    const source = `shards:${server.url}/shards/{train-00000{0..2},test-00000{0..1}}.tar?size=32`;
    const command = `${before} && exec "$0" --input-type=module -e "$1" "$2" "$3"`;
    return ended(spawn('bash', ['-c', command, process.execPath, program, source, cache], { cwd: packageRoot }));
  };
  const everything = async () => (await reading('true', join(root, 'cache'))).output;

  it('that may not become large enough is left alone, and shards are read without it', async () => {
    const cache = join(root, 'limited');
    const limited = await reading('ulimit -f 8', cache);
    expect([limited.code, limited.output]).toEqual([0, await everything()]);
    expect(readdirSync(cache).filter((name) => /data|part|lock/.test(name))).toEqual([]);
    server.ranges = false;
    expect((await reading('ulimit -f 8', cache)).output).toMatch(
      /cannot be kept in the shard cache .*limited: EFBIG.*Free some space/,
    );
  }, 60_000);

  /** An own file system needs the rights for it. */
  const separate = spawnSync('unshare', ['-rm', 'true']).status === 0;
  it.skipIf(!separate)(
    'whose disk is full is left alone, too',
    async () => {
      const cache = join(root, 'full');
      mkdirSync(cache);
      const mounted = (size: string, more = '') => `mount -t tmpfs -o size=${size} none '${cache}'${more}`;
      const below = (before: string) => {
        const script = join(root, 'below.sh');
        writeFileSync(script, `${before} && exec "$@"`);
        const source = `shards:${server.url}/shards/{train-00000{0..2},test-00000{0..1}}.tar?size=32`;
        const args = ['-rm', 'bash', script, process.execPath, '--input-type=module', '-e', program, source, cache];
        return ended(spawn('unshare', args, { cwd: packageRoot }));
      };
      const all = await everything();
      // Too small from the beginning, and read-only.
      for (const before of [mounted('1m'), mounted('1m', ` && mount -o remount,ro '${cache}'`)]) {
        const { code, output } = await below(before);
        expect(output.split(' ').slice(0, 2)).toEqual(all.split(' ').slice(0, 2));
        expect(code).toBe(0);
      }
      expect((await below(mounted('1m', ` && mount -o remount,ro '${cache}'`))).output).toMatch(
        /cannot be written \(E/,
      );
      server.ranges = false;
      expect((await below(mounted('1m'))).output).toMatch(/train-00000\d\.tar cannot be kept in the shard cache/);
    },
    60_000,
  );
});
