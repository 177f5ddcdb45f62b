// Reads a file that the fuzzer of files has kept: node scripts/fuzz/read-file.mjs build/fuzz/tar-4711/a.tar
// Its folder names the reader, as in test/fuzz/targets.ts. Prints the error, if there is one.
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { register } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import torch from '../../dist/torch.js';

register('./coverage-hook.mjs', import.meta.url);
const { targets } = await import('../../test/fuzz/targets.ts');

const given = process.argv[2] ?? '';
const reader = basename(dirname(given)).replace(/-\d+$/, '');
const target = targets.find(({ name }) => name.replace(/\W/g, '-') === reader);
if (!target) throw new Error(`${given} lies in no folder READER-NUMBER; there are ${targets.map(({ name }) => name)}`);
const folder = mkdtempSync(join(tmpdir(), 'srrl-fuzz-'));
try {
  await target.samples(folder);
  const path = join(folder, target.file);
  copyFileSync(given, path);
  await torch.asyncScope(() => target.read(path, folder));
  console.log('It was read.');
} catch (error) {
  console.log(error);
} finally {
  rmSync(folder, { recursive: true });
}
