/** The modules of test/fixtures/make/modules.py, made here. */

import torch, { nn, type Tensor } from '../../src/torch.js';
import { added } from './module-added.js';
import { loss } from './module-losses.js';
import { more } from './module-more.js';

/** How a module of any signature is called. */
export type Call = (module: never, ...inputs: Tensor[]) => unknown;

export interface Case {
  module: nn.Module;
  /** Shapes become ramps that want gradients. */
  inputs: (number[] | Tensor)[];
  call?: Call;
  /** Why finite differences do not apply. */
  noGradcheck?: string;
}

export const rows = torch.tensor([
  [0, 3, 1],
  [4, 0, 0],
]);

const layer = (module: nn.Module, ...inputs: Case['inputs']): Case => ({ module, inputs });
const called = (module: nn.Module, call: Call, ...inputs: Case['inputs']): Case => ({ module, inputs, call });

const scaled = (module: nn.Layer) => called(module, (m: nn.Layer, x) => m.forward(x.mul(4)), [3, 5]);
const resized = (options: nn.InterpolateOptions, input: number[]) =>
  called(new nn.Identity(), (_m, x) => nn.functional.interpolate(x, options), input);

const convolutions: Record<string, Case> = {
  conv1d: layer(new nn.Conv1d(4, 6, 3, { stride: 2, padding: 1 }), [2, 4, 9]),
  conv1dSame: layer(new nn.Conv1d(2, 3, 4, { padding: 'same', dilation: 2 }), [2, 2, 9]),
  conv2dSameReflect: layer(new nn.Conv2d(2, 3, [3, 4], { padding: 'same', paddingMode: 'reflect' }), [1, 2, 6, 6]),
  conv2dCircular: layer(new nn.Conv2d(2, 2, 3, { padding: [1, 2], paddingMode: 'circular' }), [1, 2, 5, 6]),
  conv2dReplicate: layer(new nn.Conv2d(2, 2, 3, { padding: 1, paddingMode: 'replicate', stride: 2 }), [1, 2, 5, 6]),
  conv2dValid: layer(new nn.Conv2d(2, 2, 3, { padding: 'valid' }), [1, 2, 5, 6]),
  conv3d: layer(new nn.Conv3d(2, 4, [1, 2, 3], { padding: [0, 1, 1], groups: 2 }), [1, 2, 3, 4, 5]),
  convTranspose1d: layer(new nn.ConvTranspose1d(2, 3, 3, { stride: 2, padding: 1, outputPadding: 1 }), [2, 2, 5]),
  convTranspose2d: layer(new nn.ConvTranspose2d(4, 6, 3, { stride: 2, groups: 2, dilation: [1, 2] }), [1, 4, 3, 4]),
  convTranspose2dSize: called(
    new nn.ConvTranspose2d(2, 2, 3, { stride: 3, bias: false }),
    (m: nn.ConvTranspose2d, x) => m.forward(x, [10, 11]),
    [1, 2, 3, 3],
  ),
  convTranspose3d: layer(new nn.ConvTranspose3d(2, 1, 2, { stride: 2 }), [1, 2, 2, 2, 3]),
};

const normalizations: Record<string, Case> = {
  batchNorm3d: layer(new nn.BatchNorm3d(2), [2, 2, 2, 3, 2]),
  syncBatchNorm: layer(new nn.SyncBatchNorm(3), [3, 3, 2, 2]),
  instanceNorm1d: layer(new nn.InstanceNorm1d(3, { affine: true }), [2, 3, 5]),
  instanceNorm2d: layer(
    new nn.InstanceNorm2d(3, { affine: true, trackRunningStats: true, momentum: 0.3 }),
    [2, 3, 3, 4],
  ),
  instanceNorm3d: layer(new nn.InstanceNorm3d(2, { eps: 1e-3 }), [1, 2, 2, 3, 2]),
  groupNorm: layer(new nn.GroupNorm(2, 4, { eps: 1e-4 }), [2, 4, 3, 2]),
  layerNorm: layer(new nn.LayerNorm([3, 4]), [2, 3, 4]),
  layerNormNoBias: layer(new nn.LayerNorm(4, { bias: false }), [2, 3, 4]),
  rmsNorm: layer(new nn.RMSNorm(4, { eps: 1e-5 }), [2, 3, 4]),
  rmsNormDefault: layer(new nn.RMSNorm([3, 4]), [2, 3, 4]),
  localResponseNorm: layer(new nn.LocalResponseNorm(3, { alpha: 0.2, beta: 0.6, k: 1.5 }), [2, 5, 3, 2]),
  localResponseNormEven: layer(new nn.LocalResponseNorm(2), [2, 4, 3]),
};

