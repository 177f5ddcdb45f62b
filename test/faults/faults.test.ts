/** A machine that fails: no disk, no memory, no network, files that change under a run. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { writePacked } from '../../src/data/formats/packed.js';
import { MappedFile } from '../../src/files/mapped.js';
import { distill, FileError, Loader, openDataset, type TrainEvent, verifyFile } from '../../src/index.js';
import torch from '../../src/torch.js';
import { packageRoot, srrl } from '../helpers/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'srrl-faults-'));
afterAll(() => rmSync(folder, { recursive: true }));
const teacher = join(packageRoot, 'assets/shapes-teacher.pt');

interface Ended {
  status: number | null;
  signal: NodeJS.Signals | null;
  text: string;
}
function shell(command: string): Ended {
  const { status, signal, stdout, stderr } = spawnSync('bash', ['-c', command], { cwd: packageRoot, encoding: 'utf8' });
  return { status, signal, text: `${stdout}${stderr}` };
}
/** An own file system or network needs the rights for it. */
const separate = shell('unshare -rmn true').status === 0;

const train = (out: string, more = '') =>
  `node bin/srrl.js train --data 'shapes:60?test=24' --student resnet8 --epochs 3 --batch-size 12 --out '${out}' ${more}`;
const expectError = ({ status, signal, text }: Ended, message: RegExp) => {
  expect(text).toMatch(message);
  expect(text).not.toMatch(/\n\s+at /);
  expect([status, signal]).toEqual([status === 2 ? 2 : 1, null]);
};

describe('the disk', () => {
  it('with a limit for the size of files: an error, nothing half written', () => {
    const out = join(folder, 'limited');
    expectError(shell(`ulimit -f 200; ${train(out)}`), /student\.safetensors cannot be written: EFBIG/);
    expect(readdirSync(out).filter((name) => name.endsWith('.tmp') || name.endsWith('.safetensors'))).toEqual([]);
  });

  it.skipIf(!separate)('that is too small is noticed before the first step', () => {
    const disk = join(folder, 'small');
    mkdirSync(disk);
    const mounted = `mount -t tmpfs -o size=1m none '${disk}'`;
    expectError(
      shell(`unshare -rm bash -c "${mounted} && ${train(`${disk}/run`)}"`),
      /has 1 MiB left on its disk, and/,
    );
  });

  it.skipIf(!separate)(
    'that fills up: the run ends, its newest checkpoint is intact, and it resumes',
    () => {
      const disk = join(folder, 'full');
      const kept = join(folder, 'kept');
      mkdirSync(disk);
      // When the first checkpoint is there, somebody else takes all that is left; later it is free again.
      const script = join(folder, 'full.sh');
      writeFileSync(
        script,
        `mount -t tmpfs -o size=8m none '${disk}' || exit 9
      ${train(`${disk}/run`, '--checkpoint-steps 2')} 2> '${folder}/first' &
      while ! ls '${disk}'/run/checkpoint-*.safetensors > /dev/null 2>&1; do sleep 0.01; done
      dd if=/dev/zero of='${disk}/other' bs=64k 2> /dev/null
      wait $!; echo "status $?"
      cp -r '${disk}/run' '${kept}'
      rm '${disk}/other'
      ${train(`${disk}/run`, '--checkpoint-steps 2 --resume')} 2>&1; echo "status $?"`,
      );
      const { text } = shell(`unshare -rm bash '${script}'`);
      const first = readFileSync(join(folder, 'first'), 'utf8');
      expect(first).toMatch(/srrl: .* cannot be written: ENOSPC/);
      expect(first).not.toMatch(/\n\s+at /);
      expect(text.match(/status \d/g)).toEqual(['status 1', 'status 0']);
      expect(readdirSync(kept).filter((name) => name.endsWith('.tmp'))).toEqual([]);
      const { status } = srrl(['verify', kept]);
      expect(status).toBe(0);
    },
    60_000,
  );

  it.skipIf(!separate)('that is read-only is noticed at once', () => {
    const disk = join(folder, 'read-only');
    mkdirSync(disk);
    const mounted = `mount -t tmpfs -o ro none '${disk}'`;
    expectError(
      shell(`unshare -rm bash -c "${mounted} && ${train(`${disk}/run`)}"`),
      /cannot be written to\. Choose another --out/,
    );
  });

  it.skipIf(!existsSync('/dev/full'))('a device that is always full: an error', () => {
    const { status, stderr } = srrl(['report', join(folder, 'limited'), '--out', '/dev/full/page.html']);
    expect([status, stderr]).toEqual([2, expect.stringMatching(/\/dev\/full is a file, not a folder/)]);
    expectError(
      shell(`node bin/srrl.js inspect '${teacher}' > /dev/full`),
      /^srrl: the output cannot be written: ENOSPC/,
    );
  });
});

