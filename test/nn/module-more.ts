/** Cells, packed sequences, further pools, the whole Transformer and parametrizations of test/fixtures/make/modules.py. */
import torch, { nn, type Tensor } from '../../src/torch.js';
import { ramp } from '../helpers/inputs.js';
import type { Call, Case } from './module-cases.js';

const { functional: F, utils } = nn;
const of = (module: nn.Module, ...inputs: Case['inputs']): Case => ({ module, inputs });
const called = (module: nn.Module, call: Call, ...inputs: Case['inputs']): Case => ({ module, inputs, call });
const shifted = (module: nn.Layer, input: number[]) => called(module, (m: nn.Layer, x) => m.forward(x.add(2)), input);
const samples = (count: number) =>
  torch
    .linspace(0.1, 0.9, 2 * count)
    .reshape([1, 2, count])
    .double();
const causal = torch.ones([3, 3], { dtype: 'bool' }).triu(1);
const padded = torch.tensor([
  [false, false, false, true],
  [false, false, true, true],
]);

type Recurrent = nn.LSTM | nn.GRU;
function packed(
  module: Recurrent,
  x: Tensor,
  lengths: number[],
  state?: unknown,
  options: nn.utils.rnn.PackOptions = {},
) {
  const { batchFirst } = module;
  const sequence = utils.rnn.packPaddedSequence(x, lengths, { batchFirst, ...options });
  const [y, last] = (module as nn.LSTM).forward(sequence, state as [Tensor, Tensor]);
  return [utils.rnn.padPackedSequence(y, { batchFirst })[0], last];
}

/** In evaluation mode, with vectors that are the same on both sides. */
function spectral(): nn.Module {
  const module = utils.parametrizations.spectralNorm(new nn.Linear(3, 4).to({ dtype: 'float64' }));
  const inner = module.getSubmodule('parametrizations.weight.0');
  Object.defineProperty(inner, 'training', { get: () => false, set: () => {} });
  module.getBuffer('parametrizations.weight.0._u').copy_(F.normalize(ramp([4], { step: 71 }), { dim: 0 }));
  module.getBuffer('parametrizations.weight.0._v').copy_(F.normalize(ramp([3], { step: 73 }), { dim: 0 }));
  return module;
}

const sequences: Record<string, Case> = {
  transformer: called(
    new nn.Transformer({
      dModel: 6,
      nhead: 2,
      numEncoderLayers: 1,
      numDecoderLayers: 1,
      dimFeedforward: 8,
      dropout: 0,
    }),
    (m: nn.Transformer, x, y) => m.forward(x as Tensor, y as Tensor, { tgtMask: causal, srcKeyPaddingMask: padded }),
    [4, 2, 6],
    [3, 2, 6],
  ),
  attentionForward: called(
    new nn.Identity(),
    (_m, ...given) => {
      const [q, k, inProjWeight, inProjBias, outProjWeight] = given as [Tensor, Tensor, Tensor, Tensor, Tensor];
      return F.multiHeadAttentionForward(q, k, k, 2, { inProjWeight, inProjBias, outProjWeight });
    },
    [3, 2, 6],
    [4, 2, 6],
    [18, 6],
    [18],
    [6, 6],
  ),
  rnnCell: of(new nn.RNNCell(3, 4, { nonlinearity: 'relu' }), [2, 3], [2, 4]),
  gruCell: of(new nn.GRUCell(3, 4), [2, 3], [2, 4]),
  lstmCell: called(
    new nn.LSTMCell(3, 4, { bias: false }),
    (m: nn.LSTMCell, x, h, c) => m.forward(x as Tensor, [h as Tensor, c as Tensor]),
    [2, 3],
    [2, 4],
    [2, 4],
  ),
  lstmCellSingle: called(
    new nn.LSTMCell(3, 4),
    (m: nn.LSTMCell, x, h, c) => m.forward(x as Tensor, [h as Tensor, c as Tensor]),
    [3],
    [4],
    [4],
  ),
  lstmPacked: called(
    new nn.LSTM(2, 2, { bidirectional: true, batchFirst: true }),
    (m: nn.LSTM, x) => packed(m, x as Tensor, [2, 3, 1], undefined, { enforceSorted: false }),
    [3, 3, 2],
  ),
  lstmPackedState: called(
    new nn.LSTM(3, 4),
    (m: nn.LSTM, x, h, c) => packed(m, x as Tensor, [4, 2, 2], [h, c]),
    [4, 3, 3],
    [1, 3, 4],
    [1, 3, 4],
  ),
  gruPacked: called(
    new nn.GRU(3, 4),
    (m: nn.GRU, x, h) => packed(m, x as Tensor, [1, 3, 2], h, { enforceSorted: false }),
    [4, 3, 3],
    [1, 3, 4],
  ),
};

const pools: Record<string, Case> = {
  lpPool1d: shifted(new nn.LPPool1d(3, 2), [2, 2, 7]),
  lpPool2dCeil: shifted(new nn.LPPool2d(2, [2, 3], { stride: 2, ceilMode: true }), [1, 2, 5, 6]),
  lpPool3d: shifted(new nn.LPPool3d(1, 2), [1, 1, 4, 2, 3]),
  fractionalMaxPool2d: of(
    new nn.FractionalMaxPool2d(2, { outputSize: [3, 2], randomSamples: samples(2) }),
    [1, 2, 6, 5],
  ),
  fractionalMaxPool3d: of(
    new nn.FractionalMaxPool3d([1, 2, 2], { outputRatio: [0.5, 0.7, 0.6], randomSamples: samples(3) }),
    [1, 2, 4, 6, 5],
  ),
  upsamplingNearest2d: of(new nn.UpsamplingNearest2d({ scaleFactor: 2 }), [1, 2, 3, 2]),
  upsamplingBilinear2d: of(new nn.UpsamplingBilinear2d({ size: [5, 7] }), [1, 2, 3, 4]),
};

const others: Record<string, Case> = {
  bilinear: of(new nn.Bilinear(3, 4, 2), [2, 3], [2, 4]),
  softmax2d: of(new nn.Softmax2d(), [2, 3, 2, 2]),
  adaptiveLogSoftmax: of(
    new nn.AdaptiveLogSoftmaxWithLoss(8, 9, [2, 5], { divValue: 2, headBias: true }),
    [4, 8],
    torch.tensor([8, 0, 3, 4]),
  ),
  adaptiveLogProb: called(
    new nn.AdaptiveLogSoftmaxWithLoss(8, 9, [2, 5], { divValue: 2 }),
    (m: nn.AdaptiveLogSoftmaxWithLoss, x) => m.logProb(x as Tensor),
    [4, 8],
  ),
  tripletDistance: of(
    new nn.TripletMarginWithDistanceLoss({
      margin: 0.5,
      swap: true,
      distanceFunction: (a, b) => a.sub(b).abs().sum(1),
    }),
    [4, 3],
    [4, 3],
    [4, 3],
  ),
  weightNorm: of(utils.parametrizations.weightNorm(new nn.Linear(3, 4)), [2, 3]),
  weightNormConv: of(utils.parametrizations.weightNorm(new nn.Conv1d(2, 3, 2), { dim: 1 }), [2, 2, 4]),
  spectralNorm: of(spectral(), [2, 3]),
};

export const more: Record<string, Case> = { ...sequences, ...pools, ...others };
