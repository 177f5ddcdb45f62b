/** The losses of test/fixtures/make/modules.py, made here. */
import torch, { nn, type Tensor } from '../../src/torch.js';
import { ramp } from '../helpers/inputs.js';
import type { Case } from './module-cases.js';

const labels = torch.tensor([1, 0, 3]);
const maps = torch.tensor([
  [0, 3, 1],
  [3, 0, 0],
]);
const signs = torch.tensor([1, -1, 1, -1], { dtype: 'float64' });
const weights = ramp([4], { offset: 2 });
const targets = torch.tensor([
  [0, 2, 3],
  [3, 0, 0],
]);
const unit = (...shape: number[]) => ramp(shape, { step: 61 }).add(1.2).div(2.5);
const of = (module: nn.Module, ...inputs: Case['inputs']): Case => ({ module, inputs });

export const loss: Record<string, Case> = {
  crossEntropyLoss: of(new nn.CrossEntropyLoss({ weight: weights, labelSmoothing: 0.1 }), [3, 4], labels),
  crossEntropyLossMaps: of(new nn.CrossEntropyLoss({ ignoreIndex: 0, reduction: 'none' }), [2, 4, 3], maps),
  nllLoss: of(new nn.NLLLoss({ weight: weights, ignoreIndex: 0 }), [3, 4], labels),
  mseLoss: of(new nn.MSELoss({ reduction: 'sum' }), [3, 4], [3, 4]),
  l1Loss: of(new nn.L1Loss(), [3, 4], [3, 4]),
  smoothL1Loss: of(new nn.SmoothL1Loss({ beta: 0.5 }), [3, 4], [3, 4]),
  huberLoss: of(new nn.HuberLoss({ reduction: 'none', delta: 0.4 }), [3, 4], [3, 4]),
  klDivLoss: of(new nn.KLDivLoss(), [3, 4], unit(3, 4)),
  klDivLossBatch: of(new nn.KLDivLoss({ reduction: 'batchmean', logTarget: true }), [3, 4], ramp([3, 4], { step: 59 })),
  bceLoss: {
    ...of(new nn.BCELoss({ weight: unit(3, 4) }), [3, 4], unit(3, 4)),
    call: (m: nn.BCELoss, x, y) => m.forward((x as Tensor).sigmoid(), y as Tensor),
  },
  bceWithLogitsLoss: of(new nn.BCEWithLogitsLoss({ posWeight: unit(4).mul(3) }), [3, 4], unit(3, 4)),
  poissonNLLLoss: of(new nn.PoissonNLLLoss({ full: true }), [3, 4], unit(3, 4).mul(5)),
  gaussianNLLLoss: {
    ...of(new nn.GaussianNLLLoss({ full: true, eps: 0.3 }), [3, 4], [3, 4], unit(3, 4)),
  },
  hingeEmbeddingLoss: of(new nn.HingeEmbeddingLoss({ margin: 0.5 }), [4], signs),
  softMarginLoss: of(new nn.SoftMarginLoss(), [4], signs),
  cosineEmbeddingLoss: of(new nn.CosineEmbeddingLoss({ margin: 0.1 }), [4, 3], [4, 3], signs),
  marginRankingLoss: of(new nn.MarginRankingLoss({ margin: 0.2, reduction: 'sum' }), [4], [4], signs),
  tripletMarginLoss: of(new nn.TripletMarginLoss({ margin: 0.5, swap: true }), [4, 3], [4, 3], [4, 3]),
  ctcLoss: {
    ...of(
      new nn.CTCLoss({ blank: 1, zeroInfinity: true }),
      [6, 2, 4],
      targets,
      torch.tensor([6, 5]),
      torch.tensor([3, 1]),
    ),
    call: (m: nn.CTCLoss, x, ...rest) => m.forward((x as Tensor).logSoftmax(2), ...(rest as [Tensor, Tensor, Tensor])),
  },
};
