/**
 * The only file that loads the addon. Importing it loads nothing: the first use does, so that `srrl --help` or
 * `srrl doctor` work without libtorch.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import {
  ArgumentError,
  DisposedError,
  DistributedError,
  FileError,
  IndexError,
  LibtorchError,
  messageOf,
  NativeError,
  OutOfMemoryError,
  ShapeError,
  type SrrlError,
} from './errors.js';
import { withIntegerHint } from './integer-hint.js';
import { type Attempt, baseVersion, type Libtorch, locate, versionOf } from './libtorch/locate.js';
import type { Native } from './native-types.js';
import { packageRoot, packageVersion, prebuiltPlatforms } from './package-root.js';

export type { Handle, Native } from './native-types.js';
export { packageRoot, packageVersion } from './package-root.js';

const require = createRequire(import.meta.url);

/** The pinned libtorch and where it comes from: libtorch.json. */
export const pinned = JSON.parse(readFileSync(join(packageRoot, 'libtorch.json'), 'utf8')) as {
  version: string;
  compiles: string[];
  archives: Record<string, Record<string, string>>;
  wheelIndex: string;
};

/** The addon files of this package, by the libtorch version that each was compiled against. */
export function builtAddons(): { loader?: string; addons: Map<string, string> } {
  const nodeGypBuild = require('node-gyp-build') as { path(folder: string): string };
  const addons = new Map<string, string>();
  let loader: string;
  try {
    loader = nodeGypBuild.path(packageRoot);
  } catch {
    return { addons };
  }
  for (const file of readdirSync(dirname(loader))) {
    const version = file.match(/^srrl-torch-(.+)\.so$/)?.[1];
    if (version) addons.set(version, join(dirname(loader), file));
  }
  return { loader, addons };
}

/** Returns why the addon cannot be loaded, independent of libtorch; undefined if it can. */
export function addonProblem(): string | undefined {
  const { loader, addons } = builtAddons();
  if (!loader || addons.size === 0) return missingAddon();
  try {
    require(loader);
    return undefined;
  } catch (error) {
    return `The native addon ${loader} cannot be loaded: ${messageOf(error).split('\n')[0]}. ${buildAdvice}`;
  }
}

const buildAdvice =
  'Build it for this system with `npx srrl build` (needs a C++20 compiler, CMake 3.18 and libtorch with its headers).';

function missingAddon(): string {
  return `srrl ${packageVersion} has no native addon for ${process.platform}-${process.arch} in ${packageRoot}. \
Releases carry it for ${prebuiltPlatforms.join(', ')}. ${buildAdvice}`;
}

/** Returns the libtorch that will be loaded, the places searched, and the problem if none was found. */
export function searchLibtorch(): { libtorch?: Libtorch; trace: Attempt[]; problem?: string } {
  const { addons } = builtAddons();
  const versions = addons.size > 0 ? [...addons.keys()] : [pinned.version];
  const { libtorch, trace } = locate((version) => versions.includes(baseVersion(version)));
  return libtorch ? { libtorch, trace } : { trace, problem: absence(versions, trace) };
}

/** Finds libtorch, loader and addon without loading them. Throws LibtorchError with the command that fixes it. */
export function findLibtorch(): { libtorch: Libtorch; loader: string; addon: string } {
  const { loader, addons } = builtAddons();
  if (!loader || addons.size === 0) throw new LibtorchError(missingAddon());
  const { libtorch, problem } = searchLibtorch();
  const addon = libtorch && addons.get(baseVersion(libtorch.version));
  if (!libtorch || !addon) throw new LibtorchError(problem ?? missingAddon());
  return { libtorch, loader, addon };
}

