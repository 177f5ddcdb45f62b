import { ConfigError } from '../errors.js';
import { native } from '../native.js';
import { cudnn, useDeterministicAlgorithms } from '../tensor/index.js';

/** The device that a name means, `cuda` being `cuda:0`. Throws ConfigError where this machine, with this libtorch, has none. */
export function deviceNamed(name: string): string {
  const found = native().devices();
  const device = name === 'cpu' || name.includes(':') ? name : `${name}:0`;
  if (found.includes(device)) return device;
  const help = device.startsWith('cuda')
    ? '\nNVIDIA GPUs need a CUDA build of libtorch: `npx srrl install-libtorch --cuda cu130`; `npx srrl doctor` shows which one is used.'
    : '';
  throw new ConfigError(`There is no device ${name}; there is ${found.join(', ')}.${help}`);
}

/** `cuda` of `cuda:0`, as autocast has it. */
export const deviceType = (device: string): string => device.replace(/:.*/, '');

/** How a GPU chooses its algorithms, for the whole process: the fastest ones, or such that give the same bits each time. */
export function chooseAlgorithms(device: string, deterministic: boolean): void {
  if (deviceType(device) !== 'cuda') return;
  cudnn.benchmark = !deterministic;
  cudnn.deterministic = deterministic;
  useDeterministicAlgorithms(deterministic);
}
