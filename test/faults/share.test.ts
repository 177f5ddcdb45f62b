/** Photos on a network share that stops answering: a file system in a process that is stopped. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { packageRoot, srrl } from '../helpers/cli.js';

const root = mkdtempSync(join(tmpdir(), 'srrl-share-'));
const [photos, share] = [join(root, 'photos'), join(root, 'share')];
const library = pathToFileURL(join(packageRoot, 'dist/index.js')).href;

/** Debian's package of the same name; mounting needs the rights for it. */
const isMounted = spawnSync('bindfs', ['--version']).status === 0 && process.getuid?.() === 0;

beforeAll(async () => {
  const photo = await sharp({ create: { width: 40, height: 40, channels: 3, background: '#408040' } })
    .jpeg()
    .toBuffer();
  for (const split of ['train', 'val']) {
    for (const name of ['cats', 'dogs']) {
      mkdirSync(join(photos, split, name), { recursive: true });
      for (let i = 0; i < 12; i++) writeFileSync(join(photos, split, name, `${i}.jpg`), photo);
    }
  }
  mkdirSync(share);
});
afterAll(() => {
  if (isMounted) {
    spawnSync('pkill', ['-CONT', '-f', `bindfs.*${share}`]);
    spawnSync('umount', ['--lazy', share]);
  }
  rmSync(root, { recursive: true });
});

it.skipIf(!isMounted)(
  'is named while the run waits for it, and the run ends at the limit with an error',
  () => {
    expect(spawnSync('bindfs', [photos, share]).status).toBe(0);
    const program = `
      import { execFileSync } from 'node:child_process';
      import { openDataset } from '${library}';
      const data = await openDataset('folder:${share}?size=32');
      execFileSync('pkill', ['-STOP', '-f', 'bindfs.*${share}']);
      export default data;`;
    writeFileSync(join(root, 'stalled.mjs'), program);
    const { status, signal, stderr } = srrl([
      ...['train', '--student', 'resnet8', '--data', `module:${join(root, 'stalled.mjs')}`, '--epochs', '1'],
      ...['--batch-size', '12', '--stall-warning', '0.5', '--stall-limit', '3', '--out', join(root, 'run')],
    ]);
    expect(stderr).toMatch(/waiting for \S+ s for \S+share\/train\/\w+\/\d+\.jpg \(image \d+ of the train split\)/);
    expect(stderr).toMatch(/srrl: Image \d+ of the train split, \S+\.jpg, has not come for 3 s/);
    // Node.js cannot exit by itself while its threads wait.
    expect([status, signal]).toEqual([null, 'SIGTERM']);
    expect(existsSync(join(root, 'run', 'run.lock'))).toBe(false);
  },
  120_000,
);
