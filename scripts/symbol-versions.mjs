// Which versions of glibc and libstdc++ a Linux library asks for, by objdump (part of binutils, as the linker is).
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What the prebuilt addon may ask for at most. PyTorch builds libtorch for glibc 2.28 (manylinux_2_28); its libraries
 * ask for GLIBCXX_3.4.22 and CXXABI_1.3.11, so that the addon runs on every system where libtorch does.
 */
export const limits = { GLIBC: '2.28', GLIBCXX: '3.4.22', CXXABI: '1.3.11' };

const newer = (a, b) => a.localeCompare(b, 'en', { numeric: true }) > 0;

/** The newest version of each kind that the file asks for, as in `{ GLIBC: '2.14', GLIBCXX: '3.4.21' }`. */
export function neededVersions(file) {
  const { status, stdout, stderr, error } = spawnSync('objdump', ['-p', file], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`objdump -p ${file} failed: ${error?.message ?? stderr}`);
  const needed = {};
  const references = stdout.split('Version References:')[1] ?? '';
  for (const [, kind, version] of references.matchAll(/\b([A-Z]+)_(\d[\d.]*)/g))
    if (!needed[kind] || newer(version, needed[kind])) needed[kind] = version;
  return needed;
}

/** One line for each library of the folder and version in it that is above the limit. */
export function tooNew(folder) {
  return readdirSync(folder)
    .filter((name) => /\.(node|so)$/.test(name))
    .flatMap((name) =>
      Object.entries(neededVersions(join(folder, name)))
        .filter(([kind, version]) => limits[kind] && newer(version, limits[kind]))
        .map(([kind, version]) => `${name} needs ${kind}_${version}; the limit is ${kind}_${limits[kind]}`),
    );
}
