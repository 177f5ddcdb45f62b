import { describe, expect, it } from 'vitest';
import { decoupledLosses, klDistillationLoss, standardizeLogits } from '../../../src/distill/logit-losses.js';
import { ConfigError, DIST, DKD, KD, SRRL } from '../../../src/index.js';
import torch, { nn, type Tensor } from '../../../src/torch.js';
import { expectCloseNumber } from '../../helpers/compare.js';
import { check, expected, labels, settingOf, studentFeatures, teacherFeatures, valuesOf, weightsOf } from './cases.js';

const ofLogits = () => ({ student: studentFeatures([], [6, 2, 2]), teacher: teacherFeatures([]) });
const setting = settingOf({});

describe('KD, value and gradient against PyTorch', () => {
  it.each([
    ['kd4', {}],
    ['kd2', { temperature: 2 }],
    ['kdStandardized', { temperature: 2, standardize: true }],
  ] as const)('%s', (name, options) => {
    const { student, teacher } = ofLogits();
    const terms = new KD(options).setUp(setting).terms(valuesOf(student, teacher));
    expect(weightsOf(terms)).toEqual({ ce: 0.1, kd: 0.9 });
    check(terms.kd, expected[name], student);
    const ce = nn.functional.crossEntropy(student.logits, labels);
    expectCloseNumber(Number(terms.ce?.value.item()), Number(ce.item()));
  });

  it('is also a term of SRRL where its weight is not 0', () => {
    const { student, teacher } = ofLogits();
    const terms = (options: ConstructorParameters<typeof SRRL>[0]) => {
      const objective = new SRRL({ ...options, connector: 'linear' }).setUp(setting);
      objective.modules.connector?.to({ dtype: 'float64' });
      return objective.terms(valuesOf(student, teacher));
    };
    expect(weightsOf(terms({ ce: 0.5 }))).toEqual({ ce: 0.5, fm: 1, sr: 1 });
    const added = terms({ kd: 2 });
    expect(weightsOf(added)).toEqual({ ce: 1, fm: 1, sr: 1, kd: 2 });
    check(added.kd, expected.kd4, student);
    check(terms({ kd: 1, kdTemperature: 2, standardize: true }).kd, expected.kdStandardized, student);
  });
});

describe('DKD', () => {
  it.each(['dkd', 'dkdStandardized'] as const)('%s: value and gradient against PyTorch', (name) => {
    const { student, teacher } = ofLogits();
    const objective = new DKD({ standardize: name === 'dkdStandardized' }).setUp(setting);
    const terms = objective.terms(valuesOf(student, teacher));
    check(terms.tckd, expected[name].tckd, student);
    check(terms.nckd, expected[name].nckd, student);
  });

  it('warms up over its first epochs, and not at all where there are none', () => {
    const { student, teacher } = ofLogits();
    const at = (epoch: number, options = {}) =>
      weightsOf(new DKD(options).setUp(setting).terms(valuesOf(student, teacher)), epoch);
    expect(at(1)).toEqual({ ce: 1, tckd: 1 / 20, nckd: 8 / 20 });
    expect(at(15, { beta: 2 })).toEqual({ ce: 1, tckd: 15 / 20, nckd: 1.5 });
    expect(at(20)).toEqual({ ce: 1, tckd: 1, nckd: 8 });
    expect(at(200)).toEqual(at(20));
    expect(at(1, { warmUp: 0 })).toEqual(at(20));
  });

  it('stays finite for networks that are sure, in float32', () => {
    const z = torch.zeros([2, 5]);
    z.select(1, 0).fill_(300);
    const zS = z.neg().requiresGrad_();
    const { target, others } = decoupledLosses(zS, z, torch.tensor([0, 1]), 1);
    target.add(others).backward();
    expect(Number.isFinite(Number(target.item()))).toBe(true);
    expect(Number.isFinite(Number(others.item()))).toBe(true);
    expect((zS.grad as Tensor).isfinite().all().item()).toBe(true);
  });

  it('decomposes KD: KL = TCKD + p(other classes) NCKD', () => {
    torch.manualSeed(5);
    const options = { dtype: 'float64' } as const;
    for (let i = 0; i < 10; i++) {
      const [zS, zT] = [torch.randn([1, 6], options), torch.randn([1, 6], options)];
      const label = torch.tensor([i % 6]);
      const { target, others } = decoupledLosses(zS, zT, label, 1);
      const rest =
        1 -
        Number(
          zT
            .softmax(1)
            .select(0, 0)
            .select(0, i % 6)
            .item(),
        );
      const kl = Number(klDistillationLoss(zS, zT, 1).item());
      expectCloseNumber(Number(target.item()) + rest * Number(others.item()), kl, 1e-9);
    }
  });
});

describe('DIST', () => {
  it('value and gradient against PyTorch', () => {
    const { student, teacher } = ofLogits();
    const terms = new DIST({ beta: 3, gamma: 0.5 }).setUp(setting).terms(valuesOf(student, teacher));
    expect(weightsOf(terms)).toEqual({ ce: 1, inter: 6, intra: 1 });
    check(terms.inter, expected.dist.inter, student);
    check(terms.intra, expected.dist.intra, student);
  });
});

describe('standardized logits', () => {
  it('do not change with scale and shift of a row', () => {
    torch.manualSeed(7);
    const z = torch.randn([5, 9], { dtype: 'float64' });
    const moved = z
      .mul(torch.rand([5, 1], { dtype: 'float64' }).add(0.5))
      .add(torch.randn([5, 1], { dtype: 'float64' }));
    expect(standardizeLogits(moved).allclose(standardizeLogits(z), 1e-6, 1e-6)).toBe(true);
  });
});

it.each([new KD(), new DKD(), new DIST()])('$name needs a teacher', (method) => {
  const { student } = setting;
  expect(() => method.setUp({ student, trainLabels: setting.trainLabels })).toThrow(ConfigError);
});
