/**
 * Custom CUDA kernels: compiled with the NVRTC of a CUDA libtorch at first use on a GPU model, cached in the user's
 * cache folder, and used where they agree with libtorch's operators.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { replaceFile } from '../atomic.js';
import { messageOf } from '../errors.js';
import { cacheFolder } from '../libtorch/locate.js';
import { native } from '../native.js';

/** State of the custom kernels on a device. */
export interface KernelState {
  device: string;
  installed: boolean;
  /** NVRTC's version, and the GPU's compute capability, such as 90. */
  compiler?: string;
  capability?: string;
  /** Whether the kernels were loaded from the cache. */
  cached?: boolean;
  /** Why the kernels could not be installed. */
  obstacle?: string;
}

const states = new Map<string, KernelState>();

/** Compiles the kernels of a device, or reads them from the cache, and installs them once per process. Never throws. */
export function installKernels(device: string): KernelState {
  let state = states.get(device);
  if (!state) {
    try {
      state = { device, ...install(device) };
    } catch (error) {
      state = { device, installed: false, obstacle: messageOf(error) };
    }
    states.set(device, state);
  }
  return state;
}

function install(device: string): Omit<KernelState, 'device'> {
  const target = native().kernelTarget(device);
  if (!target) return { installed: false };
  const { compiler, capability } = target;
  if (compiler === null) {
    native().kernelInstall(device, []);
    return { installed: true };
  }
  const sources = native().kernelSources();
  const files = Object.keys(sources).filter((file) => file.endsWith('.cu'));
  const cacheOf = (file: string) => cacheFile(file, sources, compiler, capability);
  if (files.every((file) => existsSync(cacheOf(file)))) {
    try {
      const codes = files.map((file) => readFileSync(cacheOf(file)));
      native().kernelInstall(device, codes);
      return { installed: true, compiler, capability, cached: true };
    } catch {
      // The cached code cannot be loaded, so it is compiled and written again.
    }
  }
  const codes = native().kernelCompile(files, capability);
  native().kernelInstall(device, codes);
  for (const [i, file] of files.entries()) remember(cacheOf(file), codes[i] as Buffer);
  return { installed: true, compiler, capability, cached: false };
}

function cacheFile(file: string, sources: Record<string, string>, compiler: string, capability: string): string {
  const hash = createHash('sha256');
  for (const text of [...Object.entries(sources).flat(), compiler, capability]) hash.update(text).update('\0');
  return join(cacheFolder(), 'kernels', `${file}-${hash.digest('hex').slice(0, 32)}.bin`);
}

/** Writes a cache file. A failure is ignored: it costs only a compilation in the next process. */
function remember(file: string, code: Buffer): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    replaceFile(file, (descriptor) => writeFileSync(descriptor, code));
  } catch {}
}

/** Runs `body`, a synchronous function, with the installed kernels enabled or disabled. */
export function withKernels<T>(body: () => T, on = true): T {
  const before = native().kernelsEnable(on);
  try {
    return body();
  } finally {
    native().kernelsEnable(before);
  }
}

/** Kernels not used on a device because they failed or disagreed with libtorch's operators, with the reason. */
export const refusedKernels = (device: string): { kind: string; obstacle: string }[] =>
  native()
    .kernelVerdicts()
    .filter((verdict) => verdict.device === device && verdict.obstacle !== '');
