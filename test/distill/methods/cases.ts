/** The inputs of test/fixtures/make/methods.py, and comparison with what it computed. */
import type { Features, Objective, Setting, StepValues, Term } from '../../../src/index.js';
import torch, { nn, type Tensor } from '../../../src/torch.js';
import { expectClose, expectCloseNumber } from '../../helpers/compare.js';
import { fixture, ramp } from '../../helpers/inputs.js';

export interface Case {
  value: number;
  gradients: Record<string, number[]>;
}
export type Shapes = number[][];

export const [n, k] = [4, 7];
export const labels = torch.tensor([0, 3, 6, 3]);
export const expected = fixture<{
  kd4: Case;
  kd2: Case;
  kdStandardized: Case;
  dkd: { tckd: Case; nckd: Case };
  dkdStandardized: { tckd: Case; nckd: Case };
  dist: { inter: Case; intra: Case };
  at: Case;
  sp: Case;
  fitnets: Record<string, Case>;
  simkd: Record<string, { simkd: Case; ce: Case }>;
  reviewKD: Case;
  crd: { indices: number[][]; negatives: number[][][]; steps: (Case & { banks: Record<string, number[]> })[] };
  fmStage: Case;
}>('methods');

/** What the student gives: leaves, so that each has a gradient of its own. */
export function studentFeatures(stages: Shapes, map?: number[]): Features {
  return {
    pooled: ramp([n, 6], { step: 91 }).requiresGrad_(),
    logits: ramp([n, k], { scale: 3, step: 1237 }).requiresGrad_(),
    ...(map && { map: ramp([n, ...map], { step: 43 }).requiresGrad_() }),
    stages: stages.map((shape, i) => ramp([n, ...shape], { step: 43 + 12 * i }).requiresGrad_()),
  };
}

export function teacherFeatures(stages: Shapes, map?: number[]): Features {
  return {
    pooled: ramp([n, 8], { step: 33 }).relu(),
    logits: ramp([n, k], { scale: 3, step: 709 }),
    ...(map && { map: ramp([n, ...map], { step: 101 }).relu() }),
    stages: stages.map((shape, i) => ramp([n, ...shape], { step: 101 + 12 * i }).relu()),
  };
}

interface Networks {
  student?: Shapes;
  teacher?: Shapes;
  studentMap?: number[];
  teacherMap?: number[];
  pooledIsMeanOfMap?: boolean;
}

export function settingOf(networks: Networks): Setting {
  const { student = [], teacher = [], studentMap, teacherMap, pooledIsMeanOfMap = true } = networks;
  const weight = ramp([k, 8], { scale: 0.7, step: 107 });
  const bias = ramp([k], { scale: 0.3, step: 11 });
  const shapes = (pooled: number, stages: Shapes, map?: number[]) => ({
    pooled,
    stages,
    ...(map && { map }),
    pooledIsMeanOfMap,
  });
  return {
    student: { numClasses: k, features: shapes(6, student, studentMap) },
    teacher: {
      numClasses: k,
      features: shapes(8, teacher, teacherMap),
      weight,
      bias,
      classify: (h) => nn.functional.linear(h, weight, bias),
    },
    trainLabels: Uint8Array.from([0, 3, 6, 3]),
  };
}

export function valuesOf(student: Features, teacher: Features, epoch = 1): StepValues {
  return { student, teacher, labels, indices: torch.arange(n), epoch };
}

/** Gives every parameter the numbers that the fixture's has, in order, in float64. */
export function fill(module: nn.Module): void {
  module.to({ dtype: 'float64' });
  torch.noGrad(() => {
    for (const [i, parameter] of [...module.parameters()].entries())
      parameter.copy_(ramp([...parameter.shape], { scale: 0.5, offset: 0.1, step: 61 + 2 * i }));
  });
}

/** Compares a loss and its gradients with respect to student and modules. */
export function check(term: Term | undefined, { value, gradients }: Case, student: Features, module?: nn.Module): void {
  const loss = term?.value as Tensor;
  expectCloseNumber(Number(loss.item()), value, 1e-9);
  const { pooled, logits, map, stages } = student;
  const leaves: Record<string, Tensor> = {
    pooled,
    logits,
    ...(map && { map }),
    ...Object.fromEntries(stages.map((stage, i) => [`stage${i}`, stage])),
    ...(module && Object.fromEntries(module.namedParameters())),
  };
  for (const leaf of Object.values(leaves)) leaf.grad = null;
  loss.backward(null, { retainGraph: true });
  for (const [name, gradient] of Object.entries(gradients)) expectClose(leaves[name]?.grad as Tensor, gradient, 1e-9);
}

export const weightsOf = (terms: ReturnType<Objective['terms']>, epoch = 1): Record<string, number> =>
  Object.fromEntries(
    Object.entries(terms).map(([name, { weight }]) => [name, typeof weight === 'number' ? weight : weight(epoch)]),
  );
