import { cudnn, useDeterministicAlgorithms } from '../tensor/index.js';

/** The device type for autocast: `cuda` for `cuda:0`. */
export const deviceType = (device: string): string => device.replace(/:.*/, '');

/**
 * Sets for the whole process which algorithms a GPU uses: the fastest, or deterministic (bitwise identical) ones.
 */
export function chooseAlgorithms(device: string, deterministic: boolean): void {
  if (deviceType(device) !== 'cuda') return;
  cudnn.benchmark = !deterministic;
  cudnn.deterministic = deterministic;
  useDeterministicAlgorithms(deterministic);
}