const activations: Record<string, Case> = {
  hardswish: scaled(new nn.Hardswish()),
  hardsigmoid: scaled(new nn.Hardsigmoid()),
  hardtanh: layer(new nn.Hardtanh(-0.5, 0.7), [3, 5]),
  softplus: layer(new nn.Softplus(2, 1), [3, 5]),
  softsign: layer(new nn.Softsign(), [3, 5]),
  celu: layer(new nn.CELU(0.6), [3, 5]),
  logSigmoid: layer(new nn.LogSigmoid(), [3, 5]),
  prelu: layer(new nn.PReLU(), [3, 5]),
  preluChannels: layer(new nn.PReLU({ numParameters: 3 }), [2, 3, 4]),
  softmax: layer(new nn.Softmax(1), [3, 5]),
  logSoftmax: layer(new nn.LogSoftmax(-1), [3, 5]),
  softmin: layer(new nn.Softmin(0), [3, 5]),
  glu: layer(new nn.GLU(1), [3, 6]),
};

const pools: Record<string, Case> = {
  maxPool1d: layer(new nn.MaxPool1d(3, { stride: 2, padding: 1, dilation: 2 }), [2, 2, 9]),
  maxPool2dCeil: layer(new nn.MaxPool2d([2, 3], { stride: 2, ceilMode: true, dilation: [1, 2] }), [1, 2, 7, 8]),
  maxPool3d: layer(new nn.MaxPool3d(2, { stride: 1 }), [1, 1, 3, 4, 3]),
  avgPool1d: layer(new nn.AvgPool1d(3, { stride: 2, padding: 1, countIncludePad: false }), [2, 2, 8]),
  avgPool2dCeil: layer(new nn.AvgPool2d(3, { stride: 2, padding: 1, ceilMode: true }), [1, 2, 6, 7]),
  avgPool3d: layer(new nn.AvgPool3d([1, 2, 2]), [1, 1, 2, 4, 4]),
  adaptiveAvgPool1d: layer(new nn.AdaptiveAvgPool1d(3), [2, 2, 7]),
  adaptiveAvgPool2dKeep: layer(new nn.AdaptiveAvgPool2d([null, 2]), [1, 2, 3, 5]),
  adaptiveAvgPool3d: layer(new nn.AdaptiveAvgPool3d(2), [1, 1, 3, 4, 5]),
  adaptiveMaxPool1d: layer(new nn.AdaptiveMaxPool1d(3), [2, 2, 7]),
  adaptiveMaxPool2d: layer(new nn.AdaptiveMaxPool2d([2, 3]), [1, 2, 5, 5]),
  adaptiveMaxPool3d: layer(new nn.AdaptiveMaxPool3d([1, 2, 2]), [1, 1, 3, 4, 5]),
};

const paddings: Record<string, Case> = {
  zeroPad1d: layer(new nn.ZeroPad1d([1, 2]), [2, 2, 3]),
  zeroPad2d: layer(new nn.ZeroPad2d([1, 2, 0, 3]), [1, 2, 3, 3]),
  zeroPad3d: layer(new nn.ZeroPad3d(1), [1, 1, 2, 2, 2]),
  constantPad1d: layer(new nn.ConstantPad1d(2, 3.5), [2, 3]),
  constantPad2d: layer(new nn.ConstantPad2d([1, -1, 2, 0], -2), [1, 2, 3, 4]),
  constantPad3d: layer(new nn.ConstantPad3d(1, 0.5), [1, 1, 2, 2, 2]),
  reflectionPad1d: layer(new nn.ReflectionPad1d([2, 1]), [1, 2, 4]),
  reflectionPad2d: layer(new nn.ReflectionPad2d([1, 2, 2, 1]), [1, 2, 4, 4]),
  reflectionPad3d: layer(new nn.ReflectionPad3d(1), [1, 1, 3, 2, 3]),
  replicationPad1d: layer(new nn.ReplicationPad1d([2, 1]), [1, 2, 3]),
  replicationPad2d: layer(new nn.ReplicationPad2d([1, 2, 2, 1]), [1, 2, 2, 3]),
  replicationPad3d: layer(new nn.ReplicationPad3d(1), [1, 1, 2, 2, 2]),
  circularPad1d: layer(new nn.CircularPad1d([2, 1]), [1, 2, 3]),
  circularPad2d: layer(new nn.CircularPad2d([1, 2, 2, 1]), [1, 2, 3, 3]),
  circularPad3d: layer(new nn.CircularPad3d(1), [1, 1, 2, 2, 2]),
};