describe('a packed data set', () => {
  const packed = async (name: string) => {
    const file = join(folder, name);
    await writePacked(await openDataset('shapes:600?test=24'), file);
    return file;
  };

  it.each([
    ['becomes shorter', (file: string) => truncateSync(file, 4096), /became shorter: it has 4096 bytes/],
    [
      'is written over',
      (file: string) => writeFileSync(file, readFileSync(file).fill(9, 0, 5000)),
      /was written to while it was in use/,
    ],
  ])('that %s while it is mapped: an error, and the process lives', async (_name, change, message) => {
    const file = await packed('changing.pack');
    const loader = new Loader(await openDataset(`packed:${file}`), 'train', { batchSize: 12 });
    loader.begin(0);
    torch.scope(() => loader.batch(0).images.sum().item());
    change(file);
    expect(() => torch.scope(() => loader.batch(40))).toThrow(FileError);
    expect(() => torch.scope(() => loader.batch(40))).toThrow(message);
    loader.dispose();
  });

  it('that becomes shorter within a batch: an error, and the process lives', async () => {
    const file = join(folder, 'within.bin');
    writeFileSync(file, Buffer.alloc(2 ** 20, 7));
    const mapping = new MappedFile(file, { dtype: 'uint8', length: 2 ** 20 });
    const sumAfter = (change: () => void) =>
      mapping.read(() => {
        change();
        return torch.scope(() => Number(mapping.tensor.sum().item()));
      });
    expect(sumAfter(() => {})).toBe(7 * 2 ** 20);
    expect(() => sumAfter(() => truncateSync(file, 8192))).toThrow(/became shorter: it has 8192 bytes/);
    // Longer again, and as old as before: what was read as zeros is not forgotten.
    const { atime, mtime } = statSync(file);
    expect(() => sumAfter(() => truncateSync(file, 2 ** 20))).toThrow(FileError);
    utimesSync(file, atime, mtime);
    expect(() => mapping.check()).toThrow(/became shorter/);
    mapping.dispose();
  });

  it('is no reason to live on with a signal of somebody else', () => {
    const script = join(folder, 'bus.mjs');
    const file = join(folder, 'bus.bin');
    writeFileSync(file, Buffer.alloc(4096));
    writeFileSync(
      script,
      `const { MappedFile } = await import('${packageRoot}/dist/files/mapped.js');
      new MappedFile('${file}', { dtype: 'uint8', length: 4096 });
      process.kill(process.pid, 'SIGBUS');
      setTimeout(() => console.log('lives'), 5000);`,
    );
    expect(shell(`exec node ${script}`)).toMatchObject({ signal: 'SIGBUS', text: '' });
  });

  it('that becomes shorter during a run: the run ends with an error, its checkpoint intact', async () => {
    const [file, out] = [await packed('run.pack'), join(folder, 'packed-run')];
    const events: TrainEvent[] = [];
    const run = async () => {
      const setup = {
        data: await openDataset(`packed:${file}`),
        teacher,
        student: 'resnet8',
        epochs: 4,
        batchSize: 60,
      };
      for await (const event of distill({ ...setup, out, checkpointSteps: 2, trainImages: 240 })) {
        events.push(event);
        if (event.type === 'checkpoint') truncateSync(file, 4096);
      }
    };
    await expect(run()).rejects.toThrow(/became shorter/);
    const states = (await verifyFile(out)).map(({ kind, state }) => `${kind} ${state}`);
    expect(states).toContain('checkpoint intact');
    expect(states.join()).not.toContain('damaged');
  }, 60_000);
});

describe('the network', () => {
  const users = [
    'data/remote/http.ts',
    'report/live.ts',
    'libtorch/install.ts',
    'distributed/group.ts',
    'distributed/meeting.ts',
  ];

  it('is used by few files: shards, the live page, the download of libtorch, and processes that look each other up', () => {
    const found: string[] = [];
    const walk = (path: string) => {
      for (const entry of readdirSync(join(packageRoot, 'src', path), { withFileTypes: true })) {
        const below = join(path, entry.name);
        if (entry.isDirectory()) walk(below);
        else if (
          /from 'node:(http2?|https|net|tls|dns|dgram)|\bfetch\(|WebSocket\(/.test(
            readFileSync(join(packageRoot, 'src', below), 'utf8'),
          )
        )
          found.push(below);
      }
    };
    walk('.');
    expect(found.sort()).toEqual(users.sort());
  });

  it.skipIf(!separate)(
    'is not needed to train, evaluate, predict, report and export',
    () => {
      const out = join(folder, 'offline');
      const steps = [
        train(out),
        `node bin/srrl.js eval '${out}' --data 'shapes:24?test=24'`,
        `node bin/srrl.js report '${out}'`,
        `node bin/srrl.js export '${out}' '${folder}/student.safetensors'`,
        `node bin/srrl.js inspect assets/shapes-teacher.pt`,
      ];
      const { status, text } = shell(`unshare -rn bash -c "${steps.join(' && ')}"`);
      expect(text).not.toMatch(/ENETUNREACH|EAI_AGAIN|ECONNREFUSED/);
      expect(status).toBe(0);
    },
    60_000,
  );
});
