/** What PyTorch has in torch.accelerator, torch.cuda and torch.backends.cudnn beyond tensors. */
import { checkCall } from '../call.js';
import { native } from '../native.js';
import type { DeviceMemory } from '../native-types.js';

export type { DeviceMemory } from '../native-types.js';

/** Bytes that the allocator of a device (`cuda:0`) holds for this process, and the most since {@link resetPeakMemory}. Throws NativeError for the CPU, whose memory is malloc's. */
export const deviceMemory = (device: string): DeviceMemory => native().deviceMemory(device);

/** Bytes of a device (`cuda:0`) that no process has taken; undefined where the device does not say. */
export const freeMemory = (device: string): number | undefined => native().freeMemory(device);

/** The peaks of {@link deviceMemory} begin anew. */
export const resetPeakMemory = (device: string): void => native().resetPeakMemory(device);

/** Gives back what the allocator of a device holds and no tensor uses. */
export const emptyCache = (device: string): void => native().emptyCache(device);

/** torch.backends.cudnn: both are false at first. */
export const cudnn = {
  /** The first convolution of each shape tries which algorithm is fastest; which one it is may differ between runs. */
  get benchmark(): boolean {
    return native().cudnnFlags().benchmark;
  },
  set benchmark(on: boolean) {
    native().setCudnnFlags(on, cudnn.deterministic);
  },
  /** Only algorithms that give the same bits each time. */
  get deterministic(): boolean {
    return native().cudnnFlags().deterministic;
  },
  set deterministic(on: boolean) {
    native().setCudnnFlags(cudnn.benchmark, on);
  },
};

/**
 * Operators give the same bits each time, or throw (with `warnOnly` warn) where they cannot; as torch.use_deterministic_algorithms. On CUDA matrix products need
 * CUBLAS_WORKSPACE_CONFIG=:4096:8 in the environment as well.
 */
export function useDeterministicAlgorithms(on: boolean, options: { warnOnly?: boolean } = {}): void {
  checkCall('useDeterministicAlgorithms', ['on'], { warnOnly: 'boolean' }, arguments);
  native().setDeterministicAlgorithms(on, options.warnOnly ?? false);
}
