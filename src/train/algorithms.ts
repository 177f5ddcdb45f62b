import { cudnn, useDeterministicAlgorithms } from '../tensor/index.js';

/** `cuda` of `cuda:0`, as autocast has it. */
export const deviceType = (device: string): string => device.replace(/:.*/, '');

/**
 * How a GPU chooses its algorithms, for the whole process: the fastest ones, or such that give the same bits each time.
 */
export function chooseAlgorithms(device: string, deterministic: boolean): void {
  if (deviceType(device) !== 'cuda') return;
  cudnn.benchmark = !deterministic;
  cudnn.deterministic = deterministic;
  useDeterministicAlgorithms(deterministic);
}
