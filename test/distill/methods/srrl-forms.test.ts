/** The forms of SRRL that the paper compares, and the identity behind its L2 form. */
import { describe, expect, it } from 'vitest';
import { losses, SRRL } from '../../../src/index.js';
import torch, { type nn, type Tensor } from '../../../src/torch.js';
import { expectCloseNumber } from '../../helpers/compare.js';
import { settingOf, studentFeatures, teacherFeatures, valuesOf, weightsOf } from './cases.js';

const shapes = { student: [[4, 4, 4]], teacher: [[5, 4, 4]], studentMap: [6, 2, 2] };
const setting = settingOf(shapes);

function setUp(options: ConstructorParameters<typeof SRRL>[0]) {
  const { modules, terms } = new SRRL(options).setUp(setting);
  for (const module of Object.values(modules)) module.to({ dtype: 'float64' });
  const student = studentFeatures(shapes.student, shapes.studentMap);
  const teacher = teacherFeatures(shapes.teacher);
  const { weight, bias } = setting.teacher as { weight: Tensor; bias: Tensor };
  // What a teacher really gives: logits of its own classifier.
  const logits = teacher.pooled.matmul(weight.t()).add(bias);
  return { modules, terms: () => terms(valuesOf(student, { ...teacher, logits })), student, teacher, weight, logits };
}

it("the squared error of the logits is that of the features under the classifier's metric: z~_S - z_T = W_T (r(h_S) - h_T)", () => {
  torch.manualSeed(11);
  for (const connector of ['map', 'pooled', 'linear', 'mlp'] as const) {
    const { modules, terms, student, teacher, weight, logits } = setUp({ connector });
    const r = (modules.connector as nn.Module & { forward(x: unknown): Tensor }).forward(student);
    const difference = r.sub(teacher.pooled).matmul(weight.t());
    const zTilde = setting.teacher?.classify(r) as Tensor;
    expect(zTilde.sub(logits).allclose(difference, 1e-9, 1e-11)).toBe(true);
    expectCloseNumber(Number(terms().sr?.value.item()), Number(difference.square().mean().item()), 1e-9);
  }
});

describe('forms', () => {
  it.each([
    [{ beta: 0 }, { ce: 1, fm: 1, sr: 0 }],
    [{ alpha: 0 }, { ce: 1, fm: 0, sr: 1 }],
    [
      { alpha: 2, beta: 5, sr: 'ce' as const },
      { ce: 1, fm: 2, sr: 5 },
    ],
    [
      { fmStage: 0, ce: 0.5 },
      { ce: 0.5, fm: 1, sr: 1 },
    ],
  ])('%j', (options, weights) => {
    expect(weightsOf(setUp(options).terms())).toEqual(weights);
  });

  it('the cross-entropy form is equation (2), not (3)', () => {
    const { modules, terms, student, logits } = setUp({ sr: 'ce', temperature: 3 });
    const r = (modules.connector as nn.Module & { forward(x: unknown): Tensor }).forward(student);
    const direct = losses.softmaxRegressionLoss(logits, setting.teacher?.classify(r) as Tensor, 3);
    expectCloseNumber(Number(terms().sr?.value.item()), Number(direct.item()), 1e-9);
  });

  it('matching at an inner stage trains that stage and its own connector; regression keeps the last feature', () => {
    const { modules, terms, student } = setUp({ fmStage: -1 });
    expect(Object.keys(modules)).toEqual(['connector', 'fmConnector']);
    terms().fm?.value.backward();
    const hasGradient = (module: nn.Module | undefined) =>
      [...(module?.parameters() ?? [])].map(({ grad }) => grad !== null);
    expect(hasGradient(modules.fmConnector)).toEqual([true, true, true]);
    expect(hasGradient(modules.connector)).toEqual([false, false, false]);
    expect([student.stages[0]?.grad !== null, student.map?.grad]).toEqual([true, null]);
  });
});
