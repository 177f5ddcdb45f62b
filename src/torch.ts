/**
 * `srrl/torch`: tensors, autograd, nn and optim over libtorch, under PyTorch's names in camelCase.
 *
 *     import torch, { nn, optim } from 'srrl/torch';
 *     const x = torch.randn([2, 3], { requiresGrad: true });
 *     x.mul(2).sum().backward();
 */
import { native } from './native.js';
import {
  callOverload,
  enableGrad,
  float,
  fromArray,
  functions,
  grad,
  inferenceMode,
  isGradEnabled,
  keep,
  manualSeed,
  memory,
  noGrad,
  overloadOf,
  ScriptModule,
  scope,
  setGradEnabled,
  tensor,
} from './tensor/index.js';

/** Runs one overload of any operator of any library, as in `dispatch('aten::add.Tensor', a, b, { alpha: 2 })`. */
export function dispatch(name: string, ...args: unknown[]): unknown {
  return callOverload(overloadOf(name), args);
}

const own = {
  tensor,
  fromArray,
  float,
  scope,
  keep,
  memory,
  grad,
  noGrad,
  enableGrad,
  setGradEnabled,
  isGradEnabled,
  inferenceMode,
  manualSeed,
  dispatch,
  jit: { load: ScriptModule.load },
  /** Threads that libtorch's operators use inside. */
  getNumThreads: (): number => native().numThreads(),
  setNumThreads: (count: number): void => native().setNumThreads(count),
  /** `cpu` and the accelerators that are there. */
  devices: (): string[] => native().devices(),
  /** Waits until the current accelerator has done what it was given. */
  synchronize: (): void => native().synchronize(),
  /** The libtorch that this was compiled against, as in `2.13.0`. */
  get version(): string {
    return native().libtorchVersion;
  },
};

type Torch = typeof own & Omit<typeof functions, keyof typeof own>;

/** All operators as functions, and the rest of PyTorch's top level. */
const torch = Object.defineProperties(Object.create(functions), Object.getOwnPropertyDescriptors(own)) as Torch;

export default torch;
export * from './errors.js';
export * as nn from './nn/index.js';
export * as optim from './optim/index.js';
export {
  Complex,
  complexNumber,
  type DType,
  Float,
  type FromArrayOptions,
  float,
  fromArray,
  Generator,
  type Layout,
  loadSafetensors,
  type MemoryFormat,
  type MemoryUse,
  type Scalar,
  ScriptModule,
  type ScriptOutput,
  type Seed,
  saveSafetensors,
  Tensor,
  type TensorData,
  type TensorHolder,
  TensorList,
  type TensorOptions,
  type ToOptions,
} from './tensor/index.js';
export { torch };
