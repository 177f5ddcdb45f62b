// Files that a reader failed with are kept: what the fuzzer of files does follows from all cases before it.
import { copyFileSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const place = fileURLToPath(new URL('../../build/fuzz', import.meta.url));

/** Copies the file that was written last below `folder` to build/fuzz/READER-NUMBER/; undefined where there is none. */
export function keepLast(folder, number) {
  const [last] = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => readdirSync(join(folder, name)).map((file) => ({ reader: name, file })))
    .map(({ reader, file }) => ({ reader, file, time: statSync(join(folder, reader, file)).mtimeMs }))
    .sort((a, b) => b.time - a.time);
  if (!last) return undefined;
  const kept = join(place, `${last.reader}-${number}`, last.file);
  mkdirSync(dirname(kept), { recursive: true });
  copyFileSync(join(folder, last.reader, last.file), kept);
  return kept;
}
