/**
 * Finds libtorch and its version: in `LIBTORCH`, this package's own cache, the active Python's torch, or the system. A
 * trace records every place that was tried, for `srrl doctor` and for error messages.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import envPaths from 'env-paths';

export type Source = 'LIBTORCH' | 'cache' | 'python' | 'system';

/** A libtorch on disk: a folder with include/ and lib/. */
export interface Libtorch {
  source: Source;
  folder: string;
  /** The version, with its build if known, such as `2.13.0+cpu`. */
  version: string;
}

/** A place that was tried. `libtorch` is absent if nothing usable was there; `note` then says why. */
export interface Attempt {
  source: Source;
  place: string;
  libtorch?: Libtorch;
  note: string;
}

export interface Located {
  libtorch?: Libtorch;
  trace: Attempt[];
}

const library = process.platform === 'darwin' ? 'libtorch_cpu.dylib' : 'libtorch_cpu.so';

/** Removes the build from a version: `2.13.0+cpu` -> `2.13.0`. */
export function baseVersion(version: string): string {
  return version.split('+')[0] ?? version;
}

/** Returns this package's cache folder: `SRRL_CACHE`, or in the platform's user cache folder. */
export function cacheFolder(): string {
  return process.env.SRRL_CACHE ? resolve(process.env.SRRL_CACHE) : envPaths('srrl', { suffix: '' }).cache;
}

/** Returns the folder of `install-libtorch`, with one subfolder per version and build. */
export function libtorchCache(): string {
  return join(cacheFolder(), 'libtorch');
}

/** Reads the version of the libtorch in `folder` from a file of its distribution; undefined if there is none. */
export function versionOf(folder: string): string | undefined {
  const read = (file: string) => {
    const path = join(folder, file);
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  };
  const plain = read('build-version')?.trim();
  const python = read('version.py')?.match(/__version__\s*=\s*'([^']+)'/)?.[1];
  const header = read('include/torch/version.h')?.match(/#define TORCH_VERSION "([^"]+)"/)?.[1];
  return plain || python || header;
}

function examine(source: Source, folder: string): Attempt {
  const place = folder;
  if (!existsSync(folder)) return { source, place, note: 'no such folder' };
  if (!existsSync(join(folder, 'lib', library))) return { source, place, note: `no lib/${library} in it` };
  const version = versionOf(folder);
  if (!version)
    return { source, place, note: 'its version cannot be told (no build-version, version.py or version.h)' };
  return { source, place, libtorch: { source, folder, version }, note: `libtorch ${version}` };
}

function cached(): Attempt[] {
  const cache = libtorchCache();
  if (!existsSync(cache)) return [{ source: 'cache', place: cache, note: 'empty' }];
  const folders = readdirSync(cache).filter((name) => !name.startsWith('.'));
  if (folders.length === 0) return [{ source: 'cache', place: cache, note: 'empty' }];
  // A CUDA build was installed on purpose, so it takes precedence over the CPU build.
  const cpuLast = (name: string) => (name.endsWith('+cpu') ? 1 : 0);
  folders.sort((a, b) => cpuLast(a) - cpuLast(b) || b.localeCompare(a, 'en', { numeric: true }));
  return folders.map((name) => examine('cache', join(cache, name)));
}

/** Finds the torch of the active Python without importing it. */
function python(): Attempt {
  const find =
    "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')";
  const answer = spawnSync('python3', ['-c', find], { encoding: 'utf8', timeout: 20_000 });
  if (answer.error || answer.status !== 0)
    return { source: 'python', place: 'python3', note: 'no python3 that answers' };
  const folder = answer.stdout.trim();
  return folder ? examine('python', folder) : { source: 'python', place: 'python3', note: 'it has no torch' };
}

const systemFolders = ['/usr/local/libtorch', '/opt/libtorch', '/usr/local', '/usr'];

/**
 * Tries the places in the order above until `accepts` returns true for a version. If `LIBTORCH` is set, only that is
 * tried.
 */
export function locate(accepts: (version: string) => boolean): Located {
  const trace: Attempt[] = [];
  const fits = (attempt: Attempt): Libtorch | undefined => {
    trace.push(attempt);
    const { libtorch } = attempt;
    if (libtorch && !accepts(libtorch.version)) attempt.note += ', not the version that is needed';
    return libtorch && accepts(libtorch.version) ? libtorch : undefined;
  };
  const explicit = process.env.LIBTORCH;
  if (explicit) return { libtorch: fits(examine('LIBTORCH', resolve(explicit))), trace };
  trace.push({ source: 'LIBTORCH', place: 'environment', note: 'not set' });
  for (const look of [cached, () => [python()], () => systemFolders.map((folder) => examine('system', folder))]) {
    for (const attempt of look()) {
      const libtorch = fits(attempt);
      if (libtorch) return { libtorch, trace };
    }
  }
  return { trace };
}

/** Formats the trace as lines of text, one per place. */
export function describeTrace(trace: Attempt[]): string[] {
  return trace.map(({ source, place, note }) => `${source.padEnd(8)} ${place}: ${note}`);
}
