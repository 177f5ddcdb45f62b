import { describe, expect, it } from 'vitest';
import {
  ConfigError,
  CrossEntropy,
  MapConnector,
  models,
  openDataset,
  ScriptTeacher,
  SRRL,
  settingFor,
} from '../../src/index.js';
import torch, { optim, type Tensor } from '../../src/torch.js';
import { fixturePath } from '../helpers/inputs.js';

const teacherFile = fixturePath('teachers/plain.scripted.pt');
const labels = torch.tensor([1, 2, 3, 4]);
const images = torch.randn([4, 3, 32, 32]);
const indices = torch.arange(4);
const data = await openDataset('shapes:12');

function setUp(options: ConstructorParameters<typeof SRRL>[0] = {}) {
  const teacher = ScriptTeacher.load(teacherFile);
  const student = models.create('resnet8', { numClasses: 10 });
  const objective = new SRRL(options).setUp(settingFor(student, teacher, data));
  const terms = () =>
    objective.terms({
      student: student.forwardFeatures(images),
      teacher: teacher.forward(images),
      labels,
      indices,
      epoch: 1,
    });
  return { teacher, student, objective, terms };
}

describe('SRRL', () => {
  it('gives its terms by name with their weights', () => {
    const { terms } = setUp({ alpha: 2, beta: 3 });
    expect(Object.entries(terms()).map(([name, { weight }]) => [name, weight])).toEqual([
      ['ce', 1],
      ['fm', 2],
      ['sr', 3],
    ]);
  });

  it.each(['l2', 'ce'] as const)(
    'sends the gradient of its %s regression through the frozen classifier to connector and student',
    (sr) => {
      const { student, objective, teacher, terms } = setUp({ sr });
      terms().sr?.value.backward();
      for (const parameter of objective.modules.connector?.parameters() ?? [])
        expect(Number(parameter.grad?.abs().sum().item())).toBeGreaterThan(0);
      const reached = [...student.namedParameters()]
        .filter(([, parameter]) => parameter.grad !== null)
        .map(([name]) => name);
      // Everything but the student's own classifier, which only the labels train.
      expect(reached).toEqual(
        [...student.namedParameters()].map(([name]) => name).filter((name) => !name.startsWith('fc.')),
      );
      expect(teacher.weight.requiresGrad || teacher.bias?.requiresGrad).toBe(false);
    },
  );

  it('leaves the teacher as it was, bit for bit, when the student is trained', () => {
    const { student, objective, teacher, terms } = setUp();
    const before = teacher.forward(images);
    const [weight, bias] = [teacher.weight.clone(), teacher.bias?.clone()];
    const optimizer = new optim.SGD([...student.parameters(), ...(objective.modules.connector?.parameters() ?? [])], {
      lr: 0.1,
      momentum: 0.9,
    });
    for (let i = 0; i < 5; i++) {
      torch.scope(() => {
        const sum = Object.values(terms()).reduce<Tensor | undefined>(
          (total, { value }) => total?.add(value) ?? value,
          undefined,
        );
        optimizer.zeroGrad();
        sum?.backward();
        optimizer.step();
      });
    }
    const after = teacher.forward(images);
    expect(after.pooled.equal(before.pooled)).toBe(true);
    expect(after.logits.equal(before.logits)).toBe(true);
    expect(teacher.weight.equal(weight)).toBe(true);
    expect(teacher.bias?.equal(bias as Tensor)).toBe(true);
  });

  it('has its connector also where the widths are equal', () => {
    const features = { pooled: 64, map: [64, 8, 8], stages: [], pooledIsMeanOfMap: true };
    const weight = torch.zeros([10, 64]);
    const contract = { features, numClasses: 10, weight, bias: null, classify: (h: Tensor) => h };
    const { connector } = new SRRL().setUp({
      student: contract,
      teacher: contract,
      trainLabels: new Uint8Array(4),
    }).modules;
    expect(connector).toBeInstanceOf(MapConnector);
    expect(connector?.numParameters()).toBe(64 * 64 + 2 * 64);
  });

  it('starts the connector as the authors do: normal with variance 2 / C_T', () => {
    torch.manualSeed(0);
    const { weight } = new MapConnector(256, 512).conv;
    expect(Number(weight.std().item())).toBeCloseTo(Math.sqrt(2 / 512), 3);
    expect(Math.abs(Number(weight.mean().item()))).toBeLessThan(1e-3);
  });

  it('needs a teacher, and sane options', () => {
    const student = models.create('resnet8', { numClasses: 12 });
    expect(() => new SRRL().setUp(settingFor(student, undefined, data))).toThrow(ConfigError);
    expect(() => new SRRL({ alpha: -1 })).toThrow();
    expect(() => new SRRL({ temperature: 0 })).toThrow();
  });
});

describe('plain cross-entropy', () => {
  it('is one term', () => {
    const student = models.create('resnet8', { numClasses: 10 });
    const terms = new CrossEntropy()
      .setUp()
      .terms({ student: student.forwardFeatures(images), labels, indices, epoch: 1 });
    expect(Object.keys(terms)).toEqual(['ce']);
  });
});
