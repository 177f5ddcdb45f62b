/** What PyTorch has in torch.accelerator, torch.cuda and torch.backends.cudnn beyond tensors. */
import { checkCall } from '../call.js';
import { native } from '../native.js';
import type { CudnnFlags, DeviceMemory } from '../native-types.js';

export type { DeviceMemory } from '../native-types.js';

/**
 * Bytes that the allocator of a device (`cuda:0`) holds for this process, and the most since {@link resetPeakMemory}.
 * Throws NativeError for the CPU, whose memory is malloc's.
 */
export const deviceMemory = (device: string): DeviceMemory => native().deviceMemory(device);

/** Free bytes of a device (`cuda:0`), over all processes; undefined if the device does not report them. */
export const freeMemory = (device: string): number | undefined => native().freeMemory(device);

/** Resets the peaks of {@link deviceMemory}. */
export const resetPeakMemory = (device: string): void => native().resetPeakMemory(device);

/** Frees the memory that the allocator of a device caches and no tensor uses. */
export const emptyCache = (device: string): void => native().emptyCache(device);

const setCudnn = (change: Partial<CudnnFlags>): void => {
  const { benchmark, deterministic, allowTf32 } = { ...native().cudnnFlags(), ...change };
  native().setCudnnFlags(benchmark, deterministic, allowTf32);
};

/** torch.backends.cudnn: `benchmark` and `deterministic` are false by default, `allowTf32` is true. */
export const cudnn = {
  /** Whether the first convolution of each shape times the algorithms; the fastest one may differ between runs. */
  get benchmark(): boolean {
    return native().cudnnFlags().benchmark;
  },
  set benchmark(on: boolean) {
    setCudnn({ benchmark: on });
  },
  /** Whether only algorithms with bitwise identical results are used. */
  get deterministic(): boolean {
    return native().cudnnFlags().deterministic;
  },
  set deterministic(on: boolean) {
    setCudnn({ deterministic: on });
  },
  /** Whether convolutions in float32 may use TensorFloat-32, which has a 10-bit mantissa. */
  get allowTf32(): boolean {
    return native().cudnnFlags().allowTf32;
  },
  set allowTf32(on: boolean) {
    setCudnn({ allowTf32: on });
  },
};

/** torch.backends.cuda. */
export const cuda = {
  matmul: {
    /** Whether matrix products in float32 may use TensorFloat-32. Default false. */
    get allowTf32(): boolean {
      return native().matmulAllowsTf32();
    },
    set allowTf32(on: boolean) {
      native().allowMatmulTf32(on);
    },
  },
};

/** Runs `body`, a synchronous function, without TensorFloat-32, for the whole process. */
export function withoutTf32<T>(body: () => T): T {
  const before = [cudnn.allowTf32, cuda.matmul.allowTf32] as const;
  [cudnn.allowTf32, cuda.matmul.allowTf32] = [false, false];
  try {
    return body();
  } finally {
    [cudnn.allowTf32, cuda.matmul.allowTf32] = before;
  }
}

/**
 * Makes operators return bitwise identical results, or throw (with `warnOnly`: warn) where they cannot; as
 * torch.use_deterministic_algorithms. On CUDA, matrix products also need CUBLAS_WORKSPACE_CONFIG=:4096:8 in the
 * environment.
 */
export function useDeterministicAlgorithms(on: boolean, options: { warnOnly?: boolean } = {}): void {
  checkCall('useDeterministicAlgorithms', ['on'], { warnOnly: 'boolean' }, arguments);
  native().setDeterministicAlgorithms(on, options.warnOnly ?? false);
}