const shapes: Record<string, Case> = {
  unflatten: layer(new nn.Unflatten(1, [2, -1]), [2, 6, 2]),
  flatten: layer(new nn.Flatten(0, 1), [2, 3, 2]),
  pixelShuffle: layer(new nn.PixelShuffle(2), [1, 8, 2, 3]),
  pixelUnshuffle: layer(new nn.PixelUnshuffle(2), [1, 2, 4, 6]),
  channelShuffle: layer(new nn.ChannelShuffle(2), [1, 4, 2, 2]),
  upsampleNearest: layer(new nn.Upsample({ scaleFactor: 2 }), [1, 2, 3, 2]),
  upsampleNearest1d: layer(new nn.Upsample({ size: 7 }), [1, 2, 3]),
  upsampleNearest3d: layer(new nn.Upsample({ scaleFactor: [1, 2, 1.5] }), [1, 1, 2, 2, 2]),
  upsampleNearestExact: layer(new nn.Upsample({ size: [5, 3], mode: 'nearest-exact' }), [1, 2, 3, 2]),
  upsampleLinear: layer(new nn.Upsample({ scaleFactor: 2.5, mode: 'linear' }), [1, 2, 4]),
  upsampleBilinear: layer(new nn.Upsample({ size: [5, 7], mode: 'bilinear', alignCorners: true }), [1, 2, 3, 4]),
  upsampleBilinearScale: layer(new nn.Upsample({ scaleFactor: [2, 1.5], mode: 'bilinear' }), [1, 2, 3, 4]),
  upsampleTrilinear: layer(new nn.Upsample({ size: [3, 3, 4], mode: 'trilinear' }), [1, 1, 2, 2, 2]),
  upsampleBicubic: layer(new nn.Upsample({ scaleFactor: 2, mode: 'bicubic' }), [1, 1, 3, 4]),
  interpolateArea: resized({ scaleFactor: 0.5, mode: 'area' }, [1, 1, 4, 6]),
  interpolateAntialias: resized({ size: [3, 4], mode: 'bilinear', antialias: true }, [1, 1, 6, 6]),
  interpolateBicubicAntialias: resized({ size: [3, 4], mode: 'bicubic', antialias: true }, [1, 1, 6, 6]),
};

const embeddings: Record<string, Case> = {
  embedding: {
    ...layer(new nn.Embedding(5, 3, { paddingIdx: 0 }), rows),
    noGradcheck: 'the row of the padding has no gradient by design',
  },
  embeddingMaxNorm: {
    ...layer(new nn.Embedding(5, 3, { maxNorm: 0.5, scaleGradByFreq: true }), rows),
    noGradcheck: 'the forward changes the weights, and the gradient is divided by frequencies',
  },
  embeddingSparse: {
    ...layer(new nn.Embedding(5, 3, { sparse: true }), rows),
    noGradcheck: 'the gradient is sparse',
  },
  embeddingBagMean: layer(new nn.EmbeddingBag(5, 3), rows),
  embeddingBagSum: {
    ...layer(new nn.EmbeddingBag(5, 3, { mode: 'sum', paddingIdx: -1 }), rows),
    noGradcheck: 'the row of the padding has no gradient by design',
  },
  embeddingBagMax: layer(new nn.EmbeddingBag(5, 3, { mode: 'max' }), torch.tensor([0, 3, 1, 4]), torch.tensor([0, 1])),
};

const attention = (module: nn.MultiheadAttention, call: nn.AttentionCall, ...inputs: number[][]) =>
  called(
    module,
    (m: nn.MultiheadAttention, q, k, v) => m.forward(q as Tensor, k as Tensor, v as Tensor, call),
    ...inputs,
  );
const causal = torch.ones([3, 3], { dtype: 'bool' }).triu(1);
const padded = torch.tensor([
  [false, false, false],
  [false, false, true],
]);

const sequences: Record<string, Case> = {
  multiheadAttention: attention(new nn.MultiheadAttention(6, 2), {}, [3, 2, 6], [4, 2, 6], [4, 2, 6]),
  multiheadAttentionPerHead: attention(
    new nn.MultiheadAttention(6, 3, { bias: false, batchFirst: true }),
    { averageAttnWeights: false },
    [2, 3, 6],
    [2, 4, 6],
    [2, 4, 6],
  ),
  multiheadAttentionWidths: attention(
    new nn.MultiheadAttention(4, 2, { kdim: 3, vdim: 5 }),
    { needWeights: false },
    [3, 2, 4],
    [4, 2, 3],
    [4, 2, 5],
  ),
  multiheadAttentionMasks: attention(
    new nn.MultiheadAttention(4, 2, { batchFirst: true }),
    { attnMask: causal, keyPaddingMask: padded },
    [2, 3, 4],
    [2, 3, 4],
    [2, 3, 4],
  ),
  rnnTanh: layer(new nn.RNN(3, 4), [5, 2, 3]),
  rnnRelu: layer(new nn.RNN(3, 4, { nonlinearity: 'relu', bias: false, batchFirst: true }), [2, 5, 3]),
  gru: layer(new nn.GRU(3, 4, { numLayers: 2, bidirectional: true }), [4, 2, 3]),
  gruState: layer(new nn.GRU(3, 4, { batchFirst: true }), [2, 4, 3], [1, 2, 4]),
  lstm: layer(new nn.LSTM(3, 4), [4, 2, 3]),
  lstmLayers: layer(new nn.LSTM(3, 4, { numLayers: 2, bidirectional: true, batchFirst: true, bias: false }), [2, 4, 3]),
  lstmState: called(
    new nn.LSTM(3, 4),
    (m: nn.LSTM, x, h, c) => m.forward(x, [h as Tensor, c as Tensor]),
    [4, 2, 3],
    [1, 2, 4],
    [1, 2, 4],
  ),
  lstmProjected: layer(new nn.LSTM(3, 5, { projSize: 2, numLayers: 2 }), [4, 2, 3]),
};

export const cases: Record<string, Case> = {
  ...convolutions,
  ...normalizations,
  ...activations,
  ...pools,
  ...paddings,
  ...shapes,
  ...embeddings,
  ...sequences,
  ...loss,
  ...added,
  ...more,
};
