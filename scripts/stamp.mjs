// Remembers what a step was done with, so that it is done again only when that has changed.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * One hash over the names and contents of files and folders below `root`, and over plain texts; `root` itself does not
 * count.
 */
export function hashOf(root, paths, ...texts) {
  const hash = createHash('sha256');
  const visit = (path) => {
    const whole = join(root, path);
    if (!existsSync(whole)) return;
    if (statSync(whole).isDirectory()) for (const name of readdirSync(whole).sort()) visit(join(path, name));
    else hash.update(path).update('\0').update(readFileSync(whole)).update('\0');
  };
  for (const path of paths) visit(path);
  for (const text of texts) hash.update(text).update('\0');
  return hash.digest('hex');
}

/** The hash of what prebuilds are made from; the same on every platform. */
export const hashOfNative = (root) => hashOf(root, ['native', 'CMakeLists.txt']);

/** Whether `file` holds this hash. */
export const isStamped = (file, hash) => existsSync(file) && readFileSync(file, 'utf8') === hash;

export function stamp(file, hash) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, hash);
}