function absence(versions: string[], trace: Attempt[]): string {
  const wanted = versions.join(' or ');
  const explicit = trace.find((attempt) => attempt.source === 'LIBTORCH' && attempt.place !== 'environment');
  if (explicit) {
    return `LIBTORCH=${explicit.place} cannot be used: ${explicit.note} (needed: ${wanted}).
Unset it and run \`npx srrl install-libtorch\`, or point it to libtorch ${wanted}.`;
  }
  const others = trace.flatMap(({ libtorch }) => (libtorch ? [`${libtorch.version} in ${libtorch.folder}`] : []));
  const found = others.length > 0 ? `only ${others.join(', ')}` : 'none';
  return `libtorch ${wanted} was not found (${found}). Run \`npx srrl install-libtorch\`; \`npx srrl doctor\` shows where it was looked for.`;
}

const errorClasses: Record<string, new (message: string) => SrrlError> = {
  type: ArgumentError,
  shape: ShapeError,
  index: IndexError,
  disposed: DisposedError,
  memory: OutOfMemoryError,
  file: FileError,
  distributed: DistributedError,
};

/** libtorch has no error class for running out of CPU memory, so the message decides. */
const classFor = (kind: string, message: string) =>
  /can't allocate memory/.test(message) ? OutOfMemoryError : (errorClasses[kind] ?? NativeError);

let loaded: Native | undefined;

/** Returns the addon if it is loaded already. */
export const loadedNative = (): Native | undefined => loaded;

/** Returns the addon, which the first call loads. */
export function native(): Native {
  return loaded ?? load();
}

function load(): Native {
  const { libtorch, loader, addon } = findLibtorch();
  const problem = addonProblem();
  if (problem) throw new LibtorchError(problem);
  try {
    // c10d logs each lost connection with a backtrace; the thrown error already says what is wrong.
    process.env.TORCH_CPP_LOG_LEVEL ??= 'ERROR';
    const { preload, loadedPath } = require(loader) as Loader;
    const folder = folderInProcess(loadedPath) ?? libtorch.folder;
    checkSame(libtorch, folder);
    for (const file of librariesOf(folder)) preload(file);
    const module = { exports: {} as Native };
    process.dlopen(module, addon);
    const { exports } = module;
    exports.setErrorFactory((kind, message) => new (classFor(kind, message))(withIntegerHint(message)));
    loaded = exports;
    return exports;
  } catch (error) {
    if (error instanceof LibtorchError) throw error;
    throw new LibtorchError(
      `libtorch ${libtorch.version} in ${libtorch.folder} cannot be loaded: ${messageOf(error)}
Run \`npx srrl install-libtorch\`; \`npx srrl doctor\` shows the whole search.`,
      { cause: error },
    );
  }
}

interface Loader {
  preload(path: string): void;
  /** Returns the path of a library loaded in this process, by its file name; empty if it is not loaded. */
  loadedPath(file: string): string;
}

/**
 * Returns the libtorch that another copy of this package or another addon has loaded into this process; a second one
 * cannot be loaded next to it.
 */
function folderInProcess(loadedPath: Loader['loadedPath']): string | undefined {
  const path = loadedPath(libraryFile('torch_cpu'));
  return path ? dirname(dirname(path)) : undefined;
}

function checkSame(wanted: Libtorch, folder: string): void {
  const version = versionOf(folder);
  if (version !== undefined && baseVersion(version) === baseVersion(wanted.version)) return;
  throw new LibtorchError(
    `This process has loaded libtorch ${version ?? 'of unknown version'} from ${folder}, and the srrl in ${packageRoot} needs libtorch \
${wanted.version} from ${wanted.folder}. A process can hold one libtorch: use one version of srrl (\`npm ls srrl\` shows all, \
\`npm dedupe\` merges them), or run the two in processes of their own.`,
  );
}

/** The libraries to load. libtorch.so loads all others from its own folder, including CUDA parts if there are any. */
function librariesOf(folder: string): string[] {
  return ['c10', 'torch_cpu', 'torch'].map((name) => join(folder, 'lib', libraryFile(name))).filter(existsSync);
}

const libraryFile = (name: string) => `lib${name}.${process.platform === 'darwin' ? 'dylib' : 'so'}`;
