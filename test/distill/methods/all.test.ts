/** Every method between two networks of the model zoo, one step of training. */
import { describe, expect, it } from 'vitest';
import { createMethod, methodKinds, models, type Setting } from '../../../src/index.js';
import torch, { type nn, type Tensor } from '../../../src/torch.js';
import { weightsOf } from './cases.js';

torch.manualSeed(0);
const [student, teacher] = ['resnet8', 'resnet8x4'].map((name) => models.create(name, { numClasses: 5 })) as [
  models.Classifier,
  models.Classifier,
];
teacher.eval();
const images = torch.randn([4, 3, 16, 16]);
const labels = torch.tensor([0, 1, 2, 1]);
const { weight, bias } = (teacher as models.Classifier & { fc: nn.Linear }).fc.requiresGrad_(false);
const featuresOf = (model: models.Classifier) => models.measureFeatures((x) => model.forwardFeatures(x), [3, 16, 16]);
const setting: Setting = {
  student: { numClasses: 5, features: featuresOf(student.eval()) },
  teacher: {
    numClasses: 5,
    features: featuresOf(teacher),
    weight,
    bias,
    classify: (h) => h.matmul(weight.t()).add(bias as Tensor),
  },
  trainLabels: Uint8Array.of(0, 1, 2, 1, 4, 3),
};
student.train();

describe.each(methodKinds.map(({ name }) => name))('%s', (name) => {
  const objective = createMethod(name, name === 'crd' ? { negatives: 5 } : {}).setUp(setting);

  it('gives finite terms whose sum reaches the student and every module, and not the teacher', () => {
    const terms = objective.terms({
      student: student.forwardFeatures(images),
      teacher: torch.noGrad(() => teacher.forwardFeatures(images)),
      labels,
      indices: torch.tensor([0, 1, 2, 3]),
      epoch: 1,
    });
    const weights = weightsOf(terms);
    for (const [term, { value }] of Object.entries(terms)) {
      expect([Number.isFinite(weights[term]), value.shape]).toEqual([true, []]);
      expect(Number.isFinite(Number(value.item()))).toBe(true);
    }
    student.zeroGrad();
    const weighted = Object.entries(terms).filter(([term]) => weights[term] !== 0);
    weighted
      .reduce((sum, [term, { value }]) => sum.add(value.mul(weights[term] as number)), torch.zeros([]))
      .backward();
    const without = [student, ...Object.values(objective.modules)].flatMap((module) =>
      [...module.namedParameters()].filter(([, { grad }]) => grad === null).map(([parameter]) => parameter),
    );
    // Where the labels do not count, nothing trains the student's own classifier.
    expect(without).toEqual(name === 'simkd' ? ['fc.weight', 'fc.bias'] : []);
    expect([...teacher.parameters()].every(({ grad }) => grad === null)).toBe(true);
  });

  it('deploys a classifier of the same classes', () => {
    const network = objective.deploy?.(student) ?? student;
    const logits = torch.noGrad(() => network.forward(images));
    expect([logits.shape, network.numClasses]).toEqual([[4, 5], 5]);
    expect('deploy' in objective).toBe(name === 'simkd');
    objective.dispose?.();
  });
});
