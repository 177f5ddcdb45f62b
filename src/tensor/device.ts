import { ConfigError } from '../errors.js';
import { native } from '../native.js';

/** Whether this machine, with this libtorch, has a device; `cuda` is `cuda:0`. */
export const hasDevice = (name: string): boolean => native().devices().includes(numbered(name));

/**
 * Returns the full name of a device: `cuda` becomes `cuda:0`. Throws ConfigError if this machine, with this libtorch,
 * does not have it.
 */
export function deviceNamed(name: string): string {
  if (hasDevice(name)) return numbered(name);
  const help = name.startsWith('cuda')
    ? '\nNVIDIA GPUs need a CUDA build of libtorch: `npx srrl install-libtorch --cuda cu130`; `npx srrl doctor` shows which one is used.'
    : '';
  throw new ConfigError(`There is no device ${name}; available: ${native().devices().join(', ')}.${help}`);
}

const numbered = (name: string): string => (name === 'cpu' || name.includes(':') ? name : `${name}:0`);
