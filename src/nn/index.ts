/** Modules, as torch.nn. */
export {
  Dropout,
  ELU,
  GELU,
  type GELUOptions,
  Identity,
  LeakyReLU,
  Mish,
  ReLU,
  ReLU6,
  SELU,
  Sigmoid,
  SiLU,
  Tanh,
} from './activation.js';
export { BatchNorm1d, BatchNorm2d, type BatchNormOptions } from './batch-norm.js';
export { Sequential } from './container.js';
export { Conv2d, type Conv2dOptions, type Pair } from './conv.js';
export * as functional from './functional.js';
export * as init from './init.js';
export { Linear, type LinearOptions } from './linear.js';
export { type Layer, type LoadReport, Module, type StateDict } from './module.js';
export { Parameter } from './parameter.js';
export { AdaptiveAvgPool2d, AvgPool2d, Flatten, MaxPool2d, type PoolOptions } from './pooling.js';
