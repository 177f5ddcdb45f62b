/** Tensors, and what can be done with them. */
import './extras.js';
import './methods.js';

export { enableGrad, grad, inferenceMode, isGradEnabled, noGrad, setGradEnabled } from './autograd.js';
export { type FromArrayOptions, fromArray, type TensorOptions, tensor } from './create.js';
export { type DType, isFloatingPoint, type Layout, type MemoryFormat } from './dtype.js';
export type { ToOptions } from './extras.js';
export { Generator, manualSeed, type Seed } from './generator.js';
export { functions } from './methods.js';
export { callOverload, overloadOf } from './operators.js';
export { owned } from './ownership.js';
export { loadSafetensors, saveSafetensors } from './safetensors.js';
export { keep, type MemoryUse, memory, scope, type TensorHolder, tensorsIn } from './scope.js';
export { ScriptModule, type ScriptOutput } from './script.js';
export { Tensor } from './tensor.js';
export { TensorList } from './tensor-list.js';
export { Complex, complexNumber, Float, float, type Scalar, type TensorData } from './types.js';
