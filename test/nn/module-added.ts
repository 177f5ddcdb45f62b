/** Transformers, unpooling, sampling and further losses of test/fixtures/make/modules.py, made here. */
import torch, { nn, type Tensor } from '../../src/torch.js';
import { ramp } from '../helpers/inputs.js';
import type { Call, Case } from './module-cases.js';

const F = nn.functional;
const of = (module: nn.Module, ...inputs: Case['inputs']): Case => ({ module, inputs });
const called = (module: nn.Module, call: Call, ...inputs: Case['inputs']): Case => ({ module, inputs, call });
const plain = (f: (...inputs: Tensor[]) => unknown, ...inputs: number[][]) =>
  called(new nn.Identity(), (_module, ...given) => f(...given), ...inputs);
const weight = ramp([4], { offset: 2 });
const causal = torch.ones([3, 3], { dtype: 'bool' }).triu(1);
const padded = torch.tensor([
  [false, false, false],
  [false, false, true],
]);
const paddedMemory = torch.tensor([
  [false, false, false, true],
  [false, false, true, true],
]);
const unpooled = (module: nn.MaxUnpool1d, indices: number[][], shape: number[], outputSize?: number[]) =>
  called(
    module,
    (m: nn.MaxUnpool1d, x) =>
      m.forward(
        x as Tensor,
        torch
          .tensor(indices)
          .reshape([-1, ...shape.slice(2)])
          .expand(shape),
        outputSize,
      ),
    shape,
  );

const transformers: Record<string, Case> = {
  transformerEncoderLayer: of(
    new nn.TransformerEncoderLayer(6, 2, { dimFeedforward: 8, dropout: 0, batchFirst: true }),
    [2, 3, 6],
  ),
  transformerEncoderLayerFirst: called(
    new nn.TransformerEncoderLayer(6, 3, {
      dimFeedforward: 5,
      dropout: 0,
      activation: 'gelu',
      normFirst: true,
      bias: false,
    }),
    (m: nn.TransformerEncoderLayer, x) => m.forward(x as Tensor, { mask: causal, srcKeyPaddingMask: padded }),
    [3, 2, 6],
  ),
  transformerEncoder: of(
    new nn.TransformerEncoder(
      () => new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 6, dropout: 0 }),
      2,
      new nn.LayerNorm(4),
    ),
    [3, 2, 4],
  ),
  transformerDecoderLayer: of(
    new nn.TransformerDecoderLayer(6, 2, { dimFeedforward: 8, dropout: 0, batchFirst: true }),
    [2, 3, 6],
    [2, 4, 6],
  ),
  transformerDecoder: called(
    new nn.TransformerDecoder(
      () => new nn.TransformerDecoderLayer(4, 2, { dimFeedforward: 6, dropout: 0, normFirst: true }),
      2,
      new nn.LayerNorm(4),
    ),
    (m: nn.TransformerDecoder, x, y) =>
      m.forward(x as Tensor, y as Tensor, { tgtMask: causal, memoryKeyPaddingMask: paddedMemory }),
    [3, 2, 4],
    [4, 2, 4],
  ),
};

const elementwise: Record<string, Case> = {
  tanhshrink: of(new nn.Tanhshrink(), [3, 5]),
  softshrink: of(new nn.Softshrink(0.3), [3, 5]),
  hardshrink: of(new nn.Hardshrink(0.3), [3, 5]),
  threshold: of(new nn.Threshold(0.2, -1.5), [3, 5]),
  rreluEvaluated: called(new nn.RReLU(0.1, 0.4), (m: nn.RReLU, x) => m.eval().forward(x as Tensor), [3, 5]),
};

const images: Record<string, Case> = {
  maxUnpool1d: unpooled(
    new nn.MaxUnpool1d(3, { stride: 2 }),
    [
      [0, 3, 4, 8],
      [1, 2, 6, 7],
    ],
    [2, 2, 4],
    [9],
  ),
  maxUnpool2d: unpooled(
    new nn.MaxUnpool2d(2),
    [
      [0, 2],
      [9, 15],
    ],
    [1, 2, 2, 2],
  ),
  maxUnpool3d: unpooled(
    new nn.MaxUnpool3d([1, 2, 2], { stride: 2 }),
    [
      [0, 3],
      [9, 15],
    ],
    [1, 1, 1, 2, 2],
  ),
  unfold: of(new nn.Unfold([2, 3], { dilation: [1, 2], padding: 1, stride: 2 }), [2, 3, 5, 6]),
  fold: of(new nn.Fold([4, 5], 2, { stride: [1, 2], padding: [0, 1] }), [2, 8, 9]),
  gridSample: plain((x, g) => F.gridSample(x as Tensor, (g as Tensor).mul(1.3)), [1, 2, 3, 4], [1, 2, 3, 2]),
  gridSampleReflected: plain(
    (x, g) =>
      F.gridSample(x as Tensor, (g as Tensor).mul(1.3), {
        mode: 'bicubic',
        paddingMode: 'reflection',
        alignCorners: true,
      }),
    [1, 2, 3, 4],
    [1, 2, 3, 2],
  ),
  affineGrid: plain((t) => F.affineGrid(t as Tensor, [2, 1, 3, 4], { alignCorners: true }), [2, 2, 3]),
};

const labels = torch.tensor([1, 0, 3]);
const several = torch.tensor([
  [3, 0, -1, 1],
  [2, -1, 0, 0],
]);
const binary = torch.tensor([
  [1, 0, 0, 1],
  [0, 0, 1, 0],
]);

const losses: Record<string, Case> = {
  cosineSimilarity: of(new nn.CosineSimilarity({ dim: 0 }), [3, 4], [3, 4]),
  pairwiseDistance: of(new nn.PairwiseDistance({ p: 3, keepdim: true }), [3, 4], [3, 4]),
  multiMarginLoss: of(new nn.MultiMarginLoss({ p: 2, margin: 0.7, weight }), [3, 4], labels),
  multiLabelMarginLoss: of(new nn.MultiLabelMarginLoss({ reduction: 'none' }), [2, 4], several),
  multiLabelSoftMarginLoss: of(new nn.MultiLabelSoftMarginLoss({ weight }), [2, 4], binary.double()),
};

export const added: Record<string, Case> = { ...transformers, ...elementwise, ...images, ...losses };
