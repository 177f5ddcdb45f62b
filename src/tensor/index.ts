/** Tensors, their operators, autograd, profiling and memory management. */
import './extras.js';
import './methods.js';
import './shorthands.js';

export {
  cuda,
  cudnn,
  type DeviceMemory,
  deviceMemory,
  emptyCache,
  freeMemory,
  resetPeakMemory,
  useDeterministicAlgorithms,
  withoutTf32,
} from './accelerator.js';
export { type AutocastOptions, autocast, detectAnomaly } from './autocast.js';
export { backward, enableGrad, grad, inferenceMode, isGradEnabled, noGrad, setGradEnabled } from './autograd.js';
export {
  type ClipGradNormOptions,
  clipGradNorm_,
  clipGradsWithNorm_,
  clipGradValue_,
  getTotalNorm,
  gradientNorm,
} from './clip.js';
export { uncloneable } from './conversion.js';
export { type FromArrayOptions, fromArray, type TensorOptions, tensor } from './create.js';
export { deviceNamed, hasDevice } from './device.js';
export { type DType, isFloatingPoint, type Layout, type MemoryFormat } from './dtype.js';
export { type FloatInfo, finfo, type IntegerInfo, iinfo } from './dtype-info.js';
export { tensorEquality } from './equality.js';
export { Event, type EventOptions } from './event.js';
export type { HookHandle, ToOptions } from './extras.js';
export { countFlops, type FlopCount, watchFlops } from './flops.js';
export { FrozenGraph } from './frozen.js';
export { AutogradFunction, checkpoint, FunctionContext } from './function.js';
export { forkRng, Generator, getRngState, initialSeed, manualSeed, type Seed, seed, setRngState } from './generator.js';
export { GradcheckError, type GradcheckOptions, gradcheck, gradgradcheck } from './gradcheck.js';
export { DeviceGraph, GraphPool } from './graph.js';
export { hostTraffic } from './host-traffic.js';
export { type Index, Slice, slice } from './indexing.js';
export { installKernels, type KernelState, refusedKernels, withKernels } from './kernels.js';
export { type PcaLowrankOptions, pcaLowrank, type SvdLowrankOptions, svdLowrank } from './lowrank.js';
export { functions } from './methods.js';
export { fft, linalg, special } from './namespaces.js';
export { callOverload, callOverloadAsync, overloadOf } from './operators.js';
export { owned } from './ownership.js';
export { plain } from './plain.js';
export { Profile, type ProfileOptions, Profiler, profile, recordFunction } from './profile.js';
export type { ProfileEvent, ProfileEventKind } from './profile-events.js';
export type { ProfileRow, ProfileSort, ProfileTableOptions } from './profile-table.js';
export {
  asTensor,
  broadcastShapes,
  constants,
  dtypeAliases,
  dtypeNames,
  formatNames,
  isTensor,
  unravelIndex,
} from './python-names.js';
export { asyncScope, keep, type MemoryUse, memory, scope, type TensorHolder, tensorsIn } from './scope.js';
export { ScriptModule, type ScriptOutput } from './script.js';
export type { TensorShorthands } from './shorthands.js';
export { Tensor } from './tensor.js';
export { TensorList } from './tensor-list.js';
export { type Leak, report, trackOrigins } from './tracking.js';
export { receiveTensor, type SentTensor, sendTensor } from './transfer.js';
export { Complex, complexNumber, Float, float, type Scalar, type TensorData } from './types.js';
export { type Unique, type UniqueConsecutiveOptions, type UniqueOptions, unique, uniqueConsecutive } from './unique.js';
