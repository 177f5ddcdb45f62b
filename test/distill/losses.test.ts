import { describe, expect, it } from 'vitest';
import {
  type ConnectorName,
  createConnector,
  losses,
  type MapConnector,
  type PooledConnector,
} from '../../src/index.js';
import torch, { nn, type Tensor } from '../../src/torch.js';
import { expectClose, expectCloseNumber } from '../helpers/compare.js';
import { fixture, ramp } from '../helpers/inputs.js';

interface Case {
  value: number;
  gradients: Record<string, number[]>;
}
interface Connected extends Case {
  r: number[];
  runningMean: number[];
  runningVar: number[];
}
type Fixture = {
  sizes: Record<'n' | 'cS' | 'cT' | 'k' | 'size', number>;
  labels: number[];
  connected: Record<string, Connected>;
} & Record<string, Case>;

const expected = fixture<Fixture>('losses');
const { n, cS, cT, k, size } = expected.sizes;
const labels = torch.tensor(expected.labels);
const { functional: F } = nn;

function setUp() {
  const leaf = (shape: number[], step: number) => ramp(shape, { step }).requiresGrad_();
  const hT = ramp([n, cT], { step: 31 });
  const wT = ramp([k, cT], { scale: 0.7, step: 101 });
  const bT = ramp([k], { scale: 0.3, step: 11 });
  const leaves = { rhS: leaf([n, cT], 57), wS: leaf([k, cS], 77), hS: leaf([n, cS], 91) };
  const zT = F.linear(hT, wT, bT);
  const zTildeS = F.linear(leaves.rhS, wT, bT);
  const zS = F.linear(leaves.hS, leaves.wS, ramp([k], { step: 13 }));
  return { hT, wT, bT, zT, zTildeS, zS, leaves };
}

function check(name: string, value: Tensor, leaves: Record<string, Tensor>): void {
  const { value: loss, gradients } = expected[name] as Case;
  expectCloseNumber(Number(value.item()), loss);
  value.backward();
  for (const [leaf, gradient] of Object.entries(gradients)) expectClose(leaves[leaf]?.grad as Tensor, gradient);
}

describe('the equations of the paper, value and gradients against PyTorch in float64', () => {
  it('(1) feature matching', () => {
    const { hT, leaves } = setUp();
    check('featureMatching', losses.featureMatchingLoss(hT, leaves.rhS), leaves);
  });

  it.each([1, 4])('(2) softmax regression as soft cross-entropy, temperature %d', (temperature) => {
    const { zT, zTildeS, leaves } = setUp();
    check(`softmaxRegression${temperature}`, losses.softmaxRegressionLoss(zT, zTildeS, temperature), leaves);
  });

  it('(3) softmax regression as squared error of the logits', () => {
    const { zT, zTildeS, leaves } = setUp();
    check('softmaxRegressionL2', losses.softmaxRegressionLossL2(zT, zTildeS), leaves);
  });

  it('(4) classic distillation', () => {
    const { zT, zS, leaves } = setUp();
    check('distillation4', losses.distillationLoss(zT, zS, 4), leaves);
  });

  it('(5) the sum', () => {
    const { hT, zT, zTildeS, zS, leaves } = setUp();
    const total = losses.totalLoss(
      F.crossEntropy(zS, labels),
      losses.featureMatchingLoss(hT, leaves.rhS),
      losses.softmaxRegressionLossL2(zT, zTildeS),
      0.5,
      3,
    );
    check('total', total, leaves);
  });

  it("keep the identity z~_S - z_T = W_T (r(h_S) - h_T): the classifier's bias cancels", () => {
    torch.manualSeed(3);
    for (let i = 0; i < 20; i++) {
      const [h, r] = [torch.randn([4, 9], { dtype: 'float64' }), torch.randn([4, 9], { dtype: 'float64' })];
      const [w, b] = [torch.randn([6, 9], { dtype: 'float64' }), torch.randn([6], { dtype: 'float64' })];
      const left = F.linear(r, w, b).sub(F.linear(h, w, b));
      expect(left.allclose(r.sub(h).matmul(w.t()), 1e-10, 1e-12)).toBe(true);
      const metric = losses.softmaxRegressionLossL2(F.linear(h, w, b), F.linear(r, w, b));
      expectCloseNumber(Number(metric.item()), Number(r.sub(h).matmul(w.t()).square().mean().item()), 1e-10);
    }
  });
});

describe('the whole method through a connector, in training mode', () => {
  it.each(['map', 'pooled'] as ConnectorName[])('%s form', (kind) => {
    const { hT, wT, bT, zT, leaves } = setUp();
    const features = { pooled: cS, map: [cS, size, size], stages: [], pooledIsMeanOfMap: true };
    const connector = createConnector(kind, features, cT) as MapConnector | PooledConnector;
    connector.to({ dtype: 'float64' }).train();
    torch.noGrad(() => {
      connector.conv.weight.copy_(ramp([cT, cS, 1, 1], { step: 67 }));
      connector.bn.weight?.copy_(ramp([cT], { scale: 0.4, offset: 1, step: 19 }));
      connector.bn.bias?.copy_(ramp([cT], { scale: 0.2, step: 23 }));
    });
    const map = ramp([n, cS, size, size], { step: 43 }).requiresGrad_();
    const pooled = map.mean([2, 3]);
    const logits = F.linear(pooled, leaves.wS, ramp([k], { step: 13 }));
    const r = connector.forward({ map, pooled, logits, stages: [map] });
    const fm = losses.featureMatchingLoss(hT, r);
    const sr = losses.softmaxRegressionLossL2(zT, F.linear(r, wT, bT));
    const total = losses.totalLoss(F.crossEntropy(logits, labels), fm, sr, 0.5, 3);
    total.backward();

    const { value, gradients, r: expectedR, runningMean, runningVar } = expected.connected[kind] as Connected;
    expectClose(r, expectedR);
    expectCloseNumber(Number(total.item()), value);
    const actual = {
      map,
      wS: leaves.wS,
      connector: connector.conv.weight,
      bnWeight: connector.bn.weight,
      bnBias: connector.bn.bias,
    };
    for (const [name, gradient] of Object.entries(gradients))
      expectClose(actual[name as keyof typeof actual]?.grad as Tensor, gradient);
    expectClose(connector.bn.running_mean, runningMean);
    expectClose(connector.bn.running_var, runningVar);
  });
});
