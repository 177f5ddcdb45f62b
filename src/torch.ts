/**
 * `srrl/torch`: tensors, autograd, nn and optim over libtorch, under PyTorch's names in camelCase.
 *
 *     import torch, { nn, optim } from 'srrl/torch';
 *     const x = torch.randn([2, 3], { requiresGrad: true });
 *     x.mul(2).sum().backward();
 */
import './package-root.js';
import { native } from './native.js';
import {
  AutogradFunction,
  asTensor,
  asyncScope,
  autocast,
  backward,
  broadcastShapes,
  callOverload,
  callOverloadAsync,
  checkpoint,
  constants,
  countFlops,
  cuda,
  cudnn,
  detectAnomaly,
  deviceMemory,
  dtypeAliases,
  dtypeNames,
  Event,
  emptyCache,
  enableGrad,
  fft,
  finfo,
  float,
  forkRng,
  formatNames,
  fromArray,
  functions,
  Generator,
  getRngState,
  grad,
  gradcheck,
  gradgradcheck,
  iinfo,
  inferenceMode,
  initialSeed,
  isGradEnabled,
  isTensor,
  keep,
  linalg,
  manualSeed,
  memory,
  noGrad,
  overloadOf,
  Profiler,
  pcaLowrank,
  profile,
  receiveTensor,
  recordFunction,
  report,
  resetPeakMemory,
  ScriptModule,
  scope,
  seed,
  sendTensor,
  setGradEnabled,
  setRngState,
  special,
  svdLowrank,
  Tensor,
  tensor,
  trackOrigins,
  unique,
  uniqueConsecutive,
  unravelIndex,
  useDeterministicAlgorithms,
} from './tensor/index.js';

/** Runs one overload of any operator of any library, as in `dispatch('aten::add.Tensor', a, b, { alpha: 2 })`. */
export function dispatch(name: string, ...args: unknown[]): unknown {
  return callOverload(overloadOf(name), args);
}

/** Like {@link dispatch}, but off the event loop, for long calls. Gradients are recorded as in the caller. */
export function dispatchAsync(name: string, ...args: unknown[]): Promise<unknown> {
  return callOverloadAsync(overloadOf(name), args);
}

type Call = (...args: unknown[]) => unknown;
/** `ops.aten.add.Tensor(a, b)`; an overload without a name is `default`. */
type Ops = Record<string, Record<string, Record<string, Call>>>;

const lookUp = <T>(make: (name: string) => T): Record<string, T> =>
  new Proxy({} as Record<string, T>, { get: (_target, name) => (typeof name === 'string' ? make(name) : undefined) });

const ops: Ops = lookUp((library) =>
  lookUp((operator) =>
    lookUp((overload) => {
      const name = `${library}::${operator}${overload === 'default' ? '' : `.${overload}`}`;
      return (...args: unknown[]) => dispatch(name, ...args);
    }),
  ),
);

const cudaDevices = (): number =>
  native()
    .devices()
    .filter((name) => name.startsWith('cuda:')).length;

const own = {
  ...dtypeNames,
  ...dtypeAliases,
  ...formatNames,
  ...constants,
  tensor,
  asTensor,
  fromArray,
  float,
  isTensor,
  finfo,
  iinfo,
  broadcastShapes,
  Tensor,
  Generator,
  scope,
  asyncScope,
  keep,
  memory: Object.assign(memory, { report, track: trackOrigins }),
  grad,
  noGrad,
  enableGrad,
  setGradEnabled,
  isGradEnabled,
  inferenceMode,
  autocast,
  autograd: {
    Function: AutogradFunction,
    backward,
    grad,
    noGrad,
    enableGrad,
    inferenceMode,
    setGradEnabled,
    gradcheck,
    gradgradcheck,
    detectAnomaly,
  },
  checkpoint,
  countFlops,
  profile,
  Profiler,
  recordFunction,
  manualSeed,
  seed,
  initialSeed,
  getRngState,
  setRngState,
  random: { manualSeed, seed, initialSeed, getRngState, setRngState, forkRng },
  linalg,
  fft,
  special,
  dispatch,
  dispatchAsync,
  ops,
  sendTensor,
  receiveTensor,
  unique,
  uniqueConsecutive,
  unravelIndex,
  svdLowrank,
  pcaLowrank,
  jit: { load: ScriptModule.load },
  /** Number of threads that libtorch uses within an operator. */
  getNumThreads: (): number => native().numThreads(),
  setNumThreads: (count: number): void => native().setNumThreads(count),
  /**
   * Makes the whole process reuse freed memory for new tensors instead of returning it to the system (glibc only). A
   * training loop on the CPU runs faster; the process stays as large as it was at its peak.
   */
  keepFreedMemory: (): void => native().keepFreedMemory(),
  /** Returns `cpu` and the available accelerators. */
  devices: (): string[] => native().devices(),
  /** Waits until the current accelerator has finished all queued work. */
  synchronize: (): void => native().synchronize(),
  useDeterministicAlgorithms,
  /** Whether libtorch has CUDA and there is an NVIDIA GPU, and the number of GPUs. */
  cuda: { isAvailable: (): boolean => cudaDevices() > 0, deviceCount: cudaDevices },
  /** Memory of a device, as in torch.cuda.memory_stats, reset_peak_memory_stats and empty_cache. */
  deviceMemory,
  resetPeakMemory,
  emptyCache,
  Event,
  backends: { cudnn, cuda },
  /** The libtorch version that the addon was compiled against, as in `2.13.0`. */
  get version(): string {
    return native().libtorchVersion;
  },
};

type Torch = typeof own & Omit<typeof functions, keyof typeof own>;

/** All operators as functions, and the rest of PyTorch's top level. */
const torch = Object.defineProperties(Object.create(functions), Object.getOwnPropertyDescriptors(own)) as Torch;

export default torch;
export * from './errors.js';
export * from './files/index.js';
export * as nn from './nn/index.js';
export * as optim from './optim/index.js';
export {
  type AutocastOptions,
  AutogradFunction,
  Complex,
  complexNumber,
  type DType,
  type EventOptions,
  Float,
  type FloatInfo,
  type FlopCount,
  type FromArrayOptions,
  FunctionContext,
  float,
  fromArray,
  Generator,
  GradcheckError,
  type GradcheckOptions,
  type HookHandle,
  type Index,
  type IntegerInfo,
  type Layout,
  type Leak,
  type MemoryFormat,
  type MemoryUse,
  type PcaLowrankOptions,
  Profile,
  type ProfileEvent,
  type ProfileEventKind,
  type ProfileOptions,
  type ProfileRow,
  Profiler,
  type ProfileSort,
  type ProfileTableOptions,
  type Scalar,
  ScriptModule,
  type ScriptOutput,
  type Seed,
  type SentTensor,
  Slice,
  type SvdLowrankOptions,
  slice,
  Tensor,
  type TensorData,
  type TensorHolder,
  TensorList,
  type TensorOptions,
  type TensorShorthands,
  type ToOptions,
  type Unique,
  type UniqueConsecutiveOptions,
  type UniqueOptions,
} from './tensor/index.js';
export { torch };
