/** Modules, as torch.nn. */
import './check-inputs.js';

export * from './activation.js';
export { type AdaptiveLogSoftmaxOptions, AdaptiveLogSoftmaxWithLoss } from './adaptive-log-softmax.js';
export { type AttentionCall, MultiheadAttention, type MultiheadAttentionOptions } from './attention.js';
export { BatchNorm1d, BatchNorm2d, BatchNorm3d, type BatchNormOptions, SyncBatchNorm } from './batch-norm.js';
export { Bilinear } from './bilinear.js';
export { ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential } from './container.js';
export { Conv1d, Conv2d, type Conv2dOptions, Conv3d, type ConvOptions } from './conv.js';
export * from './conv-transpose.js';
export { CosineSimilarity, PairwiseDistance } from './distance.js';
export * from './dropout.js';
export * from './embedding.js';
export { fastConvolutions } from './fast-conv.js';
export { FractionalMaxPool2d, FractionalMaxPool3d, type FractionalPoolOptions } from './fractional-pool.js';
export * as functional from './functional.js';
export { anyHooks, type ForwardHook, type ForwardPreHook } from './hooks.js';
export * as init from './init.js';
export * from './instance-norm.js';
export { MultiLabelMarginLoss, MultiLabelSoftMarginLoss, MultiMarginLoss } from './label-losses.js';
export { Linear, type LinearOptions } from './linear.js';
export { LocalResponseNorm, type LocalResponseNormOptions } from './local-response-norm.js';
export * from './loss.js';
export { LPPool1d, LPPool2d, LPPool3d, type LPPoolOptions } from './lp-pool.js';
export { type Layer, type LoadReport, Module, type StateDict } from './module.js';
export * from './norm.js';
export { PackedSequence } from './packed-sequence.js';
export * from './pad.js';
export { Parameter } from './parameter.js';
export * from './pooling.js';
export { GRU, LSTM, type RecurrentOptions, RNN } from './recurrent.js';
export { type CellOptions, GRUCell, LSTMCell, RNNCell, type RNNCellOptions } from './recurrent-cell.js';
export { Fold, type FoldOptions, Unfold } from './sampling.js';
export * from './shape.js';
export * from './shrink.js';
export type { Pair, Sizes } from './sizes.js';
export * from './softmax.js';
export { type ModuleSummary, type SummaryRow, summary } from './summary.js';
export {
  type DecoderMasks,
  type EncoderMasks,
  TransformerDecoder,
  TransformerDecoderLayer,
  TransformerEncoder,
  TransformerEncoderLayer,
  type TransformerLayerOptions,
} from './transformer.js';
export { Transformer, type TransformerMasks, type TransformerOptions } from './transformer-model.js';
export { type TripletDistanceOptions, TripletMarginWithDistanceLoss } from './triplet-distance.js';
export { MaxUnpool1d, MaxUnpool2d, MaxUnpool3d } from './unpool.js';
export {
  type InterpolateOptions,
  Upsample,
  UpsamplingBilinear2d,
  UpsamplingNearest2d,
  type UpsamplingOptions,
} from './upsample.js';
export * as utils from './utils/index.js';
