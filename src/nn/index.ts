/** Modules, as torch.nn. */
import './check-inputs.js';

export * from './activation.js';
export { type AttentionCall, MultiheadAttention, type MultiheadAttentionOptions } from './attention.js';
export { BatchNorm1d, BatchNorm2d, BatchNorm3d, type BatchNormOptions, SyncBatchNorm } from './batch-norm.js';
export { ModuleDict, ModuleList, ParameterList, Sequential } from './container.js';
export { Conv1d, Conv2d, type Conv2dOptions, Conv3d, type ConvOptions } from './conv.js';
export * from './conv-transpose.js';
export * from './dropout.js';
export * from './embedding.js';
export { fastConvolutions } from './fast-conv.js';
export * as functional from './functional.js';
export { anyHooks, type ForwardHook, type ForwardPreHook } from './hooks.js';
export * as init from './init.js';
export * from './instance-norm.js';
export { Linear, type LinearOptions } from './linear.js';
export * from './loss.js';
export { type Layer, type LoadReport, Module, type StateDict } from './module.js';
export * from './norm.js';
export * from './pad.js';
export { Parameter } from './parameter.js';
export * from './pooling.js';
export { GRU, LSTM, type RecurrentOptions, RNN } from './recurrent.js';
export * from './shape.js';
export type { Pair, Sizes } from './sizes.js';
export * from './softmax.js';
export { type ModuleSummary, type SummaryRow, summary } from './summary.js';
export { type InterpolateOptions, Upsample } from './upsample.js';
